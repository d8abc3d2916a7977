"""JPEG XL and HEIC: all bits of 8, 10, 12 and 16, where their plug-ins for Pillow keep 8."""

from io import BytesIO

import numpy as np
import pytest

from narrows.data.readers.heic import is_heic, read_heic
from narrows.data.readers.jxl import CODESTREAM, CONTAINER, read_header, read_jxl
from narrows.errors import DataError

SIDES = [(24, 20), (8, 8), (256, 256), (257, 300), (1000, 3), (16, 32), (96, 128), (600, 400)]


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_header_of_jpeg_xl_says_sides_and_bits(sides, bits):
    codecs = pytest.importorskip("imagecodecs")
    values = np.zeros((*sides, 3), np.uint8 if bits == 8 else np.uint16)
    data = codecs.jpegxl_encode(values, lossless=True, bitspersample=bits)
    assert data.startswith((CODESTREAM, CONTAINER))
    assert read_header(data) == (*sides, bits)


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
@pytest.mark.parametrize("bits", [8, 10, 16])
def test_jpeg_xl_keeps_all_bits(tmp_path, bits, channels):
    codecs = pytest.importorskip("imagecodecs")
    dtype = np.uint8 if bits == 8 else np.uint16
    values = np.random.default_rng(0).integers(0, 2**bits, (24, 20, *channels), dtype)
    (tmp_path / "a.jxl").write_bytes(
        codecs.jpegxl_encode(values, lossless=True, bitspersample=bits)
    )
    ((found, levels),) = read_jxl(tmp_path / "a.jxl")
    assert np.array_equal(found, values)
    assert levels == ((0, 1023) if bits == 10 else None)


def test_frames_and_floats_of_jpeg_xl(tmp_path):
    codecs = pytest.importorskip("imagecodecs")
    frames = np.random.default_rng(0).integers(0, 256, (3, 24, 20, 3), np.uint8)
    (tmp_path / "a.jxl").write_bytes(codecs.jpegxl_encode(frames, lossless=True))
    assert np.array_equal([pixels for pixels, _ in read_jxl(tmp_path / "a.jxl")], frames)
    floats = np.random.default_rng(0).random((24, 20), np.float32)
    (tmp_path / "a.jxl").write_bytes(codecs.jpegxl_encode(floats, lossless=True))
    ((found, levels),) = read_jxl(tmp_path / "a.jxl")
    assert np.array_equal(found, floats)
    assert levels is None


def test_damaged_jpeg_xl_is_refused(tmp_path):
    codecs = pytest.importorskip("imagecodecs")
    data = codecs.jpegxl_encode(np.zeros((24, 20), np.uint8), lossless=True)
    for damaged in (data[:10], data[:2], CONTAINER, CODESTREAM + b"\xfe\xff" * 30):
        (tmp_path / "a.jxl").write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.jxl"):
            list(read_jxl(tmp_path / "a.jxl"))


def write_heic(path, mode, values):
    """Without loss: colours as they are, none of them halved."""
    heif = pytest.importorskip("pillow_heif")
    picture = heif.from_bytes(mode, values.shape[1::-1], values.tobytes())
    picture.save(path, quality=-1, matrix_coefficients=0, chroma=444)


@pytest.mark.parametrize(("mode", "channels"), [("L;16", ()), ("RGB;16", (3,)), ("RGBA;16", (4,))])
def test_heic_of_ten_bits_keeps_them(tmp_path, mode, channels):
    values = np.random.default_rng(0).integers(0, 1024, (64, 48, *channels), np.uint16)
    write_heic(tmp_path / "a.heic", mode, values << 6)
    ((found, levels),) = read_heic(tmp_path / "a.heic")
    assert np.array_equal(found, values)
    assert levels == (0, 1023)
    assert is_heic(tmp_path / "a.heic", (tmp_path / "a.heic").read_bytes()[:4096])


@pytest.mark.parametrize(("mode", "channels"), [("L", ()), ("RGB", (3,))])
def test_heic_of_eight_bits(tmp_path, mode, channels):
    values = np.random.default_rng(0).integers(0, 256, (64, 48, *channels), np.uint8)
    write_heic(tmp_path / "a.heic", mode, values)
    ((found, levels),) = read_heic(tmp_path / "a.heic")
    assert np.array_equal(found, values)
    assert levels is None


def test_avif_is_not_taken_for_heic_and_damage_is_refused(tmp_path):
    pytest.importorskip("pillow_heif")
    image = pytest.importorskip("PIL.Image")
    file = BytesIO()
    image.new("L", (64, 64)).save(file, "AVIF")
    assert not is_heic(tmp_path / "a.heic", file.getvalue()[:4096])
    write_heic(tmp_path / "a.heic", "L", np.zeros((64, 64), np.uint8))
    (tmp_path / "a.heic").write_bytes((tmp_path / "a.heic").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"a\.heic"):
        list(read_heic(tmp_path / "a.heic"))
