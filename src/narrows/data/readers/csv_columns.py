"""Which column of a table of text is what, by its first lines.

label,pixel0,...,pixel783     names: the label by its name, or as the one that is left over when
                              all others are one word with a number
5,0,0,...,0                   no names: a label is first or last if the others make an image; it
                              is the one of the two that changes more, since borders are black
"""

import re
from collections import Counter
from collections.abc import Sequence
from math import isqrt, prod
from typing import NamedTuple

from narrows.data.readers.csv_numbers import Table
from narrows.data.readers.reading import Shape, as_shape
from narrows.errors import several

SEPARATORS = ",;\t"
LABEL_NAMES = ("label", "labels", "class", "target", "y")
NUMBERED = re.compile(r"(\D*)\d[\dx_.]*")  # pixel0, 1x1, px_3
LEFT_OUT = "These columns are neither pixels nor the label, and are left out"
LEAST_SQUARE = 64  # values of a row without names that are taken for a square image


class Columns(NamedTuple):
    """The form of a table, whether its rows are images, and what is to be said of it."""

    table: Table
    are_images: bool
    notes: tuple[str, ...]


def columns_of(lines: Sequence[str], shape: Shape) -> Columns:
    """The columns of a table that begins with these lines. Raises `ValueError`."""
    if not lines:
        raise ValueError("it is empty")
    separator = max(SEPARATORS, key=lines[0].count)
    cells = [[cell.strip(' "') for cell in line.split(separator)] for line in lines if line]
    numeric = sum(map(is_number, cells[0]))
    if 2 * numeric >= len(cells[0]):
        return _without_names(cells, separator, shape)
    if len(cells) < 2:
        raise ValueError("it has a line of names and no values")
    return _with_names(cells, separator, shape)


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _with_names(cells: list[list[str]], separator: str, shape: Shape) -> Columns:
    names, first = cells[:2]
    numbered = _numbered(names)
    label = _label_of(names, numbered)
    numbers = [k for k, cell in enumerate(first[: len(names)]) if is_number(cell) and k != label]
    values = [k for k in numbers if k in numbered or not numbered]
    if not values:
        raise ValueError("none of its columns are numbers")
    left = [name for k, name in enumerate(names) if k not in values and k != label]
    notes = (f"{LEFT_OUT}: {several(left)}.",) if left else ()
    are_images = bool(numbered) or shape is not None
    return Columns(Table(separator, len(names), values, label, 2), are_images, notes)


def _numbered(names: list[str]) -> set[int]:
    """The columns that are called by one word with a number, if most are."""
    stems = [match[1] if (match := NUMBERED.fullmatch(name)) else None for name in names]
    stem, count = Counter(stems).most_common(1)[0]
    if stem is None or 2 * count <= len(names):
        return set()
    return {k for k in range(len(names)) if stems[k] == stem}


def _label_of(names: list[str], numbered: set[int]) -> int | None:
    """The column of the labels: by its name, or the only one that is left over."""
    others = [k for k in range(len(names)) if k not in numbered]
    named = [k for k in others if names[k].lower() in LABEL_NAMES]
    if named:
        return named[0]
    return others[0] if numbered and len(others) == 1 else None


def _without_names(cells: list[list[str]], separator: str, shape: Shape) -> Columns:
    count = len(cells[0])
    all_columns = range(count)
    words = [k for k in all_columns if not is_number(cells[0][k])]
    if len(words) == 1 or (not _is_image(count, shape) and _is_image(count - 1, shape)):
        label = words[0] if words else _changing_end(cells)
        values = [k for k in all_columns if k != label]
        place = {0: "first", count - 1: "last"}.get(label, f"{label + 1}th")
        note = f"It has no line of names; its {place} column is taken for the labels."
        are_images = _is_image(count - 1, shape)
        return Columns(Table(separator, count, values, label, 1), are_images, (note,))
    are_images = _is_image(count, shape)
    return Columns(Table(separator, count, all_columns, None, 1), are_images, ())


def _is_image(count: int, shape: Shape) -> bool:
    """Whether this many values make an image of that shape, or a square one."""
    if shape is not None:
        return count == prod(as_shape(shape))
    return count >= LEAST_SQUARE and isqrt(count) ** 2 == count


def _changing_end(cells: list[list[str]]) -> int:
    """The first column, or the last if it has more different values."""
    count = len(cells[0])
    rows = [row for row in cells if len(row) == count]
    first, last = ({row[k] for row in rows} for k in (0, -1))
    return count - 1 if len(last) > len(first) else 0
