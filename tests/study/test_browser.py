"""The page in a real browser: it is drawn, fits the window, fetches nothing, and its plots are live."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from shutil import copytree, ignore_patterns
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageColor

from narrows.draw.style import CLASSES
from narrows.study.index import draw_index as draw_index
from narrows.study.page import draw_page
from narrows.study.record import Record
from small_pages import BAD, live_record

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-quic", "--no-first-run",
         "--disable-sync", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
         "--host-resolver-rules=MAP * ~NOTFOUND"]  # fmt: skip
WEBGL = {
    True: ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
    False: ["--disable-3d-apis"],
}
HINT = "willReadFrequently"  # what the browser says of how plotly measures letters: no fault
# the page in a frame, since a window is never narrower than 500 pixels; what scrolls by itself may
# be wider. The browser writes down what it has once everything is loaded: a document still being
# written holds it until then
FRAME = """<!doctype html><html><meta charset="utf-8"><body style="margin: 0"><script>
const hold = document.body.appendChild(document.createElement("iframe"));
hold.hidden = true;
hold.contentDocument.open();
const wait = (time) => new Promise((done) => setTimeout(done, time));
async function probe({{ contentDocument: page, contentWindow: view }}) {{
  const boxes = [...page.querySelectorAll(".alive .live")];
  const near = boxes.filter(e => e.getBoundingClientRect().top < view.innerHeight);
  const drawn = () => near.every((box) => box.querySelector(".modebar"));
  for (let k = 0; k < 100 && !drawn(); k++) await wait(100);
  await wait(500);
  const told = await ({act})(page, view);
  const wide = [...page.querySelectorAll("body *")]
    .filter(e => !e.parentElement.closest(".scroll, pre, .live"))
    .filter(e => e.getBoundingClientRect().right > view.innerWidth + 1).map(e => e.tagName);
  const names = view.performance.getEntriesByType("resource").map(e => e.name);
  const fetched = names.filter(name => !/^(data|blob):/.test(name));
  const size = [view.innerWidth, page.documentElement.scrollWidth, wide.join(" ")];
  document.body.dataset.probe = JSON.stringify({{ size, fetched, told }});
  hold.contentDocument.close();
}}</script><iframe onload="probe(this)" srcdoc="{page}" width="{width}" height="2000"
style="border: 0; display: block"></iframe></body></html>"""
# points at the 8th point of the third class in the first figure, which is number 3 * 7 + 2 of the
# arrays
ACT = """async (page, view) => {
  const stage = page.querySelector("#plane .js-plotly-plot");
  const tip = stage && (await point(stage, page.querySelector("#plane .tip")));
  return {
    tip,
    alive: [...page.querySelectorAll(".alive")].map((figure) => figure.id),
    canvases: [...page.querySelectorAll(".js-plotly-plot")]
      .map((plot) => plot.querySelectorAll("canvas").length),
    stills: [...page.querySelectorAll("figure img")].filter((image) => image.offsetWidth > 0).length,
    words: page.body.innerText,
    tags: [...page.querySelectorAll("body *")].map((one) => one.tagName.toLowerCase()),
  };
  async function point(stage, tip) {
    const { _fullLayout: { xaxis, yaxis }, _fullData: [, , { x, y }] } = stage;
    const at = stage.getBoundingClientRect();
    const place = { clientX: at.left + xaxis._offset + xaxis.d2p(x[7]), clientY: 0 };
    place.clientY = at.top + yaxis._offset + yaxis.d2p(y[7]);
    const pad = stage.querySelector(".nsewdrag");
    for (let k = 0; k < 20 && tip.hidden; k++) {
      pad.dispatchEvent(new view.PointerEvent("pointermove", { ...place, bubbles: true }));
      pad.dispatchEvent(new view.MouseEvent("mousemove", { ...place, bubbles: true }));
      await wait(200);
    }
    const canvas = tip.querySelector("canvas"), box = tip.getBoundingClientRect();
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const away = Math.max(box.left - place.clientX, place.clientX - box.right);
    const image = [...pixels].filter((_, k) => k % 4 === 0);
    return { text: tip.innerText, hidden: tip.hidden, away, image };
  }
}"""
LOADED = """async (page) => {
  for (const image of page.images) image.loading = "eager";
  await Promise.all([...page.images].map((image) => image.decode().catch(() => 0)));
  return [...page.images].map((image) => image.naturalWidth);
}"""
WIDTHS = pytest.mark.parametrize("width", [390, pytest.param(1280, marks=pytest.mark.slow)])
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture
def browse(tmp_path):
    """A function that shows a page and acts on it: size (the window's width, the page's, tags that
    are too wide), fetched addresses, what the act told, what the console said, and a picture."""

    def run(page: str, width: int, act: str = "() => null", webgl: bool = True) -> SimpleNamespace:
        framed, picture = tmp_path / "framed.html", tmp_path / "picture.png"
        framed.write_text(FRAME.format(page=escape(page), width=width, act=act), encoding="utf-8")
        command = [CHROMIUM, *FLAGS, *WEBGL[webgl], f"--user-data-dir={tmp_path / 'profile'}"]
        command += [
            "--window-size=1280,2000",
            f"--screenshot={picture}",
            "--dump-dom",
            framed.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        told = json.loads(unescape(re.search('<body[^>]* data-probe="([^"]*)"', done.stdout)[1]))
        said = [line for line in done.stderr.splitlines() if "CONSOLE" in line and HINT not in line]
        return SimpleNamespace(
            **told, said=said, picture=np.asarray(Image.open(picture).convert("RGB"))
        )

    return run


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    """A page with live figures, all of whose names are tags."""
    return draw_page(live_record(BAD), tmp_path_factory.mktemp("live")).read_text(encoding="utf-8")


def coloured(picture: np.ndarray, count: int = 3) -> list[int]:
    """How many pixels have nearly the colour of each class, through which white shows."""
    colours = [0.7 * np.array(ImageColor.getrgb(name)) + 0.3 * 255 for name in CLASSES[:count]]
    return [int((np.abs(picture - colour).max(axis=-1) < 12).sum()) for colour in colours]


@WIDTHS
def test_the_page_is_drawn_and_fits_the_window(several, browse, width):
    page = (several.folder / "report.html").read_text(encoding="utf-8")
    found = browse(page, width)
    picture = found.picture.mean(axis=-1)
    assert found.size == [width, width, ""]
    assert (found.fetched, found.said) == ([], [])
    assert picture.shape == (2000, 1280)
    for part in (picture[:300, :width], picture[1000:, :width]):
        assert part.std() > 10
    assert picture[:, width:].size == 0 or picture[:, width:].min() == 255


@WIDTHS
def test_the_index_fits_the_window_and_shows_a_picture_of_each_study(
    several, browse, tmp_path, width
):
    long = "averylongnameofafolder" * 6
    for name in ("a", "b"):
        copytree(several.folder, tmp_path / name, ignore=ignore_patterns("runs"))
    draw_page(Record(long, long, facts={"seconds": 1.0}), tmp_path / "c")
    Record(long, long, facts={"seconds": 1.0}).save(tmp_path / "c")
    found = browse(draw_index(tmp_path).read_text(encoding="utf-8"), width, LOADED)
    assert found.size == [width, width, ""]
    assert (found.fetched, found.said) == ([], [])
    assert len(found.told) == 2  # of the third study there is none
    assert min(found.told) > 300


def test_long_words_of_the_user_are_broken(browse, tmp_path):
    long = "averylongnameofafolder" * 6
    table = {"title": long, "caption": long, "rows": [{long: long, "x": long}]}
    model = {"name": long, "recipe": long, "options": {long: long}, "epochs": 3}
    page = draw_page(
        Record(long, long, [long], {"command": long, "data": long}, [table], [model]), tmp_path
    )
    assert browse(page.read_text(encoding="utf-8"), 390).size == [390, 390, ""]


def test_the_probe_sees_what_is_too_wide_what_is_fetched_and_what_is_forbidden(browse):
    policy = "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\">"
    wide, fetching = "<p style='width: 700px'>wide</p>", "<img src='https://example.org/x.png'>"
    found = browse(
        f"<!doctype html>{policy}<body>{wide}{fetching}<script>let a</script></body>", 390
    )
    assert (found.size[0], found.size[2]) == (390, "P")
    assert found.size[1] > 390
    assert found.fetched == ["https://example.org/x.png"]
    assert "violates" in found.said[0]


@WIDTHS
def test_plots_are_live_and_show_images(browse, page, width):
    found = browse(page, width, ACT)
    assert found.size == [width, width, ""]
    assert (found.fetched, found.said) == ([], [])
    assert found.told["alive"] == ["plane", "space"]
    assert min(found.told["canvases"]) >= 1
    assert found.told["stills"] == found.told["tags"].count("img") - 2 == 1  # none but our own
    assert min(coloured(found.picture)) > 100
    tip = found.told["tip"]
    assert tip["text"].split("\n")[:2] == [f"{BAD} c", "no. 23"]
    assert not tip["hidden"]
    assert 0 < tip["away"] < 40
    image = live_record().figures[0].arrays["images"][23]
    np.testing.assert_allclose(tip["image"], image.ravel(), atol=255 / 30 + 1)


def test_without_webgl_the_still_figures_are_shown(browse, page):
    found = browse(page, 1280, ACT, webgl=False)
    assert (found.fetched, found.said) == ([], [])
    assert found.told["alive"] == found.told["canvases"] == []
    assert found.told["stills"] == 3
    assert "WebGL" not in found.told["words"]
