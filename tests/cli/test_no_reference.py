"""`evaluate --no-reference`: how good a result is, without the truth."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A folder with a grey picture of 16 bits and a colour one, with noise, and a file that is none."""
    path = tmp_path_factory.mktemp("noisy")
    random = np.random.default_rng(0)
    ramp = np.linspace(0.2, 0.8, 64) * np.ones((48, 1))
    grey = (ramp + random.normal(0, 0.05, ramp.shape)).clip(0, 1)
    Image.fromarray((grey * 65535).astype(np.uint16)).save(path / "grey.png")
    colour = (ramp[..., None] + random.normal(0, 0.1, (48, 64, 3))).clip(0, 1)
    Image.fromarray((colour * 255).astype(np.uint8)).save(path / "colour.png")
    (path / "broken.png").write_bytes(b"no picture")
    return path


def test_each_picture_and_the_mean_have_a_row(narrows, noisy):
    done = narrows("evaluate", "ridge", "--data", str(noisy), "--no-reference", "--json")
    assert done.code == 0
    rows = {row["picture"]: row for row in json.loads(done.out)}
    assert list(rows) == ["colour.png", "grey.png", "mean"]
    assert rows["grey.png"]["noise"] == pytest.approx(0.05 * 255, rel=0.15)
    assert rows["colour.png"]["noise"] == pytest.approx(0.1 * 255, rel=0.15)
    assert rows["mean"]["left"] < 0.3 * rows["mean"]["noise"]
    assert rows["mean"]["whiteness"] > 0.85
    assert "skipped broken.png" in done.err


def test_sheets_show_noisy_result_and_difference(narrows, noisy, tmp_path):
    place = tmp_path / "sheets"
    command = ("evaluate", "ridge", "--data", str(noisy), "--no-reference", "--sheets", str(place))
    assert narrows(*command).code == 0
    with Image.open(place / "colour.png") as sheet:
        assert (sheet.size, sheet.mode) == ((3 * 64, 48), "RGB")
    with Image.open(place / "grey.png") as sheet:
        assert (sheet.size, sheet.mode) == ((3 * 64, 48), "L")
    assert narrows(*command).code == 1  # nothing is overwritten
    assert narrows(*command, "--force").code == 0
