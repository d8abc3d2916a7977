"""The page in a real browser: it is drawn, and nothing is wider than the window."""

import re
import shutil
import subprocess
from html import escape

import numpy as np
import pytest
from PIL import Image

from narrows.study.page import draw
from narrows.study.record import Record

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]  # fmt: skip
# the page in a frame, since a window is never narrower than 500 pixels; what scrolls by itself may be wider
FRAME = """<!doctype html><html><body style="margin: 0"><iframe srcdoc="{page}" width="{width}" height="2000"
style="border: 0; display: block"></iframe><script>addEventListener("load", () => {{
  const {{ contentDocument: page, contentWindow: view }} = document.querySelector("iframe");
  const wide = [...page.querySelectorAll("body *")].filter(e => !e.parentElement.closest(".scroll, pre"))
    .filter(e => e.getBoundingClientRect().right > view.innerWidth + 1).map(e => e.tagName);
  document.body.dataset.probe = [view.innerWidth, page.documentElement.scrollWidth, wide.join(" ")].join(";");
}});</script></body></html>"""
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture
def browse(tmp_path):
    """A function that shows a page: (the window's width, the page's, tags that are too wide), and a picture."""

    def run(page: str, width: int) -> tuple[tuple[int, int, str], np.ndarray]:
        framed, picture = tmp_path / "framed.html", tmp_path / "picture.png"
        framed.write_text(FRAME.format(page=escape(page), width=width), encoding="utf-8")
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,2000"]
        command += [f"--screenshot={picture}", "--dump-dom", framed.as_uri()]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        inner, scroll, wide = re.search('<body[^>]* data-probe="([^"]*)"', printed)[1].split(";")
        return (int(inner), int(scroll), wide), np.asarray(Image.open(picture).convert("L"))

    return run


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_drawn_and_fits_the_window(several, browse, width):
    page = (several.folder / "report.html").read_text(encoding="utf-8")
    found, picture = browse(page, width)
    assert found == (width, width, "")
    assert picture.shape == (2000, 1280)
    for part in (picture[:300, :width], picture[1000:, :width]):
        assert part.std() > 10
    assert picture[:, width:].size == 0 or picture[:, width:].min() == 255


def test_long_words_of_the_user_are_broken(browse, tmp_path):
    long = "averylongnameofafolder" * 6
    table = {"title": long, "caption": long, "rows": [{long: long, "x": long}]}
    model = {"name": long, "recipe": long, "options": {long: long}, "epochs": 3}
    page = draw(Record(long, long, [long], {"command": long, "data": long}, [table], [model]), tmp_path)
    found, _ = browse(page.read_text(encoding="utf-8"), 390)
    assert found == (390, 390, "")


def test_the_probe_sees_what_is_too_wide(browse):
    found, _ = browse("<!doctype html><body><p style='width: 700px'>wide</p></body>", 390)
    assert found[0] == 390
    assert found[1] > 390
    assert found[2] == "P"
