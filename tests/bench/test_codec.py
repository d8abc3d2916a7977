"""The comparison of codecs: each way in processes of its own, ratios round by round, what is left out."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from narrows.bench.codec import Plan, check_limit, measure, read_rows, updated, write_rows
from narrows.bench.codec_sets import images_of
from narrows.bench.codec_tables import lossless_table, lossy_table, notes, page
from narrows.bench.codec_ways import BITS_BACK, WAYS
from narrows.bench.codec_worker import digest
from narrows.bench.processes import answer_of, asked, started
from narrows.codec.rates import rate_points
from narrows.errors import BuildError, DataError, NarrowsError


def row(way, encode, decode, **changes):
    memory = {
        f"{task} memory{when}": 50.0 for task in ("encode", "decode") for when in ("", " before")
    }
    sizes = {"images": 100, "values": 8000, "bytes": 1000, "model bytes": 0, "exact": True}
    about = {"kind": "lossless", "set": "mnist", "limit": None, "way": way, "call": f"{way}()"}
    return about | sizes | memory | {"encode": encode, "decode": decode} | changes


ROWS = [
    row("ours", [1.0, 4.0, 1.0], [2.0, 2.0, 2.0], **{"model bytes": 500}),
    row(BITS_BACK, [2.0, 4.0, 4.0], [1.0, 1.0, 1.0], **{"model bytes": 9000}),
    row("png", [0.5], [0.25], exact=False, **{"decode memory": 60.0}),
    {
        "kind": "lossless",
        "set": "mnist",
        "limit": None,
        "way": "avif",
        "why": "it is not installed",
    },
]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of data with small photographs of two sizes."""
    rng = np.random.default_rng(0)
    for part in ("train", "cbsd68"):
        folder = tmp_path / "photos" / part
        folder.mkdir(parents=True)
        for number, shape in enumerate(((20, 30, 3), (30, 20, 3), (20, 30, 3))):
            steps = rng.integers(-9, 10, shape).cumsum(0).cumsum(1)
            pixels = (128 + steps).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    monkeypatch.setenv("NARROWS_DATA", str(tmp_path))
    return tmp_path


def test_each_way_is_measured_in_processes_of_its_own_and_what_cannot_be_says_why(photos):
    said, kept = [], []
    plan = Plan(["photos"], ["bz2", "png", BITS_BACK], ["lossless"], 2, folder=photos)
    rows = measure(plan, said.append, lambda rows: kept.append(len(rows)))
    assert kept == [1, 2, 3]
    vae, bz2, png = rows
    assert "grey images of one size" in vae["why"]
    values = sum(image.size for image in images_of("photos", "test"))
    for found, files in ((bz2, 1), (png, 3)):
        assert found["exact"]
        assert (found["images"], found["values"]) == (3, values)
        assert len(found["encode"]) == len(found["decode"]) == 1
        assert min(found["encode memory"], found["encode memory before"]) > 10
        coder = WAYS[found["way"]].open(photos)
        sizes = list(map(len, coder.encode(images_of("photos", "test"))))
        assert (len(sizes), sum(sizes)) == (files, found["bytes"])
    assert said[-2:] == ["photos, png: encode, round 1 of 1", "photos, png: decode, round 1 of 1"]


def test_ways_with_loss_have_a_row_for_each_quality_and_arrangement(photos):
    rows = measure(Plan(["photos"], ["jpeg"], ["lossy"]), lambda words: None, lambda rows: None)
    images = images_of("photos", "test")
    for arrangement in ("each", "sprite"):
        expected = rate_points(images, ["jpeg"], arrangement)
        found = [row for row in rows if row["arrangement"] == arrangement]
        for column in ("quality", "bytes", "bytes, no header", "psnr", "ssim"):
            assert [row[column] for row in found] == [point[column] for point in expected]


def test_photographs_that_are_missing_are_an_error_and_at_most_so_many_are_used(
    photos, monkeypatch
):
    assert [image.shape for image in images_of("photos", "test", 2)] == [(20, 30, 3), (30, 20, 3)]
    monkeypatch.setenv("NARROWS_DATA", str(photos / "empty"))
    with pytest.raises(DataError, match="holds no photographs"):
        images_of("photos", "train")


