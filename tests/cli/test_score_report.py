"""score --report: one page of the scores of new images."""

import base64
import re

import numpy as np
import pytest
from PIL import Image

import narrows as nw

DIGITS, LABELS = nw.load_data("digits", split="test")


@pytest.fixture
def folder(tmp_path):
    """Twelve zeros and ones in folders of their classes, a stack of pages, and a picture in colour."""
    for digit in (0, 1):
        for k, image in enumerate(DIGITS[digit == LABELS][:6]):
            path = tmp_path / "in" / f"c{digit}" / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    pages = [Image.fromarray(image) for image in DIGITS[:3]]
    pages[0].save(tmp_path / "in" / "c0" / "stack.tif", save_all=True, append_images=pages[1:])
    colours = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "in" / "c1" / "colour $_{.png")
    return tmp_path / "in"


def test_a_page_has_the_figures_and_the_tables_and_fetches_nothing(
    narrows, trained, folder, tmp_path
):
    asked = ["score", trained["pca"], folder, "-o", tmp_path / "s.csv", "--normal", "c0"]
    found = narrows(*asked, "--report", tmp_path / "s.html")
    assert found.code == 0
    page = (tmp_path / "s.html").read_text(encoding="utf-8")
    pictures = re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    assert len(pictures) == 3
    assert all(base64.b64decode(data).startswith(b"\x89PNG") for data in pictures)
    for words in ("Highest scores", "Nearest to the threshold", "AUROC", "median score"):
        assert words in page
    assert "each by a model that was fitted on others" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert sorted(path.name for path in tmp_path.glob("s*")) == ["s.csv", "s.html"]


def test_a_page_is_the_same_twice_and_replaces_nothing_unasked(
    narrows, refused, trained, folder, tmp_path
):
    asked = ["score", trained["pca"], folder, "-o", tmp_path / "s.csv", "--report"]
    page = tmp_path / "s.html"
    assert narrows(*asked, page, "--force").code == 0
    first = page.read_bytes()
    assert narrows(*asked, page, "--force").code == 0
    assert page.read_bytes() == first
    (tmp_path / "s.csv").unlink()
    assert "s.html exists already" in refused(1, *asked, page)
    assert "reports are written as .html" in refused(1, *asked, tmp_path / "t.png")
    assert not (tmp_path / "s.csv").exists()


def test_a_page_of_a_named_set_and_of_given_normal_images(narrows, trained, folder, tmp_path):
    asked = ["score", trained["denoiser"], "digits", "-o", tmp_path / "s.csv"]
    found = narrows(*asked, "--report", tmp_path / "s.html", "--calibrate", folder / "c0")
    assert found.code == 0, found.err
    page = (tmp_path / "s.html").read_text(encoding="utf-8")
    assert "from the scores of 9 normal images that were given" in page
    assert "Note: 9 images are too few" in page


def test_a_page_is_of_all_images_not_of_a_share(refused, trained, folder, tmp_path):
    asked = ["score", trained["pca"], folder, "-o", tmp_path / "s.csv", "--shard", "1/2"]
    for option in (["--report", tmp_path / "s.html"], ["--normal", "c0"]):
        message = refused(2, *asked, *option)
        assert f"--shard: got '1/2', expected no share: {option[0]} needs all images" in message


def test_train_shows_anomaly_scores(narrows, trained, record):
    figures = {figure["section"] for figure in record(trained["pca"])["figures"]}
    assert "Anomaly scores" in figures
