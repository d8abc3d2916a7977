"""One picture: any mode becomes an array; several get the same channels and depth."""

import builtins
import io

import numpy as np
import pytest
from PIL import Image

from narrows.data import read_data
from narrows.data.readers.growing_array import GrowingArray
from narrows.data.readers.image_files import first_page, numbered, open_pages, plain_page
from narrows.data.readers.pixels import FITS, Page, common_channels, fitter
from narrows.data.save_picture import save_pages
from narrows.errors import DataError, UnknownName
from narrows.levels import Levels


def stack(pictures):
    """The pictures as one array."""
    rows = GrowingArray(len(pictures))
    for picture in pictures:
        rows.add(plain_page(picture))
    return rows.finish("here")


@pytest.mark.parametrize(
    ("mode", "fill", "values"),
    [
        ("1", 1, 255),
        ("L", 7, 7),
        ("LA", (7, 9), [7, 9]),
        ("I;16", 257 * 99, 257 * 99),
        ("I", 257 * 99, 257 * 99),
        ("I", -5, -5),
        ("F", 0.5, 0.5),
        ("RGB", (1, 2, 3), [1, 2, 3]),
        ("RGBA", (1, 2, 3, 4), [1, 2, 3, 4]),
        ("P", 0, [0, 0, 0]),
        ("CMYK", (0, 255, 255, 0), [255, 0, 0]),
        ("YCbCr", (255, 128, 128), [255, 255, 255]),
    ],
)
def test_modes(mode, fill, values):
    pixels = plain_page(Image.new(mode, (3, 2), fill)).pixels
    assert pixels.shape[:2] == (2, 3)
    assert pixels[0, 0].tolist() == values


def test_a_palette_with_a_transparent_colour_has_alpha(tmp_path):
    picture = Image.new("P", (3, 2), 0)
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.save(tmp_path / "a.png", transparency=0)
    assert first_page(tmp_path / "a.png").pixels[0, 0].tolist() == [10, 20, 30, 0]


def test_integers_beyond_16_bits_are_refused():
    with pytest.raises(DataError, match="beyond 16 bits"):
        plain_page(Image.new("I", (3, 2), 70000))


def test_the_cameras_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.new("L", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert first_page(tmp_path / "a.jpg").pixels.shape == (8, 4)


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tif"])
def test_every_frame_is_a_picture(tmp_path, ending):
    first, *more = (Image.new("L", (3, 2), fill) for fill in (10, 200, 30))
    file = tmp_path / f"a.{ending}"
    options = {"lossless": True} if ending == "webp" else {}
    first.save(file, save_all=True, append_images=more, **options)
    names, pages = zip(*numbered("a", open_pages(file, grey=True)))
    assert names == ("a#1", "a#2", "a#3")
    assert [page.pixels.ravel()[0] for page in pages] == [10, 200, 30]


@pytest.mark.parametrize(
    ("channels", "common"),
    [({1}, 1), ({1, 2}, 1), ({1, 3}, 3), ({1, 4}, 3), ({3, 2}, 3), ({2}, 4), ({2, 4}, 4)],
)
def test_the_common_channels(channels, common):
    assert common_channels(channels) == common


def test_alpha_that_is_dropped_leaves_white():
    clear, grey = Image.new("RGBA", (3, 2), (9, 9, 9, 0)), Image.new("L", (3, 2), 7)
    assert stack([clear, grey])[:, 0, 0].tolist() == [[255, 255, 255], [7, 7, 7]]
    half = Image.new("LA", (3, 2), (0, 128))
    assert stack([half, grey])[:, 0, 0].tolist() == [127, 7]


def test_shapes():
    assert stack([Image.new("L", (3, 2))]).shape == (1, 2, 3)
    assert stack([Image.new("RGB", (3, 2))] * 2).shape == (2, 2, 3, 3)
    assert stack([Image.new("LA", (3, 2))]).shape == (1, 2, 3, 4)


def bars() -> np.ndarray:
    """40 wide, 10 high: black, white, white, black, 10 columns each."""
    return np.repeat(np.uint8([[0, 255, 255, 0]]), 10, axis=1).repeat(10, axis=0)


def test_crop_cuts_the_centre_out():
    found = np.asarray(fitter((10, 20), "crop")(bars()))
    assert found.shape == (10, 20)
    assert found.min() == 255


def test_pad_fills_up_with_black():
    found = np.asarray(fitter((40, 40), "pad")(bars()))
    assert found.shape == (40, 40)
    assert found[:15].max() == found[25:].max() == 0
    assert found[15:25, 15:25].min() > 250


def test_pad_fills_signed_pictures_up_with_black():
    found = fitter((40, 40), "pad")(bars().astype(np.int16))
    assert (found[:15] == -32768).all()


def test_pad_fills_up_with_the_black_of_the_file(tmp_path):
    save_pages([Page(bars().astype(np.int16) + 300, Levels(100, 900))], tmp_path / "a.tif")
    found = read_data(tmp_path / "a.tif", "all", size=40, fit="pad")
    assert found.levels == (100, 900)
    assert (found.images[0, :15] == 100).all()


def test_stretch_keeps_everything():
    found = np.asarray(fitter((20, 4), "stretch")(bars()))
    assert found.shape == (20, 4)
    assert (found > 128).all(axis=0).tolist() == [False, True, True, False]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 2), (7, 9, 3), (7, 9, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_every_fit_takes_every_picture_and_leaves_the_right_size_alone(fit, shape, dtype):
    picture = np.ones(shape, dtype)
    small = fitter((4, 5), fit)(picture)
    assert (small.shape, small.dtype) == ((4, 5, *shape[2:]), picture.dtype)
    assert fitter(6, fit)(picture).shape[:2] == (6, 6)
    assert fitter([7, 9], fit)(picture) is picture
    assert fitter(None, fit)(picture) is picture


def test_a_picture_and_its_transpose_are_resized_alike():
    """Nothing is rounded or clipped between rows and columns."""
    sharp = np.random.default_rng(0).choice(np.uint8([0, 255]), (40, 40))
    small = fitter((17, 17), "stretch")
    assert np.array_equal(small(sharp), small(sharp.T).T)


def test_colours_under_transparent_pixels_do_not_bleed():
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:, :4] = (0, 0, 0, 255)
    picture[:, 4:] = (255, 255, 255, 0)
    small = fitter((4, 4), "stretch")(picture)
    assert small[small[..., 3] > 0][:, :3].max() == 0


@pytest.mark.parametrize("size", [0, (3,), (3, -1), "64", 2.5, (1, 2, 3), True])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(
        DataError,
        match=r"size: got .*, expected \(height, width\) in pixels, such as size=\(64, 64\)",
    ):
        fitter(size, "crop")


def test_what_is_no_fit_is_refused():
    with pytest.raises(UnknownName, match="no fit called 'corp'; did you mean 'crop'"):
        fitter(4, "corp")


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".pgm", ".webp", ".gif"])
def test_a_picture_file_is_opened_once(tmp_path, monkeypatch, ending):
    path = tmp_path / f"a{ending}"
    save_pages([Page(np.zeros((8, 8), np.uint8))], path)
    opened = []

    def count_and_open(file, *given, **options):
        opened.append(file)
        return real_open(file, *given, **options)

    real_open = builtins.open
    monkeypatch.setattr(builtins, "open", count_and_open)
    monkeypatch.setattr(io, "open", count_and_open)
    assert first_page(path).pixels.shape[:2] == (8, 8)
    assert opened == [path]
