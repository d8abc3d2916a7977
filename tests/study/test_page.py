"""The page: whole, self-contained, and safe to open."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import numpy as np
import pytest

from narrows.draw import live, scripts
from narrows.errors import BuildError
from narrows.measure.names import measure_title
from narrows.study.page import draw_page, redraw_page, write_page
from narrows.study.record import Figure, Record
from small_pages import BAD, live_record

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """What a page holds: tags by name with their attributes, text, scripts, and which tags are open
    still.
    """

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.text, self.open, self.scripts = [], "", [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts[-1] += data
        else:
            self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def data(self) -> list:
        """What its scripts of data hold."""
        return [
            json.loads(text) for text, script in zip(self.scripts, self.all("script")) if script
        ]

    @property
    def policy(self) -> dict[str, list[str]]:
        (meta,) = [
            meta for meta in self.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"
        ]
        return {
            name: allowed for name, *allowed in (one.split() for one in meta["content"].split(";"))
        }


def page_of(record: Record, folder) -> Page:
    return Page(draw_page(record, folder).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(several) -> Page:
    return Page((several.folder / "report.html").read_text(encoding="utf-8"))


def test_every_tag_is_closed_in_order(page):
    assert page.open == []
    assert len(page.tags) > 100


def test_nothing_is_fetched_from_anywhere(page):
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "base"}
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "poster", "data", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#"))
    assert "max-width" in page.text  # the style is read as text
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_every_link_leads_to_a_section_and_every_name_is_given_once(page):
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    links = [link["href"][1:] for link in page.all("a")]
    assert links[:4] == [section["id"] for section in page.all("section")]
    assert links[4:] == [heading["id"] for heading in page.all("h2") if "id" in heading]


def test_every_figure_is_there_in_words_too(page, several):
    assert [figure["id"] for figure in page.all("figure")] == [
        figure.name for figure in several.record.figures
    ]
    for image in page.all("img"):
        assert image["src"].startswith("data:image/png;base64,iVBOR")
        assert image["alt"]


def test_every_word_of_the_study_is_on_the_page(page, several):
    study = several.study
    words = [study.title, study.question, *study.text, *(number.label for number in study.numbers)]
    words += [figure.title for figure in study.figures] + ["they fall", "denoiser", "plane", "pca"]
    for word in words:
        assert word in page.text
    assert '"kind": "variational"' in page.text


def test_what_the_user_wrote_is_text_and_nothing_else(page, several):
    assert "<script>" in several.study.title
    assert "alert" not in "".join(page.scripts)
    assert "<best>" in page.text


def test_names_of_runs_measures_and_facts_are_text_too(tmp_path):
    bad = "<img src=x onerror=alert(1)>\"'"
    table = {"title": bad, "caption": bad, "rows": [{bad: bad, "x": bad}]}
    model = {"name": bad, "recipe": bad, "options": {bad: bad}, bad: bad}
    figure = Figure("f", "curves", "", {"xlabel": "x"}, {"a": [1.0, 2.0]}, section=bad, caption=bad)
    record = Record(bad, bad, [bad], {bad: bad, "command": bad}, [table], [model], [figure])
    page = Page(draw_page(record, tmp_path).read_text(encoding="utf-8"))
    assert len(page.all("img")) == 1
    assert page.all("img")[0]["alt"] == bad
    assert page.text.count(bad) >= 14


def test_few_figures_need_no_links_of_their_own(tmp_path):
    page = page_of(live_record(), tmp_path)
    assert [link["href"] for link in page.all("a")] == ["#numbers", "#figures", "#again"]


def test_a_page_without_models_has_no_part_for_them(tmp_path):
    page = page_of(live_record(), tmp_path)
    assert [part["id"] for part in page.all("section")] == ["numbers", "figures", "again"]


def test_a_page_alone_names_no_files(tmp_path):
    page = Page(write_page(live_record(), tmp_path / "alone.html").read_text(encoding="utf-8"))
    assert [path.name for path in tmp_path.iterdir()] == ["alone.html"]
    assert ".npz" not in page.text
    assert len(page.all("img")) == 3


def test_figures_say_what_made_them(tmp_path):
    text = page_of(live_record(), tmp_path).text
    assert text.count("Made by narrows study named, drawn from ") == 3
    for name in ("plane", "space", "loss"):
        assert f"figures/{name}.npz" in text
    assert (
        "Drawn from figures/plane.npz"
        in page_of(Record("", figures=live_record().figures[:1]), tmp_path).text
    )


def test_columns_of_numbers_are_to_the_right(tmp_path):
    rows = [
        {"name": 3, "n": 1, "words": "1", "gaps": None},
        {"name": "b", "n": np.float32(2), "gaps": 0.5},
    ]
    page = page_of(Record("", tables=[{"title": "", "caption": "", "rows": rows}]), tmp_path)
    sides = ["class" in cell for cell in page.all("th") + page.all("td")]
    assert sides == [False, True, False, True] * 3


def test_sections_of_one_title_apart_keep_their_figures(tmp_path):
    figures = [
        Figure(name, "curves", "", {}, {"a": np.ones(3)}, section=name[0])
        for name in ("a1", "b1", "a2")
    ]
    page = page_of(Record("", figures=figures), tmp_path)
    assert [figure["id"] for figure in page.all("figure")] == ["a1", "b1", "a2"]


# live figures


@pytest.fixture
def lively(tmp_path) -> Page:
    return page_of(live_record(), tmp_path)


def test_a_live_figure_carries_its_description_and_its_still_form(lively):
    plane, space, _ = live_record().figures
    assert lively.data == [
        live(f.kind, f.arrays, title=f.title, **f.options) for f in (plane, space)
    ]
    assert len(lively.all("img")) == 3
    assert sum(box.get("class") == "live" for box in lively.all("div")) == 2


def test_scripts_are_once_and_only_on_pages_with_live_figures(lively, tmp_path):
    own = [text for text, script in zip(lively.scripts, lively.all("script")) if not script]
    assert own == [*scripts()]
    still = page_of(Record("", figures=live_record().figures[2:]), tmp_path)
    assert still.scripts == []


def test_the_policy_allows_nothing_but_the_two_scripts(lively, tmp_path):
    hashes = [
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts()
    ]
    assert lively.policy["script-src"] == hashes
    assert (
        lively.policy["default-src"]
        == lively.policy["base-uri"]
        == lively.policy["form-action"]
        == ["'none'"]
    )
    assert lively.policy["img-src"] == ["data:", "blob:"]
    still = page_of(Record("", figures=live_record().figures[2:]), tmp_path)
    assert "script-src" not in still.policy
    assert {
        name: what for name, what in lively.policy.items() if name != "script-src"
    } == still.policy


def test_names_in_live_figures_are_text_too(tmp_path):
    record = live_record(BAD)
    file = draw_page(record, tmp_path)
    page = Page(file.read_text(encoding="utf-8"))
    plane, space = record.figures[:2]
    assert page.open == []
    assert page.data == [live(f.kind, f.arrays, title=f.title, **f.options) for f in (plane, space)]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count(BAD) >= 4
    for data in re.findall(
        '<script type="application/json">(.*?)</script>', file.read_text(encoding="utf-8"), re.S
    ):
        assert "<" not in data


def test_a_live_page_drawn_again_is_the_same_to_the_byte(tmp_path):
    record = live_record()
    record.save(tmp_path)
    before = draw_page(record, tmp_path).read_bytes()
    assert redraw_page(tmp_path).read_bytes() == before


def test_a_page_drawn_again_is_the_same_to_the_byte(several, tmp_path, files):
    before = {name: (several.folder / name).read_bytes() for name in files(several.folder)}
    assert redraw_page(several.folder) == several.folder / "report.html"
    assert {name: (several.folder / name).read_bytes() for name in files(several.folder)} == before


def test_cells_are_under_the_names_of_their_columns(page, several):
    rows = len(page.all("tr"))
    assert rows == sum(1 + len(table["rows"]) for table in several.record.tables)
    cells = sum(
        len({name for row in t["rows"] for name in row}) * len(t["rows"])
        for t in several.record.tables
    )
    assert len(page.all("td")) == cells


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mse", "MSE, per pixel"),
        ("psnr", "PSNR, dB"),
        ("ssim", "SSIM"),
        ("denoised_psnr", "PSNR after denoising, dB"),
        ("noisy_ssim", "SSIM of the noisy input"),
        ("sampled_mse", "MSE with a sampled code, per pixel"),
        ("active_units", "active units, of an image, on average"),
        ("side_bits", "side channel, bits an image"),
        ("parameters", "parameters"),
        ("loss of my own", "loss of my own"),
        ("noisy_thing", "noisy_thing"),
        ("noisy", "noisy"),
        (3, "3"),
    ],
)
def test_measures_have_names_in_words(name, words):
    assert measure_title(name) == words


def test_all_measures_that_an_evaluation_gives_have_names_in_words(several):
    table = next(table for table in several.record.tables if table["title"] == "Measures")
    for row in table["rows"]:
        assert "_" not in measure_title(row["measure"])


def test_a_figure_that_cannot_be_drawn_costs_no_other(tmp_path):
    bad = Figure("bad", "curves", "", {"reference": 3}, {"a": np.ones(2)}, section="Bad")
    good = Figure("good", "curves", "", {"xlabel": "epoch"}, {"a": np.ones(2)}, section="Good")
    with pytest.raises(BuildError, match="reference: got 3, expected a table of names"):
        draw_page(Record("t", figures=[bad, good]), tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [figure["id"] for figure in page.all("figure")] == ["good"]
