"""The index: one page over several studies in folders next to one another, such as all labs.

It is made of their records alone and links to their pages; its pictures are theirs, by relative
paths.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from narrows.draw.page_parts import page_policy
from narrows.errors import DataError
from narrows.files import write_file
from narrows.measure.table import Table, show
from narrows.study import page
from narrows.study.record import RECORD_NAME, Record, read_record

INDEX_NAME = "index.html"
# kinds of figures that make a good first look, best first
FIRST_LOOKS = ("grid", "tiles", "scatter")
IMAGE_SOURCES = {"img-src": ["'self'", "file:", "data:"]}  # figures of the studies are files


def draw_index(folder: Path) -> Path:
    """Write the index over the studies in the folders of `folder`. Returns its path; raises
    `DataError` for none.
    """
    records = {place.name: read_record(place) for place in study_folders(folder)}
    if not records:
        raise DataError(
            f"there is no record of a run in {folder}, nor in a folder in it: {RECORD_NAME} is missing"
        )
    entries = [_entry(folder, name, record) for name, record in records.items()]
    seconds = sum(record.facts.get("seconds", 0) for record in records.values())
    policy = page_policy(changes=IMAGE_SOURCES)
    template = page.study_template("index.html")
    text = template.render(entries=entries, seconds=seconds, show=show, policy=policy)
    return write_file(folder / INDEX_NAME, text)


def redraw_index(folder: Path) -> Path:
    """Draw the page of a folder again, or of all studies in it and their index, from what is stored."""
    places = study_folders(folder)
    if (folder / RECORD_NAME).is_file() or not places:
        return page.redraw_page(folder)
    for place in places:
        page.redraw_page(place)
    return draw_index(folder)


def study_folders(folder: Path) -> list[Path]:
    """The folders in this one that hold a record, in the order of their names."""
    return [record.parent for record in sorted(folder.glob(f"*/{RECORD_NAME}"))]


def _entry(folder: Path, name: str, record: Record) -> dict[str, Any]:
    """What the index says of a study."""
    rows = _rows_of(record.tables, "Published and faithful")
    file = folder / name / page.PAGE_NAME
    if not file.is_file():
        page.draw_page(record, folder / name)
    return {
        "name": name,
        "page": quote(f"{name}/{page.PAGE_NAME}"),
        "record": record,
        "picture": _first_picture(name, record),
        "columns": Table(rows).columns,
        "numbers": rows,
        "size": f"{file.stat().st_size / 1e6:.1f} MB",
    }


def _rows_of(tables: list[dict[str, Any]], title: str) -> list[Mapping[str, Any]]:
    """The rows of the table with this title; none if there is no such table."""
    for table in tables:
        if table["title"] == title:
            return table["rows"]
    return []


def _first_picture(name: str, record: Record) -> str:
    """The address of the figure that makes the best first look; "" where there is none."""
    fitting = [figure for figure in record.figures if figure.kind in FIRST_LOOKS]
    if not fitting:
        return ""
    best = min(fitting, key=lambda figure: FIRST_LOOKS.index(figure.kind))
    return quote(f"{name}/figures/{best.name}.png")
