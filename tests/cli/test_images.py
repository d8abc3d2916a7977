"""Verbs that use a trained model: what goes in comes out, under its name, in its form."""

import struct

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.data import read_data
from narrows.model.files import store

VERBS = ("reconstruct", "denoise")


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    return nw.load_data("digits", split="test")[0][:5]


@pytest.fixture
def folder(tmp_path, digits):
    """A folder of pictures in sub-folders, one of them broken."""
    for k, name in enumerate(["a/0.png", "a/deep/1.png", "b/2.bmp", "b/3.tif", "b/4.png"]):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits[k]).save(tmp_path / "in" / name)
    (tmp_path / "in" / "b" / "broken.png").write_bytes(b"none")
    return tmp_path / "in"


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_keeps_its_names_and_what_cannot_be_read_is_reported(
    narrows, trained, folder, tmp_path, verb
):
    found = narrows(verb, trained["denoiser"], folder, "-o", tmp_path / "out")
    assert (found.code, found.out.strip()) == (0, str(tmp_path / "out"))
    assert "skipped b/broken.png: " in found.err
    came, went = read_data(folder, "all"), read_data(tmp_path / "out", "all")
    assert went.names == came.names
    np.testing.assert_array_equal(
        went.images, getattr(store.load(trained["denoiser"]), verb)(came.images)
    )


def test_an_image_gives_an_image_and_in_a_folder_keeps_its_name(
    narrows, trained, folder, tmp_path, digits
):
    wanted = store.load(trained["pca"]).reconstruct(digits[:1])[0]
    for out, made in (("x.png", "x.png"), ("out", "out/0.png")):
        assert (
            narrows(
                "reconstruct", trained["pca"], folder / "a" / "0.png", "-o", tmp_path / out
            ).code
            == 0
        )
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / made)), wanted)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_an_array_keeps_its_shape_and_type(narrows, trained, tmp_path, digits, dtype):
    images = digits if dtype == "uint8" else (digits / 255).astype(dtype)
    np.save(tmp_path / "in.npy", images)
    assert (
        narrows(
            "denoise", trained["denoiser"], tmp_path / "in.npy", "-o", tmp_path / "out.npy"
        ).code
        == 0
    )
    out = np.load(tmp_path / "out.npy")
    assert (out.shape, out.dtype) == (images.shape, images.dtype)
    np.testing.assert_array_equal(out, store.load(trained["denoiser"]).denoise(images))


def test_noise_need_not_be_clipped(narrows, trained, tmp_path, digits):
    noisy = digits / 255 + np.random.default_rng(0).normal(0, 0.5, digits.shape)
    assert noisy.min() < 0 < 1 < noisy.max()
    np.save(tmp_path / "in.npy", noisy.astype(np.float32))
    assert (
        narrows(
            "denoise", trained["denoiser"], tmp_path / "in.npy", "-o", tmp_path / "out.npy"
        ).code
        == 0
    )


@pytest.mark.parametrize("form", ["idx", "npz", "set"])
def test_other_forms_go_in(narrows, trained, tmp_path, digits, form):
    source, images = tmp_path / f"in.{form}", digits
    if form == "idx":
        source = tmp_path / "my-images-idx3-ubyte"
        source.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, *digits.shape) + digits.tobytes())
    elif form == "npz":
        np.savez(source, x=digits, y=np.arange(5))
    else:
        source, images = "digits", nw.load_data("digits", split="test")[0]
    assert narrows("reconstruct", trained["pca"], source, "-o", tmp_path / "out.npz").code == 0
    np.testing.assert_array_equal(
        np.load(tmp_path / "out.npz")["images"], store.load(trained["pca"]).reconstruct(images)
    )


def test_samples_are_those_of_the_model(narrows, trained, tmp_path):
    wanted = store.load(trained["pca"]).sample(3, random_state=7)
    for out in ("x.npy", "x.png", "out"):
        assert (
            narrows("sample", trained["pca"], "-n", "3", "--seed", "7", "-o", tmp_path / out).code
            == 0
        )
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), wanted)
    np.testing.assert_array_equal(read_data(tmp_path / "out", "all").images, wanted)
    assert Image.open(tmp_path / "x.png").size == (17, 17)


def test_64_samples_are_drawn_unless_reported_otherwise(narrows, trained, tmp_path):
    assert narrows("sample", trained["pca"], "-o", tmp_path / "x.npy").code == 0
    assert len(np.load(tmp_path / "x.npy")) == 64


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sample", "{pca}", "-n", "0", "-o", "{out}.png"], 2, "count: got 0"),
        (["sample", "{pca}", "-o", "{out}.doc"], 1, "not written as .doc; use .png"),
        (["reconstruct", "none", "digits", "-o", "{out}.doc"], 1, "not written as .doc"),
        (["encode", "none", "digits", "-o", "{out}.doc"], 1, "codes are written as .npz, .npy"),
        (["export", "none", "-o", "{out}.txt"], 1, "written as .onnx, not as .txt"),
        (
            ["decode", "{pca}", "none.csv", "-o", "{out}"],
            1,
            "no file of codes none.csv; `narrows",
        ),
        (
            ["decode", "{pca}", "{out}-table.npy", "-o", "{out}"],
            1,
            "of shape (2, 7, 9); expected codes",
        ),
        (["reconstruct", "{pca}", "none.png", "-o", "{out}.png"], 1, "no file or folder none.png"),
        (["reconstruct", "{pca}", "digts", "-o", "{out}.npy"], 2, "did you mean 'digits'?"),
        (
            ["denoise", "{pca}", "{out}-table.npy", "-o", "{out}.npy"],
            1,
            "the picture has 7 x 9 pixels, the model needs 8 x 8",
        ),
    ],
)
def test_what_cannot_be_done_is_reported_and_leaves_nothing(
    refused, trained, tmp_path, arguments, code, said
):
    np.save(tmp_path / "x-table.npy", np.zeros((2, 7, 9), np.float32))
    filled = [word.format(pca=trained["pca"], out=tmp_path / "x") for word in arguments]
    assert said in refused(code, *filled)
    assert [path.name for path in tmp_path.iterdir()] == ["x-table.npy"]


def test_what_is_there_is_left_alone_unless_forced(narrows, refused, trained, tmp_path):
    (tmp_path / "x.npy").write_bytes(b"mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_bytes(b"mine")
    for out in ("x.npy", "out"):
        assert "exists already" in refused(
            1, "sample", trained["pca"], "-n", "2", "-o", tmp_path / out
        )
        assert "exists already" in refused(
            1, "reconstruct", trained["pca"], "digits", "-o", tmp_path / out
        )
    assert (tmp_path / "x.npy").read_bytes() == b"mine"
    assert len(list((tmp_path / "out").iterdir())) == 1
    assert (
        narrows("sample", trained["pca"], "-n", "2", "-o", tmp_path / "x.npy", "--force").code == 0
    )
    assert np.load(tmp_path / "x.npy").shape == (2, 8, 8)
