"""The record of a study: all that its page shows, kept so that the page can be drawn again without training.

run.json            words, numbers, tables, recipes, where all came from, and the list of figures
figures/NAME.npz    the arrays of a figure
figures/NAME.png    the figure drawn (by `page`)
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.readers.arrays import NPZ_ERRORS
from narrows.errors import DataError
from narrows.files import atomic, write_file

FORMAT = 2
FORMATS = (1, FORMAT)  # that are read; 1 had no origin
RECORD_NAME = "run.json"


@dataclass
class Figure:
    """A figure: its kind in `draw.FIGURES`, the options for it, and its arrays.

    Figures of one section stand together on the page, under its title and with its caption.
    """

    name: str
    kind: str
    title: str
    options: dict[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    section: str = ""
    caption: str = ""


@dataclass
class Record:
    """What a study came to.

    title, question, text: in words. facts: name -> value, shown as a list (data, seed, command, seconds, versions).
    tables: each a dict of title, caption and rows. models: each a dict of name, recipe, options and sizes. origin:
    the facts, and the measures of each run, as programs read them, see `narrows.study.provenance`.
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

        Figures of the record that it replaces, and that it has not, are removed last.
        """
        before = _named(folder)
        for figure in self.figures:
            with atomic(folder / "figures" / f"{figure.name}.npz") as aside, open(aside, "wb") as file:
                np.savez_compressed(file, **dict(figure.arrays))  # type: ignore[arg-type]
        write_file(
            folder / RECORD_NAME, json.dumps({"format": FORMAT, **self._plain()}, indent=1, ensure_ascii=False)
        )
        for name in before - {figure.name for figure in self.figures}:
            for kind in ("npz", "png"):
                (folder / "figures" / f"{name}.{kind}").unlink(missing_ok=True)

    def _plain(self) -> dict[str, Any]:
        plain = asdict(self)
        for figure in plain["figures"]:
            del figure["arrays"]
        return plain


def _named(folder: Path) -> set[str]:
    """The figures of the record in a folder; none where there is no whole one."""
    try:
        plain = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
        return {figure["name"] for figure in plain["figures"] if Path(figure["name"]).name == figure["name"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def read_record(folder: Path, arrays: bool = True) -> Record:
    """The record in a folder; without its arrays, if so wished.

    Raises `DataError` where there is none, or a part of it is missing.
    """
    path = folder / RECORD_NAME
    if not path.is_file():
        raise DataError(f"there is no record of a run in {folder}: {RECORD_NAME} is missing")
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        if plain.pop("format") not in FORMATS:
            known = " and ".join(map(str, FORMATS))
            raise DataError(f"{path} was written by another version of Narrows; this one reads the formats {known}")
        figures = [Figure(**figure) for figure in plain.pop("figures")]
        for figure in figures if arrays else []:
            figure.arrays = _arrays(folder, figure.name)
        return Record(**plain, figures=figures)
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError, OSError) as error:
        raise DataError(f"{path} is no whole record of a run: {error}") from error


def _arrays(folder: Path, name: str) -> dict[str, np.ndarray]:
    path = folder / "figures" / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except NPZ_ERRORS as error:
        raise DataError(f"{path}, the arrays of a figure, is missing or broken; run the study again") from error
