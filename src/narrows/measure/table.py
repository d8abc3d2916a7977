"""A table of results: rows of names and numbers, as text, as HTML and as JSON.

>>> print(Table([{"model": "pca", "mse": 0.0176923}, {"model": "ae", "mse": 0.0091, "seconds": 12}]))
model      mse  seconds
pca    0.01769
ae      0.0091       12
"""

import json
import math
from html import escape
from typing import Any

import numpy as np


class Table(list):
    """A list of rows, each a dict {column: value}, that prints itself.

    Columns are in the order in which they first appear; a row may lack some. Floats are printed with 4
    significant digits (the values themselves are kept in full); numbers are aligned to the right,
    text to the left.
    """

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the order in which they first appear in the rows."""
        return list(dict.fromkeys(name for row in self for name in row))

    def __str__(self) -> str:
        lines = zip(*map(self._padded_column, self.columns))
        return "\n".join("  ".join(line).rstrip() for line in lines)

    def _padded_column(self, name: str) -> list[str]:
        """The cells of a column as text of one width, its name first."""
        cells = [str(name), *(show(row.get(name)) for row in self)]
        return _pad(cells, right=self._numeric(name))

    def _repr_html_(self) -> str:
        columns = self.columns
        head = "".join(self._cell("th", name, name) for name in columns)
        body = ""
        for row in self:
            cells = "".join(self._cell("td", name, row.get(name)) for name in columns)
            body += f"<tr>{cells}</tr>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_json(self) -> str:
        """The rows as a JSON list of objects, numbers in full; infinities and NaN as null."""
        return json.dumps([_plain(row) for row in self], indent=2, allow_nan=False)

    def _numeric(self, name: str) -> bool:
        values = [row[name] for row in self if row.get(name) is not None]
        return bool(values) and all(_is_number(v) for v in values)

    def _cell(self, tag: str, name: str, value: Any) -> str:
        side = "right" if self._numeric(name) else "left"
        return f'<{tag} style="text-align: {side}">{escape(show(value))}</{tag}>'


def show(value: Any) -> str:
    """One value as text: floats to 4 significant digits, nothing for None, lists with commas."""
    if value is None:
        return ""
    if isinstance(value, (float, np.floating)):
        return _show_float(value)
    if isinstance(value, (int, np.integer)) and abs(value) >= 10_000:
        return f"{value:,}"
    if isinstance(value, (list, tuple, np.ndarray)):
        return ", ".join(show(v) for v in value)
    return str(value)


def _show_float(value: Any) -> str:
    if abs(value) < 9999.5 or not math.isfinite(value):  # from there 4 digits are rounded to 1e+04
        return f"{value:.4g}"
    return f"{value:.0f}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _pad(cells: list[str], right: bool) -> list[str]:
    width = max(map(len, cells))
    return [cell.rjust(width) if right else cell.ljust(width) for cell in cells]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (int, float, str, type(None))) else str(value)
