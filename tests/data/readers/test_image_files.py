"""One picture: any mode becomes one of four; several get one mode together."""

import numpy as np
import pytest
from PIL import Image

from narrows.data.readers.growing_array import GrowingArray
from narrows.data.readers.image_files import FITS, common_mode, fitter, open_picture, plain
from narrows.errors import DataError, UnknownName


def stack(pictures):
    """The pictures as one array."""
    rows = GrowingArray(len(pictures))
    for picture in pictures:
        rows.add(picture)
    return rows.finish("here")


@pytest.mark.parametrize(
    ("mode", "fill", "became", "values"),
    [
        ("1", 1, "L", 255),
        ("L", 7, "L", 7),
        ("LA", (7, 9), "LA", (7, 9)),
        ("I;16", 257 * 99, "L", 99),
        ("I", 257 * 99 + 100, "L", 99),
        ("I", 257 * 99 + 129, "L", 100),
        ("RGB", (1, 2, 3), "RGB", (1, 2, 3)),
        ("RGBA", (1, 2, 3, 4), "RGBA", (1, 2, 3, 4)),
        ("P", 0, "RGB", (0, 0, 0)),
        ("CMYK", (0, 255, 255, 0), "RGB", (255, 0, 0)),
        ("YCbCr", (255, 128, 128), "RGB", (255, 255, 255)),
    ],
)
def test_modes(mode, fill, became, values):
    picture = plain(Image.new(mode, (3, 2), fill))
    assert (picture.mode, picture.size, picture.getpixel((0, 0))) == (became, (3, 2), values)


def test_a_palette_with_a_transparent_colour_has_alpha(tmp_path):
    picture = Image.new("P", (3, 2), 0)
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.save(tmp_path / "a.png", transparency=0)
    assert open_picture(tmp_path / "a.png").getpixel((0, 0)) == (10, 20, 30, 0)


@pytest.mark.parametrize(("mode", "fill"), [("F", 0.5), ("I", 70000), ("I", -1)])
def test_values_of_unknown_range_are_refused(mode, fill):
    with pytest.raises(ValueError, match="whose range is not known"):
        plain(Image.new(mode, (3, 2), fill))


def test_the_cameras_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.new("L", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert open_picture(tmp_path / "a.jpg").size == (4, 8)


def test_the_first_frame_of_an_animation(tmp_path):
    first, *more = (Image.new("L", (3, 2), fill) for fill in (10, 200, 30))
    first.save(tmp_path / "a.gif", save_all=True, append_images=more)
    assert np.unique(stack([open_picture(tmp_path / "a.gif")])).tolist() == [10]


@pytest.mark.parametrize(
    ("modes", "common"),
    [
        ({"L"}, "L"),
        ({"L", "LA"}, "L"),
        ({"L", "RGB"}, "RGB"),
        ({"L", "RGBA"}, "RGB"),
        ({"RGB", "LA"}, "RGB"),
        ({"LA"}, "RGBA"),
        ({"LA", "RGBA"}, "RGBA"),
    ],
)
def test_the_common_mode(modes, common):
    assert common_mode(modes) == common


def test_alpha_that_is_dropped_leaves_white():
    clear, grey = Image.new("RGBA", (3, 2), (9, 9, 9, 0)), Image.new("L", (3, 2), 7)
    assert stack([clear, grey])[:, 0, 0].tolist() == [[255, 255, 255], [7, 7, 7]]
    half = Image.new("LA", (3, 2), (0, 128))
    assert stack([half, grey])[:, 0, 0].tolist() == [127, 7]


def test_shapes():
    assert stack([Image.new("L", (3, 2))]).shape == (1, 2, 3)
    assert stack([Image.new("RGB", (3, 2))] * 2).shape == (2, 2, 3, 3)
    assert stack([Image.new("LA", (3, 2))]).shape == (1, 2, 3, 4)


def bars() -> Image.Image:
    """40 wide, 10 high: black, white, white, black, 10 columns each."""
    return Image.fromarray(np.repeat(np.uint8([[0, 255, 255, 0]]), 10, axis=1).repeat(10, axis=0))


def test_crop_cuts_the_centre_out():
    found = np.asarray(fitter((10, 20), "crop")(bars()))
    assert found.shape == (10, 20)
    assert found.min() == 255


def test_pad_fills_up_with_black():
    found = np.asarray(fitter((40, 40), "pad")(bars()))
    assert found.shape == (40, 40)
    assert found[:15].max() == found[25:].max() == 0
    assert found[15:25, 15:25].min() > 250


def test_stretch_keeps_everything():
    found = np.asarray(fitter((20, 4), "stretch")(bars()))
    assert found.shape == (20, 4)
    assert (found > 128).all(axis=0).tolist() == [False, True, True, False]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_every_fit_takes_every_mode_and_leaves_the_right_size_alone(fit, mode):
    picture = Image.new(mode, (9, 7))
    assert fitter((4, 5), fit)(picture).size == (5, 4)
    assert fitter(6, fit)(picture).size == (6, 6)
    assert fitter([7, 9], fit)(picture) is picture
    assert fitter(None, fit)(picture) is picture


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
