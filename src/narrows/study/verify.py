"""Verifying what a run reported: its model and its images are read again, and measured again. Nothing is trained.

    reported   the measures in `run.json`         found   those of the model file over the images, as they now are

    the same          to the last bit: so it is with the same versions, machine and number of threads
    within 1e-05      |found - reported| ≤ 1e-5 · the larger of the two, or ≤ 1e-9: so it is elsewhere
    differs           else
    not measured      the images are not there, or are others; or the model is not there

A model file is held to its checksum, images are held to their fingerprints, and the files of figures and runs must be
there. History and figures are not made again.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from math import isclose, isnan
from pathlib import Path
from typing import Any

from narrows.errors import DataError, Faults, NarrowsError
from narrows.measure import Table
from narrows.model.files import store
from narrows.model.use.evaluate import evaluate
from narrows.study.page import PAGE_NAME
from narrows.study.provenance import machine
from narrows.study.record import RECORD_NAME, Record, read_record
from narrows.study.run_folder import MODEL
from narrows.study.trained import DataSplit, read_split

Say = Callable[[str], None]
Plain = Mapping[str, Any]
Images = Callable[[Plain, Plain], DataSplit]  # run, origin -> its images
RELATIVE, ABSOLUTE = 1e-5, 1e-9
SAME, WITHIN, DIFFERS, NOT = "the same", f"within {RELATIVE:g}", "differs", "not measured"


def verify(folder: Path, data: str | None = None, say: Say = lambda words: None) -> tuple[Table, Faults]:
    """A row for each measure of each run: run, measure, reported, found, difference, verdict. And all that is wrong.

    folder: of a run, of one run of a study, of a study, or of several studies. data: where the images now are, in the
    place of the study's data, not of those that a run has of its own.
    """
    rows, faults, images = Table(), Faults(f"{folder} is not as it was reported"), _images(data)
    places, only = _places(folder)
    for place in places:
        with faults.catch():
            rows += _study(place, f"{place.name}/" if len(places) > 1 else "", only, images, say, faults)
    return rows, faults


def verdict(reported: float, found: float | None) -> str:
    """What is to be said of a measure."""
    if found is None:
        return NOT
    if reported == found or (isnan(reported) and isnan(found)):
        return SAME
    return WITHIN if isclose(reported, found, rel_tol=RELATIVE, abs_tol=ABSOLUTE) else DIFFERS


def _places(folder: Path) -> tuple[list[Path], str | None]:
    """Folders with a record, and the only run of it that is asked for, if there is one."""
    above = folder.resolve().parents
    if folder.resolve().parent.name == "runs" and (above[1] / RECORD_NAME).is_file():
        return [above[1]], folder.resolve().name
    found = (
        [] if (folder / RECORD_NAME).is_file() else sorted(path.parent for path in folder.glob(f"*/{RECORD_NAME}"))
    )
    return found or [folder], None


def _study(place: Path, within: str, only: str | None, images: Images, say: Say, faults: Faults) -> Table:
    """The rows of a study; what is wrong goes to `faults`."""
    record, rows, wrong = read_record(place, arrays=False), Table(), 0
    if not record.origin:
        raise DataError(
            f"{place / RECORD_NAME} is of an older Narrows and holds no measures to compare with; run it again"
        )
    runs = {name: run for name, run in record.origin["runs"].items() if only in (None, name)}
    for path in _missing(place, record, runs.values()):
        faults.add(f"{path} is missing")
    for name, run in runs.items():
        title, found = f"{within}{name}", {}
        say(f"{title}: measuring again")
        try:
            found = _measured(place / run["folder"], run, record.origin, images)
        except NarrowsError as error:
            faults.add(f"{title} is not measured: {error}")
        new = [_row(title, measure, value, found.get(measure)) for measure, value in run["measures"].items()]
        wrong += sum(row["verdict"] not in (SAME, WITHIN) for row in new) if found else 0
        rows += new
    if wrong:
        faults.add(f"{place}: {wrong} of {len(rows)} measures are not those reported{_elsewhere(record.origin)}")
    return rows


def _missing(place: Path, record: Record, runs: Iterable[Plain]) -> list[Path]:
    """The files that should be there and are not."""
    figures = [place / "figures" / f"{figure.name}.{kind}" for figure in record.figures for kind in ("npz", "png")]
    kept = [place / run["folder"] / name for run in runs for name in run["files"]]
    return [path for path in (place / PAGE_NAME, *figures, *kept) if not path.is_file()]


def _measured(folder: Path, run: Plain, origin: Plain, images: Images) -> dict[str, float]:
    """The measures of a run, taken anew."""
    model, shown = store.load(folder / MODEL), images(run, origin)
    for part, found in (("train", shown.train.fingerprint), ("test", shown.test.fingerprint)):
        if found != (reported := run[part]["fingerprint"]):
            raise DataError(f"the images to {part} have changed; their fingerprint is {found}, it was {reported}")
    return evaluate(model, *shown.test.pair, measure_scale=origin["measure_scale"])


def _row(run: str, measure: str, reported: float, found: float | None) -> dict[str, Any]:
    said = verdict(reported, found)
    difference = None if found is None else 0.0 if said == SAME else found - reported
    values = {"reported": reported, "found": found, "difference": difference}
    return {"run": run, "measure": measure, **values, "verdict": said}


def _images(data: str | None) -> Images:
    """A function that reads the images of a run, each set once. data: the place that the study's data are now in."""
    read_already: dict[str, DataSplit] = {}

    def images(run: Plain, origin: Plain) -> DataSplit:
        common = origin["data"]
        if data is not None:  # with the options that they were read with
            common = {**common, "kind": data} if isinstance(common, Mapping) else data
        name = json.dumps(spec := run.get("data", common), sort_keys=True)
        if name not in read_already:
            read_already[name] = read_split(spec)
        return read_already[name]

    return images


def _elsewhere(origin: Plain) -> str:
    """In which way this is not where they were reported, in brackets."""
    then, now = ({**origin["versions"], **origin["machine"]}, {**store.versions(), **machine()})
    moved = [f"{name} was {then[name]}, is {now.get(name)}" for name in then if then[name] != now.get(name)]
    return f" ({'; '.join(moved)})" if moved else ""
