"""Verbs on packs: what is packed is read as the folder was, and damage is told."""

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.data import read_data


@pytest.fixture
def folder(tmp_path):
    """Six digits in two classes, and a broken file."""
    X, _ = nw.load_data("digits", split="test")
    for k, image in enumerate(X[:6]):
        path = tmp_path / "in" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (tmp_path / "in" / "b" / "broken.png").write_bytes(b"none")
    return tmp_path / "in"


@pytest.mark.parametrize(("options", "name"), [([], "set.tar"), (["--shard", "8KB"], "set.index")])
def test_a_pack_is_read_as_the_folder(narrows, folder, tmp_path, options, name):
    found = narrows("pack", folder, "-o", tmp_path / "set.tar", *options, "--json")
    assert (found.code, found.json()["images"], found.json()["skipped"]) == (0, 6, 1)
    assert "skipped b/broken.png" in found.err
    came, went = read_data(folder), read_data(tmp_path / name)
    np.testing.assert_array_equal(came.images, went.images)
    assert (came.names, came.classes) == (went.names, went.classes)
    assert narrows("verify", tmp_path / name, "--json").json()["images"] == 6


def test_a_model_is_trained_and_used_on_a_pack(narrows, folder, tmp_path):
    assert narrows("pack", folder, "-o", tmp_path / "set.tar").code == 0
    asked = [
        "train",
        "pca",
        "--data",
        tmp_path / "set.tar",
        "-o",
        tmp_path / "run",
        "--set",
        "n_components=2",
    ]
    assert narrows(*asked).code == 0
    assert (
        narrows("reconstruct", tmp_path / "run", tmp_path / "set.tar", "-o", tmp_path / "out").code
        == 0
    )
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.png")) == [
        f"{k}.png" for k in range(6)
    ]


def test_damage_is_reported(narrows, refused, folder, tmp_path):
    assert narrows("pack", folder, "-o", tmp_path / "set.tar").code == 0
    assert "exists already" in refused(1, "pack", folder, "-o", tmp_path / "set.tar")
    content = bytearray((tmp_path / "set.tar").read_bytes())
    content[600] ^= 1
    (tmp_path / "set.tar").write_bytes(content)
    assert "set.tar" in refused(1, "verify", tmp_path / "set.tar")
    assert "broken.png" in refused(1, "pack", folder, "-o", tmp_path / "other.tar", "--strict")
    assert not (tmp_path / "other.tar").exists()
