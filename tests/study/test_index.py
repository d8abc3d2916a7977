"""The index: one page over several studies, made of their records, linked to their pages."""

import re
from html import unescape
from shutil import copytree
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from narrows.errors import DataError
from narrows.measure.table import show
from narrows.study import page
from narrows.study.index import INDEX_NAME, draw_index, redraw_index
from narrows.study.record import Figure, Record
from small_pages import BAD

ROWS = [
    {"": "loss", "published": 1.25, "faithful": 1.5, "difference": 0.25},
    {"": "late", "published": 3.0, "faithful": None, "difference": None},
]


MODEL = {"name": "m", "recipe": "pca", "options": {}}


def record(title: str, *kinds: str, rows: list | None = None) -> Record:
    tables = [{"title": "Published and faithful", "caption": "", "rows": rows}] if rows else []
    arrays = {
        "grid": {"row": np.zeros((2, 4, 4))},
        "curves": {"loss": np.ones(3)},
        "scatter": {"x": np.arange(6.0).reshape(3, 2)},
    }
    figures = [Figure(f"{kind}-1", kind, "", {}, arrays[kind], section=kind) for kind in kinds]
    return Record(
        title, f"{title}?", facts={"seconds": 30.0}, tables=tables, models=[MODEL], figures=figures
    )


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A folder of three studies, and of other things."""
    folder = tmp_path_factory.mktemp("studies")
    found = {
        "a": record("Lab A", "curves", "scatter", "grid", rows=ROWS),
        "b": record("Lab B", "curves"),
        "my 50% #1": record(f"Mine {BAD}"),
    }
    for name, one in found.items():
        one.save(folder / name)
        page.draw_page(one, folder / name)
    (folder / "notes").mkdir()
    (folder / "notes" / "todo.txt").write_text("none")
    return folder


@pytest.fixture
def folder(drawn, tmp_path):
    """A copy of it, to be changed."""
    return copytree(drawn, tmp_path / "studies")


def attributes(text: str, tag: str, name: str) -> list[str]:
    return [unescape(found) for found in re.findall(rf'<{tag}\b[^>]*\b{name}="([^"]*)"', text)]


def test_every_study_is_there_with_a_link_to_its_page(folder):
    text = draw_index(folder).read_text(encoding="utf-8")
    # as a browser reads them
    links = [unquote(urlsplit(link).path) for link in attributes(text, "a", "href")]
    assert list(dict.fromkeys(links)) == ["a/report.html", "b/report.html", "my 50% #1/report.html"]
    assert all((folder / link).is_file() for link in links)
    for words in ("3 studies", "Lab A", "Lab B?", "1.5 minutes in all"):
        assert words in text


def test_its_picture_is_the_best_to_look_at_and_is_where_it_says(folder):
    text = draw_index(folder).read_text(encoding="utf-8")
    assert attributes(text, "img", "src") == ["a/figures/grid-1.png"]
    assert (folder / "a" / "figures" / "grid-1.png").is_file()


def test_every_published_number_is_there(folder):
    text = draw_index(folder).read_text(encoding="utf-8")
    cells = [unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", text)]
    assert cells == [show(value) for row in ROWS for value in row.values()]
    assert len(re.findall("<table", text)) == 1


def test_titles_are_text_and_nothing_is_fetched_from_anywhere(folder):
    text = draw_index(folder).read_text(encoding="utf-8")
    assert BAD not in text
    assert BAD in unescape(text)
    assert "<script" not in text
    (policy,) = [
        content for content in attributes(text, "meta", "content") if "default-src" in content
    ]
    assert policy.startswith("default-src 'none'")
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)


def test_the_index_is_the_same_to_the_byte_each_time(folder):
    assert draw_index(folder).read_bytes() == draw_index(folder).read_bytes()


def test_a_page_that_is_missing_is_drawn(folder):
    (folder / "b" / "report.html").unlink()
    draw_index(folder)
    assert (folder / "b" / "report.html").is_file()


def test_drawing_again_draws_all_pages_and_the_index(folder):
    draw_index(folder)
    before = {
        path: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".html", ".png")
    }
    assert len(before) == 3 + 4 + 1
    for path in before:
        path.unlink()
    assert redraw_index(folder) == folder / INDEX_NAME
    assert {
        path: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".html", ".png")
    } == before


def test_drawing_one_study_again_draws_its_page_alone(folder):
    for path in folder.glob("*/report.html"):
        path.unlink()
    assert redraw_index(folder / "a") == folder / "a" / "report.html"
    assert [path.parent.name for path in folder.rglob("*.html")] == ["a"]


def test_a_folder_without_studies_is_refused(folder):
    for place in (folder / "notes", folder / "nowhere"):
        with pytest.raises(DataError, match=r"no record of a run in .*run.json is missing"):
            draw_index(place)
        with pytest.raises(DataError, match=r"holds no run.json|nowhere is not a folder"):
            redraw_index(place)


def test_a_broken_record_is_reported_by_its_name(folder):
    (folder / "b" / "run.json").write_text("{")
    with pytest.raises(DataError, match=r"b/run.json is no complete record"):
        draw_index(folder)
