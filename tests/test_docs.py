"""The documents are true: their snippets run, their links resolve, their tables match the code."""

import inspect
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pages import DOCS, ROOT, table_rows

PAGES = {
    str(path.relative_to(ROOT)): path
    for path in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted(DOCS.glob("*.md")),
    ]
}
PAGES = {name: path for name, path in PAGES.items() if path.is_file()}
FENCE = re.compile(r"^(?:<!-- (no test) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NEEDS_MNIST = re.compile(r'load_data\("[a-z-]*mnist')
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
STUDIES = DOCS / "studies.md"
# a study, and its message
FAULTS = re.compile(r"```toml\n((?:(?!```).)*)```\n\n```text\n(.*?)```", re.DOTALL)
OPTION = re.compile(r"`([a-z_]+)(?: = ([^`]+))?`")
NEEDED = "required"
TRAINING = ("docs/choose.md", "docs/parts.md")  # pages whose snippets take seconds
pages = pytest.mark.parametrize("page", PAGES)
slow = pytest.mark.slow


def fences(path: Path, language: str) -> list[str]:
    """The snippets of a page in a language, each after as many empty lines as precede it on the page."""
    text = path.read_text(encoding="utf-8")
    blocks = [m for m in FENCE.finditer(text) if m[2] == language and not m[1]]
    return ["\n" * text.count("\n", 0, m.start(3)) + m[3] for m in blocks]


@pytest.mark.parametrize(
    "page", [pytest.param(name, marks=slow if name in TRAINING else ()) for name in PAGES]
)
# a few epochs may well come to nothing
@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")
def test_snippets_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    has_mnist = Path(os.environ.get("NARROWS_DATA") or "nowhere", "mnist").is_dir()
    names, left_out = {"__name__": page}, 0
    for snippet in fences(PAGES[page], "python"):
        if NEEDS_MNIST.search(snippet) and not has_mnist:
            left_out += 1
            continue
        exec(compile(snippet, PAGES[page], "exec"), names)
    if left_out:
        pytest.skip(
            f"{left_out} snippets of {page} need MNIST, which $NARROWS_DATA does not hold; the others ran"
        )


@pages
def test_studies_are_valid(page, tmp_path):
    from narrows.study.schema import read_study

    for snippet in fences(PAGES[page], "toml"):
        (tmp_path / "study.toml").write_text(snippet, encoding="utf-8")
        read_study(tmp_path / "study.toml")


@pages
@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")
def test_studies_of_digits_run_and_draw_what_they_ask_for(page, tmp_path):
    from narrows.study.run import run_study
    from narrows.study.schema import read_study

    for number, snippet in enumerate(fences(PAGES[page], "toml")):
        if tomllib.loads(snippet).get("data") != "digits":
            continue
        (tmp_path / "study.toml").write_text(snippet, encoding="utf-8")
        study = read_study(tmp_path / "study.toml")
        record = run_study(study, tmp_path / str(number), changes={"epochs": 1})
        labels = {row[""] for table in record.tables for row in table["rows"] if "" in row}
        assert {figure.title for figure in study.figures} <= {
            figure.section for figure in record.figures
        }
        assert {number.label for number in study.numbers} <= labels


@pytest.mark.parametrize("path", sorted((DOCS).glob("*.toml")), ids=lambda path: path.name)
def test_study_files_next_to_the_pages_are_valid(path):
    from narrows.study.schema import read_study

    read_study(path)


@pages
def test_links_resolve(page):
    path = PAGES[page]
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), f"{page} links to {link}, which is not there"
        if anchor:
            anchors = {
                slug(heading) for heading in HEADING.findall(target.read_text(encoding="utf-8"))
            }
            assert anchor in anchors, f"{page} links to {link}; its headings are {sorted(anchors)}"


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# -- the page on studies has all of the study file -------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "form"),
    [("The study", "Study"), ("Runs", "Run"), ("Numbers", "Number"), ("Figures", "Drawing")],
)
def test_every_key_of_a_study_file_is_in_a_table_with_its_default(heading, form):
    from narrows.study import schema

    fields = {field.name: field for field in msgspec.structs.fields(getattr(schema, form))}
    table = rows(f"### {heading}")
    assert set(table) == set(fields)
    for key, cells in table.items():
        assert (cells[-1] == NEEDED) == fields[key].required, f"{key}: {cells[-1]}"
        if fields[key].default not in (None, "", msgspec.NODEFAULT):
            assert cells[-1] == f"`{toml(fields[key].default)}`", key


def test_every_source_of_a_number_is_in_its_table():
    from narrows.study.schema import SOURCES

    assert set(rows("## Where a number comes from")) == set(SOURCES)


def test_every_choice_of_images_is_in_a_table_with_its_default():
    from narrows.study.trained import CHOICE, FED

    table, known = rows("## Which images, and what a model is fed"), {**CHOICE, **FED}
    assert set(table) == set(known)
    for key, default in known.items():
        if default is not None:
            assert table[key][-1] == f"`{toml(default)}`", key


def test_every_kind_of_figure_is_in_a_table_with_its_options_and_their_defaults():
    from narrows.study.figures import STUDY_FIGURES

    table = rows("## Kinds of figures")
    assert set(table) == set(STUDY_FIGURES)
    for kind, cells in table.items():
        listed, (own, passed_on) = dict(OPTION.findall(cells[-1])), options(STUDY_FIGURES[kind])
        assert set(listed) == {**own, **passed_on}.keys(), kind
        for name, default in own.items():
            needed = default is inspect.Parameter.empty
            assert (f"`{name}` ({NEEDED}" in cells[-1]) == needed, f"{kind}: {name}"
            assert listed[name] == ("" if needed else toml(default)), f"{kind}: {name}"
        # a kind may set what it passes on: then the page says so in words
        for name, default in passed_on.items():
            assert listed[name] in ("", toml(default)), f"{kind}: {name}"


def test_faults_on_the_page_are_those_that_are_raised(tmp_path, monkeypatch):
    from narrows.errors import DataError
    from narrows.study.schema import read_study

    monkeypatch.chdir(tmp_path)
    examples = FAULTS.findall(STUDIES.read_text(encoding="utf-8"))
    assert examples
    for study, message in examples:
        Path("wrong.toml").write_text(study, encoding="utf-8")
        with pytest.raises(DataError) as caught:
            read_study(Path("wrong.toml"))
        assert message == f"narrows: {caught.value}\n"


def test_advice_on_a_nan_is_in_the_table_of_the_page():
    from narrows.model.training.diagnosis import CURES

    page = (DOCS / "diagnose.md").read_text(encoding="utf-8")
    for _, advice in CURES:
        sentence = advice.format(rate="0.1", clip="training={'clip': 1.0}", term="l1").partition(
            ", usually"
        )[0]
        assert f"| `{sentence}` |" in page


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of all tables below a heading of the page on studies, by their first cell."""
    return table_rows(heading, STUDIES)


def options(make: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a kind of figure with their defaults: its own, and those that go to the
    drawing of curves.
    """
    from narrows.choose import default_options
    from narrows.draw import FIGURES
    from narrows.study.schema import GIVEN, PASSED_ON

    own = default_options(make, GIVEN)
    passes = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(make).parameters.values())
    drawing: Mapping[str, Any] = default_options(FIGURES[PASSED_ON], GIVEN) if passes else {}
    return own, {name: default for name, default in drawing.items() if name not in own}


def toml(value: Any) -> str:
    """A value as the page writes it; nothing for None."""
    return "" if value is None else json.dumps(value)
