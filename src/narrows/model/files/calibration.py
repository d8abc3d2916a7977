"""The calibration in a model file: its scores as tensors "calibration.<kind>", the rest in the header."""

from typing import Any

import torch

from narrows.errors import wrong
from narrows.measure.conformal import NormalScores, check_false_alarms, kept_ranks
from narrows.model.calibration import SOURCES, Calibration
from narrows.model.file_format import Tensors, check_tensors
from narrows.model.file_headers import CalibrationHeader

PREFIX = "calibration."  # of the names of tensors in the file


def calibration_tensors(calibration: Calibration | None) -> Tensors:
    """The scores of normal images, if they are known."""
    scores = calibration.scores if calibration else {}
    return {PREFIX + kind: torch.from_numpy(normal.values) for kind, normal in scores.items()}


def calibration_facts(calibration: Calibration | None) -> dict[str, Any]:
    """What the header says of them."""
    if calibration is None:
        return {}
    counts = {kind: normal.count for kind, normal in calibration.scores.items()}
    source, share = calibration.source, calibration.false_alarms
    return {"calibration_": {"source": source, "false_alarms": share, "counts": counts}}


def take_calibration(header: CalibrationHeader | None, tensors: Tensors) -> Calibration | None:
    """The calibration of a file, whose tensors are taken out of `tensors`; None in earlier files."""
    if header is None:
        return None
    if header.source not in SOURCES:
        raise wrong("source of the calibration", header.source, f"one of {', '.join(SOURCES)}")
    counts = {PREFIX + kind: count for kind, count in header.counts.items()}
    found = {name: tensors.pop(name) for name in counts if name in tensors}
    check_tensors({name: torch.empty(_kept(count)) for name, count in counts.items()}, found)
    for name, values in found.items():
        if bool((values.diff() < 0).any()):
            raise wrong(name, "scores in no order", "ascending scores")
    scores = {
        kind: NormalScores(count, found[PREFIX + kind].numpy())
        for kind, count in header.counts.items()
    }
    return Calibration(header.source, check_false_alarms(header.false_alarms), scores)


def _kept(count: int) -> int:
    return len(kept_ranks(count))
