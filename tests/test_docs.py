"""The pages tell the truth: their snippets run, their links lead somewhere."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {str(path.relative_to(ROOT)): path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
PAGES = {name: path for name, path in PAGES.items() if path.is_file()}
FENCE = re.compile(r"^(?:<!-- (no test) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NEEDS_MNIST = re.compile(r'load_data\("[a-z-]*mnist')
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
pages = pytest.mark.parametrize("page", PAGES)


def fences(path: Path, language: str) -> list[str]:
    """The snippets of a page in a language, each with as many empty lines before it as tell its place."""
    text = path.read_text(encoding="utf-8")
    found = [m for m in FENCE.finditer(text) if m[2] == language and not m[1]]
    return ["\n" * text.count("\n", 0, m.start(3)) + m[3] for m in found]


@pages
@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")  # a few epochs may well come to nothing
def test_its_snippets_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Path(os.environ.get("NARROWS_DATA") or "nowhere", "mnist").is_dir()
    names, left_out = {"__name__": page}, 0
    for snippet in fences(PAGES[page], "python"):
        if NEEDS_MNIST.search(snippet) and not there:
            left_out += 1
            continue
        exec(compile(snippet, PAGES[page], "exec"), names)
    if left_out:
        pytest.skip(f"{left_out} snippets of {page} need MNIST, which $NARROWS_DATA does not hold; the others ran")


@pages
def test_its_studies_are_studies(page, tmp_path):
    from narrows.study.form import read_study

    for snippet in fences(PAGES[page], "toml"):
        (tmp_path / "study.toml").write_text(snippet, encoding="utf-8")
        read_study(tmp_path / "study.toml")


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.toml")), ids=lambda path: path.name)
def test_a_study_beside_the_pages_is_a_study(path):
    from narrows.study.form import read_study

    read_study(path)


@pages
def test_its_links_resolve(page):
    path = PAGES[page]
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), f"{page} links to {link}, which is not there"
        if anchor:
            anchors = {slug(heading) for heading in HEADING.findall(target.read_text(encoding="utf-8"))}
            assert anchor in anchors, f"{page} links to {link}; its headings are {sorted(anchors)}"


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