def test_the_processes_of_codecs_do_not_load_torch_so_that_the_memory_is_theirs():
    code = "import sys, narrows.bench.codec_worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_ratios_to_bits_back_are_taken_round_by_round():
    ours, peer, png = lossless_table(ROWS)
    assert ours["times bits-back, encoding"] == "2 (1-4)"
    assert ours["times bits-back, decoding"] == "0.5 (0.5-0.5)"
    assert peer["times bits-back, encoding"] == png["times bits-back, encoding"] == ""
    assert ours["images/s, encoding"] == "100 (25-100)"
    assert (ours["bpd"], ours["bpd, model inside"]) == ("1.0000", "1.5000")
    assert (png["images/s, decoding"], png["MB, decoding"]) == ("400", "60 (+10)")


def test_a_way_that_does_not_return_the_pixels_is_marked():
    assert [line["way"] for line in lossless_table(ROWS)] == ["ours", BITS_BACK, "png (NOT exact)"]
    a = np.zeros((2, 3, 4), np.uint8)
    assert digest(a) == digest(list(a)) != digest(a.reshape(2, 4, 3))
    assert digest(a) != digest(a + np.eye(3, 4, dtype=np.uint8))


def test_a_page_has_the_tables_and_what_was_left_out():
    lossy = {"kind": "lossy", "set": "mnist", "limit": None, "way": "jpeg", "quality": 5}
    point = {"arrangement": "each", "bytes": 9.25, "bytes, no header": 4, "bpd": 0.5, "psnr": 20, "ssim": 0.7,
             "encoded a second": 12345.6, "decoded a second": 7.891, "call": "save()"}  # fmt: skip
    (line,) = lossy_table([*ROWS, lossy | point])
    assert (line["bytes an image"], line["without headers"]) == ("9.2", "4.0")
    assert (line["images/s, encoding"], line["images/s, decoding"]) == ("12,346", "7.89")
    assert notes([*ROWS, ROWS[-1]]) == ["mnist, avif is left out: it is not installed"]
    text = page([*ROWS, lossy | point], 2)
    assert "of which each way uses 2" in text
    assert text.count("| mnist |") == 4
    assert "## With loss" not in page(ROWS, 1)


def test_rows_of_earlier_calls_are_kept_replaced_or_refused(tmp_path):
    assert read_rows(tmp_path) == []
    write_rows(tmp_path, ROWS)
    kept = read_rows(tmp_path)
    assert kept == ROWS
    new = row("png", [9.0], [9.0])
    assert updated(kept, [new]) == [*ROWS[:2], new, ROWS[3]]
    check_limit(kept, Plan(["mnist"]))
    with pytest.raises(BuildError, match="choose another folder"):
        check_limit(kept, Plan(["mnist"], images=100))
    (tmp_path / "rows.json").write_text("no rows")
    with pytest.raises(DataError, match="choose another folder"):
        read_rows(tmp_path)


SERVER = """
from narrows.bench.processes import serve
from narrows.errors import NarrowsError

def prepare(order):
    print("noise")
    if order["fails"] == "at once":
        raise NarrowsError("no")
    def run_round():
        if order["fails"] == "later":
            raise NarrowsError("not now")
        if order["fails"] == "hard":
            raise SystemExit(3)
        return {"twice": 2 * order["x"]}
    return {"x": order["x"]}, run_round

serve(prepare)
"""


@pytest.fixture
def server(tmp_path, monkeypatch):
    (tmp_path / "served_here.py").write_text(SERVER)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(filter(None, sys.path))}")
    return lambda **order: started("served_here", order)


def test_a_process_answers_with_numbers_and_its_peak_memory_and_nothing_else(server):
    with server(x=3, fails="") as process:
        assert answer_of(process) == {"ready": True, "x": 3}
        for _ in range(2):
            answer = asked(process)
            assert answer["twice"] == 6
            assert answer["memory"] > 5
    assert process.wait() is not None
    json.dumps(answer)


@pytest.mark.parametrize(
    ("fails", "said"), [("later", "not now"), ("hard", "ended with code 3 before it answered")]
)
def test_a_round_that_fails_is_an_error(server, fails, said):
    with server(x=1, fails="at once") as process:
        assert answer_of(process) == {"why": "no"}
    with server(x=1, fails=fails) as process:
        answer_of(process)
        with pytest.raises(NarrowsError, match=said):
            asked(process)
