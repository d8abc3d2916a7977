"""Verifying what a run reported: its model and its images are read and measured again. Nothing is
trained.

    reported          the measures in `run.json`
    found             those of the model file over the images, as they now are

    the same          to the last bit: expected with the same versions, machine and number of threads
    within 1e-05      |found - reported| ≤ 1e-5 · the larger of the two, or ≤ 1e-9: expected elsewhere
    differs           otherwise
    not measured      the images are missing, or have changed; or the model is missing

A model file is checked against its checksum, images against their fingerprints, and the files of
figures and runs must exist. History and figures are not made again.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isclose, isnan
from pathlib import Path
from typing import Any

from narrows.errors import DataError, Faults, NarrowsError
from narrows.measure import Table
from narrows.model.files import store
from narrows.model.use.evaluate import evaluate
from narrows.study.data_split import DataSplit, read_split
from narrows.study.index import study_folders
from narrows.study.obtain import Say, say_nothing
from narrows.study.page import PAGE_NAME
from narrows.study.provenance import machine
from narrows.study.record import RECORD_NAME, Record, read_record
from narrows.study.run_folder import MODEL_FILE

Plain = Mapping[str, Any]
# a run, and the study's origin -> the images of the run
ReadImages = Callable[[Plain, Plain], DataSplit]
RELATIVE, ABSOLUTE = 1e-5, 1e-9
SAME, WITHIN, DIFFERS, NOT_MEASURED = "the same", f"within {RELATIVE:g}", "differs", "not measured"


def verify(folder: Path, data: str | None = None, say: Say = say_nothing) -> tuple[Table, Faults]:
    """A row for each measure of each run: run, measure, reported, found, difference, verdict. And
    all faults.

    folder: of a run, of one run of a study, of a study, or of several studies. data: where the
    images now are, in place of the study's data, not of those that a run has of its own.
    """
    rows, faults = Table(), Faults(f"{folder} does not give what it reported")
    read_images = _image_reader(data)
    places, only = _places(folder)
    for place in places:
        prefix = f"{place.name}/" if len(places) > 1 else ""
        check = _StudyCheck(place, prefix, only, read_images, say, faults)
        with faults.catch():
            rows += check.rows()
    return rows, faults


def verdict(reported: float, found: float | None) -> str:
    """What to say of a measure."""
    if found is None:
        return NOT_MEASURED
    if reported == found or (isnan(reported) and isnan(found)):
        return SAME
    if isclose(reported, found, rel_tol=RELATIVE, abs_tol=ABSOLUTE):
        return WITHIN
    return DIFFERS


def _places(folder: Path) -> tuple[list[Path], str | None]:
    """Folders with a record, and the only run of it that is asked for, if there is one."""
    path = folder.resolve()
    study = path.parent.parent
    if path.parent.name == "runs" and (study / RECORD_NAME).is_file():
        return [study], path.name
    if (folder / RECORD_NAME).is_file():
        return [folder], None
    return study_folders(folder) or [folder], None


@dataclass
class _StudyCheck:
    """One study, measured again. prefix: before the names of its runs. only: the run asked for, or
    None for all.
    """

    place: Path
    prefix: str
    only: str | None
    read_images: ReadImages
    say: Say
    faults: Faults

    def rows(self) -> Table:
        """A row for each measure of each run; what is wrong goes to `faults`."""
        record = self._record()
        runs = self._runs(record)
        for path in _missing_files(self.place, record, runs.values()):
            self.faults.add(f"{path} is missing")
        rows, differing = Table(), 0
        for name, run in runs.items():
            title = f"{self.prefix}{name}"
            found = self._measure(title, run, record.origin)
            of_run = _rows_of_run(title, run, found)
            if found:
                differing += sum(row["verdict"] not in (SAME, WITHIN) for row in of_run)
            rows += of_run
        if differing:
            changes = _changes_since(record.origin)
            self.faults.add(
                f"{self.place}: {differing} of {len(rows)} measures are not those reported{changes}"
            )
        return rows

    def _record(self) -> Record:
        """The study's record, if it holds measures."""
        record = read_record(self.place, arrays=False)
        if not record.origin:
            raise DataError(
                f"{self.place / RECORD_NAME} was written by an older Narrows and holds no measures "
                "to compare with; run it again"
            )
        return record

    def _runs(self, record: Record) -> dict[str, Plain]:
        """The runs to measure, by name."""
        runs = record.origin["runs"]
        if self.only is None:
            return runs
        return {name: run for name, run in runs.items() if name == self.only}

    def _measure(self, title: str, run: Plain, origin: Plain) -> dict[str, float]:
        """The measures of a run, taken anew; none where that fails, which is a fault."""
        self.say(f"{title}: measuring again")
        try:
            model = store.load(self.place / run["folder"] / MODEL_FILE)
            split = self.read_images(run, origin)
            _check_fingerprints(run, split)
            return evaluate(model, *split.test.pair, measure_scale=origin["measure_scale"])
        except NarrowsError as error:
            self.faults.add(f"{title} is not measured: {error}")
            return {}


def _missing_files(place: Path, record: Record, runs: Iterable[Plain]) -> list[Path]:
    """The files that should exist and do not."""
    expected = [place / PAGE_NAME]
    for figure in record.figures:
        expected += [place / "figures" / f"{figure.name}.{kind}" for kind in ("npz", "png")]
    for run in runs:
        expected += [place / run["folder"] / name for name in run["files"]]
    return [path for path in expected if not path.is_file()]


def _check_fingerprints(run: Plain, split: DataSplit) -> None:
    """Refuse images that are not those which the run was trained on and measured with."""
    for part, images in (("train", split.train), ("test", split.test)):
        reported = run[part]["fingerprint"]
        if images.fingerprint != reported:
            words = f"their fingerprint is {images.fingerprint}, it was {reported}"
            raise DataError(f"the images to {part} have changed; {words}")


def _rows_of_run(title: str, run: Plain, found: Mapping[str, float]) -> list[dict[str, Any]]:
    """A row for each measure that the run reported."""
    reported = run["measures"]
    return [_row(title, name, value, found.get(name)) for name, value in reported.items()]


def _row(run: str, measure: str, reported: float, found: float | None) -> dict[str, Any]:
    decision = verdict(reported, found)
    difference = None
    if decision == SAME:
        difference = 0.0
    elif found is not None:
        difference = found - reported
    return {
        "run": run,
        "measure": measure,
        "reported": reported,
        "found": found,
        "difference": difference,
        "verdict": decision,
    }


def _image_reader(data: str | None) -> ReadImages:
    """A function that reads the images of a run, each set once. data: where the study's data now are."""
    splits: dict[str, DataSplit] = {}

    def read_images(run: Plain, origin: Plain) -> DataSplit:
        spec = run.get("data", _moved(origin["data"], data))
        name = json.dumps(spec, sort_keys=True)
        if name not in splits:
            splits[name] = read_split(spec)
        return splits[name]

    return read_images


def _moved(common: Any, data: str | None) -> Any:
    """The data of the study, from where they now are, with the options that they were read with."""
    if data is None:
        return common
    if isinstance(common, Mapping):
        return {**common, "kind": data}
    return data


def _changes_since(origin: Plain) -> str:
    """How versions and machine differ from those of the report, in brackets."""
    then = {**origin["versions"], **origin["machine"]}
    now = {**store.versions(), **machine()}
    changes = []
    for name, value in then.items():
        if value != now.get(name):
            changes.append(f"{name} was {value}, is {now.get(name)}")
    if not changes:
        return ""
    return f" ({'; '.join(changes)})"
