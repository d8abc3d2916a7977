"""The index: one page over several studies in folders side by side, such as all labs.

It is made of their records alone and links to their pages; its pictures are theirs, by relative paths.
"""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from narrows.errors import DataError
from narrows.files import write_file
from narrows.measure import Table
from narrows.measure.table import show
from narrows.study import page
from narrows.study.record import RECORD_NAME, Record, read_record

INDEX = "index.html"
LOOKS = ("grid", "tiles", "scatter")  # kinds of figures that make a good first look, best first
POLICY = "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'"


def draw_index(folder: Path) -> Path:
    """Write the index over the studies in the folders of `folder`. Returns its path; raises `DataError` for none."""
    found = {place.parent.name: read_record(place.parent) for place in sorted(folder.glob(f"*/{RECORD_NAME}"))}
    if not found:
        raise DataError(f"there is no record of a run in {folder}, nor in a folder in it: {RECORD_NAME} is missing")
    entries = [_entry(folder, name, record) for name, record in found.items()]
    seconds = sum(record.facts.get("seconds", 0) for record in found.values())
    said = page.template("index.html").render(entries=entries, seconds=seconds, show=show, policy=POLICY)
    return write_file(folder / INDEX, said)


def redraw_index(folder: Path) -> Path:
    """Draw the page of a folder again, or of all studies in it and their index, from what is stored."""
    if (folder / RECORD_NAME).is_file() or not any(folder.glob(f"*/{RECORD_NAME}")):
        return page.redraw_page(folder)
    for place in sorted(folder.glob(f"*/{RECORD_NAME}")):
        page.redraw_page(place.parent)
    return draw_index(folder)


def _entry(folder: Path, name: str, record: Record) -> dict[str, Any]:
    """What the index says of a study."""
    ranked = sorted((f for f in record.figures if f.kind in LOOKS), key=lambda figure: LOOKS.index(figure.kind))
    numbers = next((t["rows"] for t in record.tables if t["title"] == "Published and faithful"), [])
    whole = folder / name / page.PAGE_NAME
    size = (whole if whole.is_file() else page.draw_page(record, folder / name)).stat().st_size
    return {
        "name": name,
        "page": quote(f"{name}/{page.PAGE_NAME}"),
        "record": record,
        "picture": quote(f"{name}/figures/{ranked[0].name}.png") if ranked else "",
        "columns": Table(numbers).columns,
        "numbers": numbers,
        "size": f"{size / 1e6:.1f} MB",
    }
