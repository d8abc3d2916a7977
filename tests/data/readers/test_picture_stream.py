"""Pictures one after another: each keeps its size, depth and mode; what cannot be read is told."""

import numpy as np
import pytest
from PIL import Image

from narrows.data.readers.picture_stream import stream_pictures
from narrows.data.write import PictureWriter, path_below
from narrows.errors import DataError, OutputError
from small_files import write_picture

MODES = [
    ("a.png", "L", 100, "L"),
    ("a.png", "LA", (100, 50), "LA"),
    ("a.png", "RGB", (9, 90, 200), "RGB"),
    ("a.png", "RGBA", (9, 90, 200, 30), "RGBA"),
    ("a.png", "I;16", 50_000, "I;16"),
    ("a.tif", "I;16", 50_000, "I;16"),
    ("a.jpg", "CMYK", (10, 20, 30, 40), "CMYK"),
    ("a.png", "P", 3, "RGB"),
    ("a.png", "1", 1, "L"),
    ("a.gif", "P", 3, "P"),
    ("a.bmp", "RGB", (1, 2, 3), "RGB"),
    ("a.webp", "RGBA", (9, 90, 200, 30), "RGBA"),
]


def write_like(picture, pixels, path):
    """Write one picture; nothing may be lost."""
    with PictureWriter(note=lambda name, words: pytest.fail(words)) as writer:
        writer.add(picture, pixels, path)


@pytest.mark.parametrize(("name", "mode", "fill", "comes_back"), MODES)
def test_a_picture_comes_back_in_its_own_mode(tmp_path, name, mode, fill, comes_back):
    write_picture(tmp_path / "in" / name, mode, fill=fill)
    (picture,) = stream_pictures(tmp_path / "in")
    write_like(picture, picture.pixels, tmp_path / "out" / name)
    with Image.open(tmp_path / "in" / name) as before, Image.open(tmp_path / "out" / name) as after:
        assert (after.mode, after.size, after.format) == (comes_back, before.size, before.format)
        near = np.abs(
            np.asarray(after.convert("RGBA"), int) - np.asarray(before.convert("RGBA"), int)
        ).max()
    assert near <= (6 if name.endswith("jpg") else 1)


def test_sixteen_bits_are_kept(tmp_path):
    deep = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2000 + 7
    Image.fromarray(deep).save(tmp_path / "a.png")
    (picture,) = stream_pictures(tmp_path)
    np.testing.assert_array_equal(picture.pixels, deep)
    write_like(picture, picture.pixels, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as after:
        np.testing.assert_array_equal(np.asarray(after), deep)


def test_each_keeps_its_size_unless_another_is_asked_for(tmp_path):
    for k, size in enumerate([(6, 4), (9, 5), (3, 3)]):
        write_picture(tmp_path / f"{k}.png", "RGB", size=size, fill=(10, 20, 30))
    assert [p.pixels.shape for p in stream_pictures(tmp_path)] == [(6, 4, 3), (9, 5, 3), (3, 3, 3)]
    assert [p.pixels.shape for p in stream_pictures(tmp_path, size=(4, 8), grey=True)] == [
        (4, 8)
    ] * 3


def test_the_colour_profile_goes_along(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    write_picture(tmp_path / "a.png", "RGB", fill=(1, 2, 3), icc_profile=profile)
    (picture,) = stream_pictures(tmp_path)
    write_like(picture, picture.pixels, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as after:
        assert after.info["icc_profile"] == profile


def test_what_cannot_be_read_is_reported_and_passed_over(tmp_path):
    write_picture(tmp_path / "b.png")
    (tmp_path / "a.png").write_bytes(b"none")
    skipped = []
    found = list(
        stream_pictures(tmp_path, skip=lambda name, reason: skipped.append((name, reason)))
    )
    assert [picture.name for picture in found] == ["b.png"]
    assert skipped == [("a.png", "it is not an image of a known kind, or is damaged")]
    with pytest.raises(DataError, match=r"a\.png cannot be read"):
        list(stream_pictures(tmp_path, strict=True))


def test_where_none_can_be_read_it_is_an_error(tmp_path):
    with pytest.raises(DataError, match="holds no images"):
        list(stream_pictures(tmp_path))
    (tmp_path / "a.png").write_bytes(b"none")
    with pytest.raises(DataError, match="none of the 1 images"):
        list(stream_pictures(tmp_path))


def test_no_name_leads_out_of_the_folder(tmp_path):
    assert path_below(tmp_path, "a/b.png") == tmp_path / "a/b.png"
    for name in ("../b.png", "/b.png", "a/../../b.png"):
        with pytest.raises(OutputError, match="leads out of the folder"):
            path_below(tmp_path, name)
