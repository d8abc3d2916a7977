"""The tables of the documents, for tests that compare them with the code."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def table_rows(heading: str, page: Path) -> dict[str, list[str]]:
    """The rows of all tables below a heading of a page, by the name in their first cell."""
    below = page.read_text(encoding="utf-8").split(f"\n{heading}\n")[1]
    section = re.split(rf"^#{{1,{heading.index(' ')}}} ", below, flags=re.MULTILINE)[0]
    cells = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    by_name = {row[0].strip("`"): row[1:] for row in cells}
    assert len(by_name) == len(cells), f"{heading}: a name is there twice"
    return by_name
