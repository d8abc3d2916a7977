"""The record of a study: all that its page shows, kept so that the page can be drawn again without
training.

run.json            words, numbers, tables, recipes, provenance, and the list of figures
figures/NAME.npz    the arrays of a figure
figures/NAME.png    the figure drawn (by `page`)
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from narrows.data.numpy_files import Npz
from narrows.errors import DataError
from narrows.files import atomic, write_file
from narrows.reading import reading

RECORD_FORMAT = 2
READABLE_FORMATS = (1, RECORD_FORMAT)  # 1 had no origin
RECORD_NAME = "run.json"


@dataclass
class Figure:
    """A figure: its kind in `draw.FIGURES`, the options for it, and its arrays.

    Figures of one section are next to one another on the page, under its title and with its
    caption.
    """

    name: str
    kind: str
    title: str
    options: dict[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    section: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Omitted:
    """A figure of a run that is not drawn, and the reason why, which the page prints."""

    run: str
    reason: str


@dataclass
class Record:
    """What a study came to.

    title, question, text: in words. facts: name -> value, shown as a list (data, seed, command,
    seconds, versions). tables: each a dict of title, caption, rows and `names` (see
    `narrows.study.tables`). models: each a dict of name, recipe, options and sizes. origin: the
    facts, and the measures of each run, as programs read them, see `narrows.study.provenance`.
    """

    title: str
    question: str = ""
    text: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    origin: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the record to a folder; figures first, so that what `run.json` lists is there.

        Figures of the record that it replaces, and that it does not have itself, are removed last.
        """
        replaced = _figure_names(folder) - {figure.name for figure in self.figures}
        for figure in self.figures:
            with atomic(_arrays_path(folder, figure.name)) as aside, open(aside, "wb") as file:
                np.savez_compressed(file, **dict(figure.arrays))  # type: ignore[arg-type]
        content = {"format": RECORD_FORMAT, **self._plain()}
        write_file(folder / RECORD_NAME, json.dumps(content, indent=1, ensure_ascii=False))
        for name in replaced:
            for kind in ("npz", "png"):
                (folder / "figures" / f"{name}.{kind}").unlink(missing_ok=True)

    def _plain(self) -> dict[str, Any]:
        plain = asdict(self)
        for figure in plain["figures"]:
            del figure["arrays"]
        return plain


def read_record(folder: Path, arrays: bool = True) -> Record:
    """The record in a folder; arrays: with the arrays of its figures.

    Raises `DataError` where there is none, or a part of it is missing.
    """
    path = folder / RECORD_NAME
    if not path.is_file():
        got = f"holds no {RECORD_NAME}" if folder.is_dir() else "is not a folder"
        raise DataError(
            f"there is no record of a run: {folder} {got}; expected the folder of a run, a study or a lab"
        )
    with reading(path, fault="is no complete record of a run"):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") not in READABLE_FORMATS:
            known = " and ".join(map(str, READABLE_FORMATS))
            raise DataError(
                f"{path} was written by another version of Narrows; this one reads the formats {known}"
            )
        record = msgspec.convert(content, Record)
    if arrays:
        for figure in record.figures:
            figure.arrays = _read_arrays(folder, figure.name)
    return record


def _figure_names(folder: Path) -> set[str]:
    """The figures of the record in a folder; none where there is no complete one."""
    try:
        names = {figure.name for figure in read_record(folder, arrays=False).figures}
    except DataError:
        return set()
    return {name for name in names if Path(name).name == name}


def _arrays_path(folder: Path, name: str) -> Path:
    return folder / "figures" / f"{name}.npz"


def _read_arrays(folder: Path, name: str) -> dict[str, np.ndarray]:
    path = _arrays_path(folder, name)
    what, fault = f"{path}, the arrays of a figure,", "is missing or broken"
    with reading(what, "run the study again", fault), Npz(path) as stored:
        return dict(stored)
