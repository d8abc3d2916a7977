"""Pictures of more than 8 bits: what a file holds comes in, and goes out again, to the last bit."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from narrows.data import read_data
from narrows.data.readers.image_files import first_page, open_pages
from narrows.data.readers.pixels import Page
from narrows.data.save_picture import save_pages
from narrows.errors import DataError
from narrows.levels import Levels, unit_values

GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 4, 6
RAMP = np.rint(np.linspace(0, 65535, 24 * 16)).reshape(24, 16).astype(np.uint16)


def ramp(dtype: str, channels: int) -> np.ndarray:
    """A ramp over the range of a type, and turned round in further channels."""
    values = RAMP >> 8 if dtype == "uint8" else RAMP
    if dtype == "int16":
        values = RAMP.astype(np.int32) - 32768
    if dtype == "float32":
        values = RAMP / np.float32(65535)
    planes = [values, values[::-1], values[:, ::-1], values[::-1, ::-1]][:channels]
    pixels = np.stack(planes, axis=2).astype(dtype)
    return pixels[..., 0] if channels == 1 else pixels


def png(pixels: np.ndarray, bits: int, colour: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these samples, without filters, written independently of ours."""
    height, width = pixels.shape[:2]
    flat = pixels.reshape(height, -1)
    if bits < 8:
        padded = np.pad(flat, ((0, 0), (0, -flat.shape[1] % (8 // bits))))
        groups = padded.reshape(height, -1, 8 // bits)
        shifts = 8 - bits * np.arange(1, 8 // bits + 1)
        rows = [bytes((group << shifts).sum(1).astype(np.uint8)) for group in groups]
    else:
        rows = [row.astype(">u2" if bits == 16 else "u1").tobytes() for row in flat]
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", body), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in parts:
        content += struct.pack(">I", len(data)) + kind + data
        content += struct.pack(">I", zlib.crc32(kind + data))
    return content


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("ending", "dtype"),
    [
        *[("tif", dtype) for dtype in ("uint8", "uint16", "int16", "float32")],
        *[("png", dtype) for dtype in ("uint8", "uint16")],
    ],
)
def test_a_ramp_comes_back_to_the_last_bit(tmp_path, ending, dtype, channels):
    pixels = ramp(dtype, channels)
    file = tmp_path / f"a.{ending}"
    assert save_pages([Page(pixels)], file) == ""
    back = first_page(file)
    assert (back.pixels.dtype, back.levels) == (pixels.dtype, None)
    np.testing.assert_array_equal(back.pixels, pixels)


@pytest.mark.parametrize(
    ("ending", "dtype", "channels"),
    [
        ("pgm", "uint16", 1),
        ("ppm", "uint16", 3),
        ("pgm", "uint8", 1),
        ("ppm", "uint8", 3),
        ("pfm", "float32", 1),
        ("pfm", "float32", 3),
    ],
)
def test_a_ramp_comes_back_from_netpbm(tmp_path, ending, dtype, channels):
    pixels = ramp(dtype, channels)
    assert save_pages([Page(pixels)], tmp_path / f"a.{ending}") == ""
    back = first_page(tmp_path / f"a.{ending}").pixels
    assert back.dtype == pixels.dtype
    np.testing.assert_array_equal(back, pixels)


@pytest.mark.parametrize(
    ("colour", "channels"), [(GREY, 1), (GREY_ALPHA, 2), (COLOUR, 3), (COLOUR_ALPHA, 4)]
)
def test_png_of_16_bits_from_another_writer(colour, channels):
    pixels = ramp("uint16", channels)
    np.testing.assert_array_equal(first_page(png(pixels, 16, colour)).pixels, pixels)


@pytest.mark.parametrize(
    ("bits", "colour"),
    [(1, GREY), (2, GREY), (4, GREY), (8, GREY), (16, GREY), (8, COLOUR), (16, COLOUR)],
)
def test_a_transparent_sample_of_a_png_becomes_alpha(bits, colour):
    """tRNS names one grey or colour, in samples of the file's depth."""
    greys = np.arange(64).reshape(8, 8) % min(4, 2**bits)
    samples = greys * (1 if bits <= 4 else 2 ** (bits - 3))
    pixels = np.stack([samples] * 3, axis=2) if colour == COLOUR else samples
    key = struct.pack(">H", int(samples[0, 1])) * (3 if colour == COLOUR else 1)
    page = first_page(png(pixels, bits, colour, (b"tRNS", key)))
    assert page.pixels.shape == (8, 8, 4 if colour == COLOUR else 2)
    np.testing.assert_array_equal(page.pixels[..., -1] == 0, greys == 1)


def test_one_grey_and_alpha_file_leaves_a_grey_set_grey(tmp_path):
    for k in range(3):
        (tmp_path / f"{k}.png").write_bytes(png(RAMP, 16, GREY))
    pair = np.stack([RAMP, np.full_like(RAMP, 65535)], axis=2)
    (tmp_path / "a.png").write_bytes(png(pair, 16, GREY_ALPHA))
    images = read_data(tmp_path, "all").images
    np.testing.assert_array_equal(images, np.stack([RAMP] * 4))


@pytest.mark.parametrize(
    ("samples", "levels"),
    [(RAMP >> 4, (0, 4095)), (RAMP >> 4 << 4, None), ((RAMP >> 4 << 4) | (RAMP >> 12), None)],
)
def test_significant_bits_of_a_png_say_white_unless_samples_are_scaled(samples, levels):
    page = first_page(png(samples, 16, GREY, (b"sBIT", b"\x0c")))
    assert page.levels == levels
    np.testing.assert_array_equal(page.pixels, samples)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_levels_are_written_and_believed(tmp_path, ending):
    page = Page(RAMP >> 4, Levels(0, 4095))
    save_pages([page], tmp_path / f"a.{ending}")
    images = read_data(tmp_path, "all")
    assert images.levels == (0, 4095)
    np.testing.assert_array_equal(images.images[0], page.pixels)


LEVELS_OF_FILES = [
    (10, 200),
    (75.5, 125.5),
    (-160, 240),
    (-5.5, 1e5),
    (0, 255),
    (0, 1000),
    (0, 200),
]


@pytest.mark.parametrize("black_white", LEVELS_OF_FILES, ids=str)
@pytest.mark.parametrize("ending", ["tif", "png", "pgm", "pfm", "jpg", "bmp"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_levels_that_a_format_does_not_hold_are_spread_and_it_is_said(
    tmp_path, ending, dtype, black_white
):
    """What is read again is the same picture in units of white, values beyond clipped."""
    page = Page((np.arange(256).reshape(16, 16)).astype(dtype), Levels(*black_white))
    words = save_pages([page], tmp_path / f"a.{ending}")
    back = first_page(tmp_path / f"a.{ending}")
    was, now = (unit_values(one.pixels, one.levels).clip(0, 1) for one in (page, back))
    depth = 255 if back.pixels.dtype == np.uint8 else 65535
    np.testing.assert_allclose(now, was, atol=6 / 255 if ending == "jpg" else 0.51 / depth)
    is_plain = (dtype, black_white) == ("uint8", (0, 255))
    is_kept = np.array_equal(back.pixels, page.pixels) or is_plain
    assert is_kept or "from black to white" in words


def test_pictures_of_several_depths_go_together_and_it_is_said(tmp_path):
    save_pages([Page(ramp("uint8", 1))], tmp_path / "a.tif")
    save_pages([Page(RAMP >> 4, Levels(0, 4095))], tmp_path / "b.tif")
    images = read_data(tmp_path, "all")
    assert (images.images.dtype, images.levels) == (np.uint16, None)
    np.testing.assert_array_equal(images.images[0], ramp("uint8", 1).astype(np.uint16) * 257)
    assert "several depths" in images.notes[0]


def test_a_stack_keeps_its_pages(tmp_path):
    pages = [Page(RAMP + k) for k in range(5)]
    save_pages(pages, tmp_path / "a.tif")
    images = read_data(tmp_path / "a.tif", "all")
    assert images.names == tuple(f"a.tif#{k}" for k in range(1, 6))
    np.testing.assert_array_equal(images.images, [page.pixels for page in pages])


@pytest.mark.parametrize(
    ("ending", "dtype"), [("jpg", "uint16"), ("bmp", "uint16"), ("webp", "int16"), ("png", "int16")]
)
def test_a_format_that_holds_less_says_what_was_changed(tmp_path, ending, dtype):
    assert dtype in save_pages([Page(ramp(dtype, 1))], tmp_path / f"a.{ending}")


def test_alpha_of_a_bmp_is_found_by_a_reader(tmp_path):
    pixels = ramp("uint8", 4)
    assert save_pages([Page(pixels)], tmp_path / "a.bmp") == ""
    np.testing.assert_array_equal(first_page(tmp_path / "a.bmp").pixels, pixels)


def test_limits_of_pillow_are_larger_while_reading_and_the_users_after(tmp_path):
    before = (Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK)
    words = b"Comment\0\0" + zlib.compress(bytes(2 * PngImagePlugin.MAX_TEXT_CHUNK))
    page = first_page(png(RAMP, 16, GREY, (b"zTXt", words)))
    np.testing.assert_array_equal(page.pixels, RAMP)
    assert before == (Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK)


# -- TIFF by another writer -----------------------------------------------------------------------


@pytest.fixture
def tifffile():
    return pytest.importorskip("tifffile")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_colour_of_16_bits_of_a_tiff(tmp_path, tifffile, compression, planar, order):
    pixels = ramp("uint16", 3)
    written = pixels if planar == "contig" else np.moveaxis(pixels, 2, 0)
    tifffile.imwrite(
        tmp_path / "a.tif",
        written,
        photometric="rgb",
        planarconfig=planar,
        compression=compression,
        byteorder=order,
    )
    np.testing.assert_array_equal(first_page(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_white_is_zero_is_turned_round(tmp_path, tifffile, dtype):
    black = ramp(dtype, 1)
    tifffile.imwrite(tmp_path / "a.tif", np.iinfo(dtype).max - black, photometric="miniswhite")
    np.testing.assert_array_equal(first_page(tmp_path / "a.tif").pixels, black)


def test_12_bits_of_a_tiff_are_believed(tmp_path, tifffile):
    pixels = RAMP >> 4
    tifffile.imwrite(tmp_path / "a.tif", pixels, bitspersample=12)
    page = first_page(tmp_path / "a.tif")
    assert page.levels == (0, 4095)
    np.testing.assert_array_equal(page.pixels, pixels)


@pytest.mark.parametrize("dtype", ["int16", "uint32", "int32", "float32", "float64", "float16"])
def test_other_types_of_a_tiff(tmp_path, tifffile, dtype):
    values = RAMP // 3 if dtype != "float16" else RAMP / 65535
    tifffile.imwrite(tmp_path / "a.tif", values.astype(dtype))
    pixels = first_page(tmp_path / "a.tif").pixels
    kept = {"int16": np.int16, "uint32": np.uint16, "int32": np.uint16}
    assert pixels.dtype == kept.get(dtype, np.float32)
    np.testing.assert_array_equal(pixels, values.astype(dtype))


def test_integers_beyond_16_bits_are_refused_by_name(tmp_path, tifffile):
    tifffile.imwrite(tmp_path / "a.tif", RAMP.astype(np.uint32) * 100_000)
    with pytest.raises(DataError, match="beyond 16 bits"):
        first_page(tmp_path / "a.tif")


@pytest.mark.parametrize("imagej", [False, True])
def test_stacks_of_a_microscope(tmp_path, tifffile, imagej):
    pages = np.stack([RAMP + k for k in range(6)])
    tifffile.imwrite(tmp_path / "a.tif", pages, imagej=imagej)
    found = [page.pixels for page in open_pages(tmp_path / "a.tif")]
    np.testing.assert_array_equal(found, pages)
