"""A training over files that fails: what is said of them, and what is left behind."""

import numpy as np
import pytest
from PIL import Image
from torch import nn

from narrows.cli import run
from narrows.model.files import store
from narrows.parts.kinds import KINDS


class Divides(nn.Module):
    """Divides by the sum of the image, which of a black one is 0."""

    def __init__(self, image):
        super().__init__()
        self.linear = nn.Linear(64, 16)

    def forward(self, x):
        total = x.flatten(1).sum(1, keepdim=True)
        return self.linear(x.flatten(1)) * (total / total)


@pytest.fixture
def folder(tmp_path):
    """Thirty pictures of noise, of which 07.png to 09.png are black."""
    random = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for k in range(30):
        pixels = random.integers(1, 256, (8, 8)) * (k not in (7, 8, 9))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "pictures" / f"{k:02d}.png")
    return tmp_path / "pictures"


def test_the_files_are_named_and_a_model_is_left_that_says_it_is_not_whole(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(KINDS["body"].table, "Divides", Divides)
    parts = [
        "--set",
        "body=Divides",
        "--set",
        "up=linear",
        "--set",
        "calibration=0",
        "--epochs",
        "2",
        "--batch-size",
        "40",
    ]
    code = run(["train", "ae-mlp", "--data", str(folder), "-o", str(tmp_path / "out"), *parts])
    said = capsys.readouterr().err
    assert code == 1
    assert (
        "the loss became nan in epoch 1, batch 1, in the term 'nll', for 3 of its 27 images" in said
    )
    assert "These images are the files " in said
    files = said.split("These images are the files ")[1].split()
    assert sorted(name.strip(",") for name in files) == ["07.png", "08.png", "09.png"]
    header, _ = store.read_file(tmp_path / "out" / "model.safetensors")
    assert header["about"]["whole"] is False
    assert not (tmp_path / "out" / "report.html").exists()
