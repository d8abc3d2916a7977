"""`narrows denoise` without a model."""

import numpy as np
import pytest
from PIL import Image

import narrows as nw


@pytest.fixture
def noisy() -> np.ndarray:
    """Three noisy pictures `(3, 30, 34)`, uint8."""
    random = np.random.default_rng(0)
    clean = np.kron(random.random((3, 3, 2)), np.ones((10, 17))) * 150 + 50
    return (clean + random.normal(0, 15, clean.shape)).clip(0, 255).round().astype(np.uint8)


@pytest.fixture
def folder(noisy, tmp_path):
    (tmp_path / "in" / "b").mkdir(parents=True)
    for name, image in zip(("a.png", "b/c.png", "d.tif"), noisy):
        Image.fromarray(image).save(tmp_path / "in" / name)
    return tmp_path / "in"


def test_a_folder_keeps_its_names_and_the_noise_is_reported(narrows, folder, noisy, tmp_path):
    (folder / "broken.png").write_bytes(b"none")
    found = narrows("denoise", folder, "-o", tmp_path / "out")
    assert (found.code, found.out.strip()) == (0, str(tmp_path / "out"))
    assert "skipped broken.png: " in found.err
    assert "note: noise estimated: σ from " in found.err
    for name, expected in zip(("a.png", "b/c.png", "d.tif"), nw.denoise(noisy)):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / name)), expected)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "out"])
def test_an_array_keeps_its_shape_and_type(narrows, noisy, tmp_path, name):
    np.save(tmp_path / "in.npy", noisy)
    assert narrows("denoise", tmp_path / "in.npy", "-o", tmp_path / name).code == 0
    if name == "x.npy":
        found = np.load(tmp_path / name)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, nw.denoise(noisy))
    assert (tmp_path / name).exists()


def test_pictures_of_other_sizes_depths_and_modes(narrows, tmp_path, noisy):
    (tmp_path / "in").mkdir()
    Image.fromarray(noisy[0].astype(np.uint16) * 257).save(tmp_path / "in" / "deep.png")
    Image.fromarray(np.stack([*noisy, noisy[0]], 2), "RGBA").save(tmp_path / "in" / "alpha.png")
    Image.fromarray(noisy[0, :3, :5]).save(tmp_path / "in" / "small.png")
    assert narrows("denoise", tmp_path / "in", "-o", tmp_path / "out").code == 0
    for name in ("deep.png", "alpha.png", "small.png"):
        came, went = (Image.open(tmp_path / side / name) for side in ("in", "out"))
        assert (went.mode, went.size) == (came.mode, came.size)
    assert np.asarray(Image.open(tmp_path / "out" / "deep.png")).max() > 255
    alpha = np.asarray(Image.open(tmp_path / "out" / "alpha.png"))[..., 3]
    np.testing.assert_array_equal(alpha, noisy[0])


def test_sigma_and_strength(narrows, folder, noisy, tmp_path):
    place = ("denoise", "ridge", folder / "a.png", "-o", tmp_path / "a.png")
    found = narrows(*place, "--sigma", "0.1", "--strength", "1.5")
    assert (found.code, found.err) == (0, "")
    expected = nw.denoise(noisy[:1], sigma=0.1, strength=1.5)[0]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), expected)


def test_shares_give_what_the_complete_folder_gives(narrows, folder, tmp_path):
    assert narrows("denoise", folder, "-o", tmp_path / "all").code == 0
    for share in ("1/2", "2/2"):
        command = ("denoise", folder, "-o", tmp_path / "parts", "--shard", share)
        assert narrows(*command).code == 0
    assert narrows("merge", tmp_path / "parts").code == 0
    for name in ("a.png", "b/c.png", "d.tif"):
        pair = [np.asarray(Image.open(tmp_path / side / name)) for side in ("all", "parts")]
        np.testing.assert_array_equal(*pair)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["{run}", "-o", "x"], "name them after the model"),
        (["{in}/a.png", "-o", "{out}.png", "--sigma", "-1"], "sigma: got -1.0"),
        (["{run}", "{in}", "-o", "{out}", "--sigma", "0.1"], "--sigma: got 0.1"),
        (["{run}", "{in}", "-o", "{out}", "--strength", "2"], "--strength: got 2.0"),
        (["{in}/none.png", "-o", "{out}.png"], "none.png"),
    ],
)
def test_what_cannot_be_done_is_said(narrows, trained, folder, tmp_path, command, words):
    places = {"run": trained["pca"], "in": folder, "out": tmp_path / "out"}
    found = narrows("denoise", *(word.format(**places) for word in command))
    assert found.code in (1, 2)
    assert words in found.err
    assert not (tmp_path / "out").exists()
