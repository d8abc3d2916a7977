"""The page: a record as one self-contained HTML file that opens from disk, with no network.

Figures are drawn from their arrays and embedded; nothing here needs a model, so a page can be drawn
again at any time (`narrows report FOLDER`), also without torch. A figure that has a live form
(`draw.live`) is in the page twice: live for the screen, still for paper and for browsers without
scripts or WebGL.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from itertools import groupby
from numbers import Real
from pathlib import Path
from typing import Any

from narrows import draw as drawing
from narrows.draw.page_parts import as_data, page_policy, page_template
from narrows.errors import DataError, Faults
from narrows.files import write_file
from narrows.measure.names import measure_title
from narrows.measure.table import Table, show
from narrows.study.record import Figure, Record, read_record

PAGE_NAME = "report.html"


def draw_page(record: Record, folder: Path) -> Path:
    """Draw the figures and write the page. Returns its path.

    Raises `DataError` for figures that cannot be drawn, after the page with all others is written.
    """
    return write_page(record, folder / PAGE_NAME, folder)


def write_page(record: Record, path: Path, folder: Path | None = None) -> Path:
    """Write the page alone; with a folder, the pictures of its figures there too. As `draw_page`."""
    faults = Faults("the page is drawn, but")
    sections = _sections(record.figures, folder, faults)
    is_live = any(picture["live"] for section in sections for picture in section["pictures"])
    scripts = drawing.scripts() if is_live else ()
    page = study_template("page.html").render(
        record=record,
        sections=sections,
        is_stored=folder is not None,
        scripts=scripts,
        policy=page_policy(scripts),
        **FORMATTERS,
    )
    write_file(path, page)
    faults.stop(DataError)
    return path


def _sections(
    figures: Sequence[Figure], folder: Path | None, faults: Faults
) -> list[dict[str, Any]]:
    """The figures section by section, drawn; those that cannot be drawn go to `faults`."""
    sections = []
    for _, group in groupby(figures, lambda figure: figure.section):
        sections.append(_section(len(sections) + 1, list(group), folder, faults))
    return sections


def redraw_page(folder: Path) -> Path:
    """Draw the page of a folder again, from what is stored in it."""
    return draw_page(read_record(folder), folder)


def study_template(name: str) -> Any:
    """A template of this package."""
    return page_template("narrows.study", name)


def row_name(table: Mapping[str, Any], cell: Any) -> str:
    """The first cell of a row in words: as the record has it, else (in older ones) by the name of a
    measure.
    """
    return table.get("names", {}).get(cell) or measure_title(cell)


def _section(
    place: int, figures: Sequence[Figure], folder: Path | None, faults: Faults
) -> dict[str, Any]:
    pictures = []
    for figure in figures:
        with faults.catch():
            pictures.append(_picture(figure, folder))
    first = figures[0]
    return {
        "id": f"figures-{place}",
        "title": first.section,
        "caption": first.caption,
        "pictures": pictures,
    }


def _picture(figure: Figure, folder: Path | None) -> dict[str, Any]:
    options = {"title": figure.title, **figure.options}
    png = drawing.as_png(drawing.figure(figure.kind, figure.arrays, **options))
    if folder:
        write_file(folder / "figures" / f"{figure.name}.png", png)
    return {
        "name": figure.name,
        "title": figure.title,
        "alt": figure.title or figure.section,
        "data": b64encode(png).decode(),
        "live": drawing.live(figure.kind, figure.arrays, **options),
    }


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """The columns of a table, and whether each holds numbers, which are aligned to the right."""
    return {name: _is_numeric([row.get(name) for row in rows]) for name in Table(rows).columns}


def _is_numeric(cells: Sequence[Any]) -> bool:
    filled = [cell for cell in cells if cell is not None]
    return all(isinstance(cell, Real) and not isinstance(cell, bool) for cell in filled)


def _indented(value: Any) -> str:
    return json.dumps(value, indent=2)


FORMATTERS = {  # what the template calls to turn values into text
    "show": show,
    "row_name": row_name,
    "columns": _columns,
    "as_json": _indented,
    "as_data": as_data,
}
