"""Where images go to is decided by the ending of the name; what comes back is what was written."""

import numpy as np
import pytest
from PIL import Image

from narrows.data import read_data
from narrows.data.write import memory_mapped, write_images
from narrows.errors import NarrowsWarning, OutputError

RANDOM = np.random.default_rng(0)
SHAPES = {
    "L": (2, 6, 5),
    "one": (2, 6, 5, 1),
    "LA": (2, 6, 5, 2),
    "RGB": (2, 6, 5, 3),
    "RGBA": (2, 6, 5, 4),
}


def some(shape) -> np.ndarray:
    return RANDOM.integers(0, 256, shape, np.uint8)


def pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("shape", [*SHAPES.values(), (3, 7)])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "uint16", "bool"])
@pytest.mark.parametrize("ending", [".npy", ".npz", ".NPY"])
def test_arrays_are_kept_as_they_are(tmp_path, shape, dtype, ending):
    images = some(shape).astype(dtype)
    path = write_images(images, tmp_path / f"x{ending}")
    found = np.load(path)
    found = found["images"] if ending == ".npz" else found
    assert found.dtype == images.dtype
    np.testing.assert_array_equal(found, images)
    if ending != ".NPY":
        np.testing.assert_array_equal(read_data(path, "all").images, images)


@pytest.mark.parametrize("mode", SHAPES)
def test_one_image_is_a_picture_in_its_mode(tmp_path, mode):
    images = some(SHAPES[mode])[:1]
    path = write_images(images, tmp_path / "deep" / "x.png")
    with Image.open(path) as picture:
        assert picture.mode == {"one": "L"}.get(mode, mode)
    np.testing.assert_array_equal(pixels(path), images[0].squeeze())


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    "ending", [".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jpg", ".jpeg", ".PNG"]
)
def test_every_ending_that_is_read_is_written(tmp_path, mode, ending):
    flat = np.full(SHAPES[mode][1:], 96, np.uint8)
    path = write_images(flat[None], tmp_path / f"x{ending}")
    back = pixels(path)[:6, :5] if ending != ".gif" else np.asarray(Image.open(path).convert(mode))
    np.testing.assert_allclose(back.astype(int).reshape(6, 5, -1), 96, atol=3)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_several_images_are_one_sheet(tmp_path, images, dtype):
    images = images if dtype == "uint8" else images / np.float32(255)
    sheet = pixels(write_images(images, tmp_path / "x.png"))
    assert sheet.shape == (2 * 4 + 1, 3 * 3 + 2)
    wanted = images if dtype == "uint8" else np.rint(images * 255).astype(np.uint8)
    np.testing.assert_array_equal(sheet[:4, 4:7], wanted[1])
    np.testing.assert_array_equal(sheet[5:, :3], wanted[3])
    assert (sheet[4] == 255).all()


@pytest.mark.parametrize(
    ("values", "dtype", "written"),
    [
        ([-0.5, 0.0, 0.5, 1.0, 7.0], "float32", [0, 0, 32768, 65535, 65535]),
        ([0, 0.2, 1], "float64", [0, 13107, 65535]),
        ([0, 257, 65535], "uint16", [0, 257, 65535]),
        ([0, 1], "bool", [0, 255]),
        ([0, 99, 255], "uint8", [0, 99, 255]),
    ],
)
def test_values_of_a_png_are_clipped_rounded_and_as_deep_as_they_were(
    tmp_path, values, dtype, written
):
    image = np.array(values, dtype).reshape(1, 1, -1)
    assert pixels(write_images(image, tmp_path / "x.png")).ravel().tolist() == written


def test_a_folder_holds_an_image_a_file_in_order(tmp_path, images):
    write_images(images, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        f"{k:05d}.png" for k in range(5)
    ]
    np.testing.assert_array_equal(read_data(tmp_path / "out", "all").images, images)


def test_names_are_kept_and_their_folders_made(tmp_path, images):
    names = ["a/x.png", "a/b/x.png", "b/y.bmp", "c.tif", "d.png"]
    write_images(images, tmp_path / "out", names)
    for name, image in zip(names, images):
        np.testing.assert_array_equal(pixels(tmp_path / "out" / name), image)
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 5


def test_as_many_names_as_images_are_asked_for(tmp_path, images):
    with pytest.raises(ValueError, match=r"shorter|longer"):
        write_images(images, tmp_path / "out", ["a.png"])


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.png", "x"])
def test_what_is_there_is_replaced_by_force_alone(tmp_path, images, name):
    path = write_images(images, tmp_path / name)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(OutputError, match="exists already"):
        write_images(255 - images, path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    write_images(255 - images, path, force=True)
    after = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert after.keys() == before.keys()
    assert all(after[p] != before[p] for p in before)


@pytest.mark.parametrize(
    ("shape", "name", "said"),
    [
        ((2, 6, 5), "x.txt", "not written as .txt; use .png"),
        ((2, 6, 5), "x.psd", "not written as .psd; use .png"),
        ((2, 30), "x.png", "a table cannot be written as pictures"),
        ((1, 30), "x.png", "a table cannot be written as pictures"),
        ((2, 30), "x", "a table cannot be written as pictures"),
    ],
)
def test_what_cannot_be_written_is_refused_in_words_and_leaves_nothing(tmp_path, shape, name, said):
    with pytest.raises(OutputError, match=said):
        write_images(some(shape), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_map_takes_its_name_when_it_is_whole(tmp_path):
    images = some((4, 6, 5))
    with memory_mapped(tmp_path / "x.npy", images.shape, images.dtype) as out:
        assert not (tmp_path / "x.npy").exists()
        for k in range(4):
            out[k] = images[k]
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), images)
    with (
        pytest.raises(OutputError, match="force"),
        memory_mapped(tmp_path / "x.npy", images.shape, images.dtype),
    ):
        pass


def test_a_map_that_is_not_filled_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), memory_mapped(tmp_path / "x.npy", (4, 6, 5), np.dtype(np.uint8)):
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_alpha_that_a_format_does_not_hold_is_laid_over_white_with_a_warning(tmp_path):
    clear = np.zeros((1, 6, 5, 4), np.uint8)
    with pytest.warns(NarrowsWarning, match="alpha was laid over white"):
        path = write_images(clear, tmp_path / "x.jpg")
    assert pixels(path).min() > 250
