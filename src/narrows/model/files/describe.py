"""What a model file says of itself, read from its header: nothing is built, and no part need be known."""

import os
from pathlib import Path
from typing import Any

from narrows.model.calibration import SOURCES
from narrows.model.detector.combination import weights_in_words
from narrows.model.file_format import (
    CHECKPOINT_KEY,
    CHECKPOINT_WORDS,
    Header,
    Tensors,
    as_data_error,
    parse_checkpoint,
    parse_header,
    read_file,
)
from narrows.model.file_headers import CheckpointHeader
from narrows.model.files.shipped import shipped_or

EMPTY = (None, "", "()", "[]", [], {}, ())  # options that say nothing


def describe_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a model file says of itself, as plain values by name; of a model that comes with the package,
    by its own. Raises `DataError`.
    """
    path = shipped_or(Path(path))
    header, tensors = read_file(path)
    size = {"file": str(path), "bytes": Path(path).stat().st_size}
    with as_data_error(path):
        if CHECKPOINT_KEY in header:
            return {**size, **_describe_checkpoint(parse_checkpoint(header))}
        return {**size, **_describe_model(parse_header(header), tensors)}


def _describe_checkpoint(checkpoint: CheckpointHeader) -> dict[str, Any]:
    """How far the training has come, and its settings."""
    return {
        "what": CHECKPOINT_WORDS,
        "epochs done": checkpoint.numbers.epoch,
        "batches of the next": checkpoint.numbers.step,
        **{name: value for name, value in checkpoint.settings.items() if value not in EMPTY},
    }


def _describe_model(header: Header, tensors: Tensors) -> dict[str, Any]:
    versions = [f"{name} {version}" for name, version in header.versions.items()]
    return {
        "format": header.format,
        "model": header.estimator,
        **_provenance(header),
        **_options(header),
        **_custom_parts(header),
        "images": f"{' x '.join(map(str, header.layout.came))} {header.layout.dtype}",
        "working scale": header.scale,
        **_sizes(header),
        "numbers in the file": sum(tensor.numel() for tensor in tensors.values()),
        "threshold": header.facts.threshold_,
        **_calibration(header),
        **_members(header),
        **_training(header),
        "versions": ", ".join(versions),
    }


def _provenance(header: Header) -> dict[str, Any]:
    """The recipe and the images that the model is from, as far as they are known."""
    about = header.about
    return {name: about[name] for name in ("recipe", "data", "fingerprint") if about.get(name)}


def _options(header: Header) -> dict[str, Any]:
    options = header.options.items()
    return {name: _words(value) for name, value in options if value not in EMPTY}


def _custom_parts(header: Header) -> dict[str, str]:
    """The import paths of the user's parts, by their kind."""
    return {f"{kind} of your own": ", ".join(paths.values()) for kind, paths in header.own.items()}


def _sizes(header: Header) -> dict[str, int]:
    """Sizes of the model, if the file has them."""
    numbers = header.numbers
    if numbers is None:
        return {}
    sizes = {"parameters": numbers.parameters, "code size": numbers.code}
    if numbers.side_bits:
        sizes["side bits"] = numbers.side_bits
    return sizes


def _calibration(header: Header) -> dict[str, Any]:
    """Where the threshold comes from, as far as it is known."""
    calibration = header.facts.calibration_
    if calibration is None:
        return {}
    source = SOURCES.get(calibration.source, calibration.source)
    count = max(calibration.counts.values(), default=0)
    return {"threshold from": f"the scores of {count:,} {source}"}


def _members(header: Header) -> dict[str, str]:
    """The models that the model is made of, and what its score combines."""
    lines = {"members": ", ".join(header.members)} if header.members else {}
    if header.facts.choice_ is not None:
        lines["score combines"] = weights_in_words(header.facts.choice_.weights)
    return lines


def _training(header: Header) -> dict[str, Any]:
    """Epochs, and the last entry of each column of the history but the times."""
    facts = header.facts
    lines: dict[str, Any] = {}
    if facts.epochs_ is not None:
        lines["epochs trained"] = facts.epochs_
    for name, column in (facts.history_ or {}).items():
        if column and "seconds" not in name:
            lines[f"last {name}"] = column[-1]
    return lines


def _words(value: Any) -> Any:
    """A part's name and options in a line; lists of parts with commas; other values as they are."""
    if isinstance(value, dict):
        return _spec_in_words(value)
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return ", ".join(str(_words(entry)) for entry in value)
    return value


def _spec_in_words(spec: dict[str, Any]) -> str:
    """A part as "kind (option=value, ...)"; without a kind, the options alone."""
    options = dict(spec)
    kind = options.pop("kind", None)
    words = ", ".join(f"{key}={_words(option)}" for key, option in options.items())
    if kind is None:
        return words
    return f"{kind} ({words})" if words else str(kind)
