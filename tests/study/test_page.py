"""The page: whole, self-contained, and safe to open."""

from html.parser import HTMLParser

import pytest

from narrows.study.page import draw, measure_name, redraw
from narrows.study.record import Figure, Record

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """What a page holds: tags by name with their attributes, text, and whether every tag is closed in order."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(several) -> Page:
    return Page((several.folder / "report.html").read_text(encoding="utf-8"))


def test_every_tag_is_closed_in_order(page):
    assert page.open == []
    assert len(page.tags) > 100


def test_nothing_is_fetched_from_anywhere(page):
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed"}
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
    assert links == [section["id"] for section in page.all("section")]


def test_every_figure_is_there_in_words_too(page, several):
    assert [figure["id"] for figure in page.all("figure")] == [figure.name for figure in several.record.figures]
    for image in page.all("img"):
        assert image["src"].startswith("data:image/png;base64,iVBOR")
        assert image["alt"]


def test_every_word_of_the_study_stands_on_the_page(page, several):
    study = several.study
    words = [study.title, study.question, *study.text, *(number.label for number in study.numbers)]
    words += [figure.title for figure in study.figures] + ["they fall", "denoiser", "plane", "pca"]
    for word in words:
        assert word in page.text
    assert '"kind": "variational"' in page.text


def test_what_the_user_wrote_is_text_and_nothing_else(page, several):
    assert "<script>" in several.study.title
    assert page.all("script") == []
    assert "<best>" in page.text


def test_names_of_runs_measures_and_facts_are_text_too(tmp_path):
    bad = "<img src=x onerror=alert(1)>\"'"
    table = {"title": bad, "caption": bad, "rows": [{bad: bad, "x": bad}]}
    model = {"name": bad, "recipe": bad, "options": {bad: bad}, bad: bad}
    figure = Figure("f", "curves", "", {"xlabel": "x"}, {"a": [1.0, 2.0]}, section=bad, caption=bad)
    record = Record(bad, bad, [bad], {bad: bad, "command": bad}, [table], [model], [figure])
    page = Page(draw(record, tmp_path).read_text(encoding="utf-8"))
    assert len(page.all("img")) == 1
    assert page.all("img")[0]["alt"] == bad
    assert page.text.count(bad) >= 14


def test_a_page_drawn_again_is_the_same_to_the_byte(several, tmp_path, files):
    before = {name: (several.folder / name).read_bytes() for name in files(several.folder)}
    assert redraw(several.folder) == several.folder / "report.html"
    assert {name: (several.folder / name).read_bytes() for name in files(several.folder)} == before


def test_cells_stand_under_the_names_of_their_columns(page, several):
    rows = len(page.all("tr"))
    assert rows == sum(1 + len(table["rows"]) for table in several.record.tables)
    cells = sum(len({name for row in t["rows"] for name in row}) * len(t["rows"]) for t in several.record.tables)
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
        ("side_bits", "side bits, bits an image"),
        ("parameters", "parameters"),
        ("loss of my own", "loss of my own"),
        ("noisy_thing", "noisy_thing"),
        ("noisy", "noisy"),
        (3, "3"),
    ],
)
def test_measures_have_names_in_words(name, words):
    assert measure_name(name) == words


def test_all_measures_that_an_evaluation_gives_have_names_in_words(several):
    table = next(table for table in several.record.tables if table["title"] == "Measures")
    for row in table["rows"]:
        assert "_" not in measure_name(row["measure"])
