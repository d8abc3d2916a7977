"""TIFF by tifffile: pages and stacks at their full depth, whatever the compression."""

import numpy as np
import pytest

from narrows.data.readers.tiff_pages import read_tiff
from narrows.errors import DataError

tifffile = pytest.importorskip("tifffile")
STACK = np.random.default_rng(0).integers(0, 65536, (5, 12, 10), np.uint16)
GREY = {"photometric": "minisblack"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.tif"


def stacked(path):
    pages = list(read_tiff(path))
    return np.stack([pixels for pixels, _ in pages]), pages[0][1]


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "zstd"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4", "f2", "?"])
def test_pages_of_any_compression_and_type(path, compression, dtype):
    if compression not in (None, "zlib", "packbits"):
        pytest.importorskip("imagecodecs")
    values = STACK.astype(dtype)
    tifffile.imwrite(path, values, compression=compression, **GREY)
    found, levels = stacked(path)
    assert np.array_equal(found, values)
    assert found.dtype == values.dtype
    assert levels is None


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True},
        {"ome": True},
        {"imagej": True, "byteorder": ">"},
        {"truncate": True, **GREY},
        {"tile": (16, 16), "byteorder": ">", **GREY},
        {"bigtiff": True, **GREY},
    ],
)
def test_stacks_are_read_page_by_page(path, options):
    tifffile.imwrite(path, STACK, **options)
    found, _ = stacked(path)
    assert np.array_equal(found, STACK)
    assert found.dtype == np.uint16


def test_pages_of_several_sizes_and_no_copies_of_less_resolution(path):
    with tifffile.TiffWriter(path) as file:
        file.write(STACK[0], **GREY)
        file.write(STACK[0, ::2, ::2], subfiletype=1, **GREY)
        file.write(STACK[1, :4], **GREY)
    pages = [pixels for pixels, _ in read_tiff(path)]
    assert np.array_equal(pages[0], STACK[0])
    assert np.array_equal(pages[1], STACK[1, :4])
    assert len(pages) == 2


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_colours_have_their_axis_last(path, planes):
    colours = STACK[:3] if planes == "separate" else np.moveaxis(STACK[:3], 0, -1)
    tifffile.imwrite(path, colours, photometric="rgb", planarconfig=planes)
    assert np.array_equal(stacked(path)[0][0], np.moveaxis(STACK[:3], 0, -1))


def test_white_that_is_0_becomes_the_greatest(path):
    tifffile.imwrite(path, STACK, photometric="miniswhite")
    assert np.array_equal(stacked(path)[0], 65535 - STACK)
    tifffile.imwrite(path, STACK.astype(bool), photometric="miniswhite")
    assert np.array_equal(stacked(path)[0], ~STACK.astype(bool))
    tifffile.imwrite(path, STACK.astype("f4"), photometric="miniswhite")
    with pytest.raises(DataError, match="its white is 0, and its values are float32"):
        stacked(path)


@pytest.mark.parametrize("factor", [257, 256, 1])
def test_palettes_become_rgb_of_the_bits_they_have(path, factor):
    places = (STACK >> 8).astype(np.uint8)
    palette = np.arange(768, dtype=np.uint16).reshape(3, 256) % 256 * factor
    tifffile.imwrite(path, places[0], photometric="palette", colormap=palette)
    found = stacked(path)[0][0]
    colours = np.moveaxis(palette[:, places[0]], 0, -1)
    assert np.array_equal(found, colours if factor == 1 else colours // factor)


def test_levels_of_the_file(path):
    tags = [(340, "H", 1, 100, True), (341, "H", 1, 4000, True)]
    tifffile.imwrite(path, STACK, extratags=tags, **GREY)
    assert stacked(path)[1] == (100, 4000)
    tifffile.imwrite(path, STACK, extratags=tags, photometric="miniswhite")
    assert stacked(path)[1] == (61535, 65435)


def test_damaged_tiff_is_refused(path):
    tifffile.imwrite(path, STACK, **GREY)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"a\.tif cannot be read as TIFF"):
        stacked(path)
    tifffile.imwrite(path, np.zeros((4, 4, 4), np.uint8), photometric="separated")
    with pytest.raises(DataError, match=r"its colours are SEPARATED; expected grey or RGB"):
        stacked(path)
