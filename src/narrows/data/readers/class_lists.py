"""A list of classes as a CSV file: the name of each image, and its class.

    file,label              any of `FILE_COLUMNS` and of `LABEL_COLUMNS` as headings, among others
    a/1.png,cat
    2,dog                   without the ending, or without its folders, if that is no other image's

Without headings the first two columns are taken. Classes that are all integers are labels as they
are; others are numbered in the order of their names.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from unicodedata import normalize

import numpy as np

from narrows.data.image_set import check_labels
from narrows.errors import DataError, several
from narrows.reading import reading

FILE_COLUMNS = (
    "file", "filename", "file_name", "image", "image_name", "image_id", "image_path", "name", "path",
    "filepath", "id",
)  # fmt: skip
LABEL_COLUMNS = ("label", "labels", "class", "class_name", "category", "target", "kind")
READ_ERRORS = "surrogateescape"  # as names of files are


@dataclass(frozen=True)
class ClassList:
    """The class of each image that a file lists, by its name there."""

    path: Path
    classes: Mapping[str, str]

    def of(self, names: Sequence[str]) -> list[str | None]:
        """The class of each image; None for those that are not in the list."""
        listed = self._by_key()
        bare = Counter(key for name in names for key in _bare_keys(name))
        found = []
        for name in names:
            keys = [*_keys(name), *(key for key in _bare_keys(name) if bare[key] == 1)]
            found.append(next((listed[key] for key in keys if key in listed), None))
        return found

    def unused(self, names: Iterable[str]) -> list[str]:
        """The names in the list that are of none of these images."""
        known = {key for name in names for key in (*_keys(name), *_bare_keys(name))}
        return [name for name in self.classes if _normal(name) not in known]

    def _by_key(self) -> dict[str, str]:
        return {_normal(name): kind for name, kind in self.classes.items()}


def read_class_list(path: Path) -> ClassList:
    """The classes that a CSV file lists. Raises `DataError`."""
    with reading(path), open(path, encoding="utf-8-sig", errors=READ_ERRORS, newline="") as file:
        rows = [row for row in csv.reader(file) if any(row)]
    if not rows:
        raise DataError(f"{path} is empty; expected lines such as a.png,cat")
    name, label = _columns(rows[0]) or (0, 1)
    if _columns(rows[0]):
        rows = rows[1:]
    short = [str(number) for number, row in enumerate(rows, 1) if len(row) <= max(name, label)]
    if short:
        raise DataError(
            f"{path}: expected the name of an image and its class in each row; some lack one, rows "
            f"{several(short)}"
        )
    return ClassList(path, _unique(path, [(row[name].strip(), row[label].strip()) for row in rows]))


def find_class_list(folder: Path) -> Path | None:
    """A CSV file in a folder, or next to it under its name or as labels.csv, whose headings are
    those of a list of classes; None if there is not exactly one.
    """
    nearby = [folder.parent / f"{folder.name}.csv", folder.parent / "labels.csv"]
    inside = [path for path in sorted(folder.glob("*.csv")) if not path.name.startswith(".")]
    found = [path for path in (inside or nearby) if path.is_file() and _has_headings(path)]
    return found[0] if len(found) == 1 else None


def labels_of(words: Sequence[str], path: Path) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Classes as labels `(N,)`, and the names of the classes, if they are not all integers."""
    try:
        return np.array(words).astype(np.int64), None
    except (ValueError, OverflowError):
        return check_labels(np.array(words), len(words), path)


def _has_headings(path: Path) -> bool:
    with open(path, encoding="utf-8-sig", errors=READ_ERRORS, newline="") as file:
        first = file.readline(1 << 16)
    return any(_columns(row) for row in csv.reader([first]))


def _columns(heading: Sequence[str]) -> tuple[int, int] | None:
    """The places of names and of classes among headings; None if these are none."""
    words = [word.strip().lower() for word in heading]
    places = []
    for known in (FILE_COLUMNS, LABEL_COLUMNS):
        places.append(next((words.index(word) for word in known if word in words), -1))
    name, label = places
    return None if -1 in places else (name, label)


def _unique(path: Path, rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    classes: dict[str, str] = {}
    for name, kind in rows:
        if classes.setdefault(name, kind) != kind:
            raise DataError(f"{path} lists {name} twice, as {classes[name]} and as {kind}")
    return classes


def _normal(name: str) -> str:
    return normalize("NFC", name.replace("\\", "/")).removeprefix("./")


def _keys(name: str) -> tuple[str, str]:
    """By which names an image may be listed: its own, with and without the ending."""
    whole = _normal(name)
    return whole, str(PurePosixPath(whole).with_suffix(""))


def _bare_keys(name: str) -> tuple[str, str]:
    """The same without folders."""
    whole, stem = _keys(name)
    return PurePosixPath(whole).name, PurePosixPath(stem).name
