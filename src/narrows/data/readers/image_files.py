"""One picture file -> its pages, each an array of its own depth.

A file is known by what it holds, not by its ending: the first of `PICTURE_READERS` that recognises
its first bytes reads it, else Pillow. What comes is grey, grey and alpha, colour, or colour and
alpha (see `pixels`):

    bits, grey of 2 and 4 bits     grey of 8 bits
    palettes, CMYK and the like    colour of 8 bits; what transparency a file has becomes alpha
    16 bits, floats                as they are, with the levels of black and white that the file says

The camera's rotation (EXIF) is applied. Each page of a stack, and each frame of an animation, is a
picture.
"""

import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from narrows.data.readers import netpbm, png, tiff
from narrows.data.readers.limits import larger_limits
from narrows.data.readers.matlab_order import order_by
from narrows.data.readers.pixels import (
    Page,
    as_size,
    channels_of,
    fitter,
    in_known_type,
    with_channels,
)
from narrows.levels import Levels
from narrows.reading import cause_of

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
    *(".pgm", ".ppm", ".pbm", ".pnm", ".pfm", ".avif", ".jp2", ".j2k", ".jpx", ".qoi"),
    *(".jxl", ".heic", ".heif", ".dcm", ".nii", ".nii.gz"),
)
# no others, whatever an ending claims
PILLOW_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000", "QOI")
GREY_MODES = ("1", "L", "LA", "La")
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1")
HEAD = 512  # bytes by which a file is known
VOLUME = 3  # axes

Source = Path | bytes
File = IO[bytes]  # opened, or in memory
Near = tuple[int, int] | None  # (width, height) that a JPEG may be decoded down to
Axis = int | None  # of a volume, along which its slices follow one another
PathReader = Callable[..., Iterator[tuple[np.ndarray, Levels | None]]]


class PictureReader(NamedTuple):
    """recognise: whether a file that begins so is read by it. read: the pages of the open file.
    is_volume: whether `read` takes an axis.
    """

    recognise: Callable[[bytes], bool]
    read: Callable[..., Iterator[Page]]
    is_volume: bool = False


def open_pages(
    source: Source, grey: bool = False, near: Near = None, axis: Axis = None
) -> Iterator[Page]:
    """The pages of a file, or of its bytes. Raises what its library raises.

    grey: without colours. near, axis: see `picture_opener`.
    """
    with larger_limits(), _opened(source) as file:
        head = file.read(HEAD)
        file.seek(0)
        for reader in PICTURE_READERS.values():
            if reader.recognise(head):
                slices = {"axis": axis} if reader.is_volume and axis is not None else {}
                pages = reader.read(file, grey, **slices)
                yield from map(as_grey, pages) if grey else pages
                return
        yield from _read_by_pillow(file, grey, near)


def picture_opener(
    size: Any, fit: str, grey: bool = False, axis: Axis = None
) -> Callable[[Source], Iterator[Page]]:
    """What opens the pages of a file at a size; see `pixels.fitter`. axis: of volumes, whose slices
    are the pages; None: the usual one of the format.
    """
    to_size = fitter(size, fit)
    near = None
    if axis is not None:
        order_by(axis, VOLUME)  # refuses another
    if size is not None:
        height, width = as_size(size)
        # a JPEG is decoded at a half, a quarter or an eighth of its size if that is no less
        near = (2 * width, 2 * height)

    def open_file(source: Source) -> Iterator[Page]:
        pages = open_pages(source, grey, near, axis)
        return (page._replace(pixels=to_size(page.pixels, page.levels)) for page in pages)

    return open_file


def numbered(name: str, pages: Iterator[Page]) -> Iterator[tuple[str, Page]]:
    """Pages with their names: that of the file, and "#1", "#2", ... behind it if there are several."""
    first, second = next(pages, None), next(pages, None)
    if first is None:
        return
    if second is None:
        yield name, first
        return
    for number, page in enumerate(chain([first, second], pages), start=1):
        yield f"{name}#{number}", page


def first_page(source: Source, grey: bool = False) -> Page:
    """The first page of a file."""
    return next(open_pages(source, grey))


def reason_of(error: Exception) -> str:
    """Why a file could not be read, in a few words. Raises `Shortage` where the file is not to blame."""
    if isinstance(error, UnidentifiedImageError):
        return "it is not an image of a known kind, or is damaged"
    if isinstance(error, Image.DecompressionBombError):
        return f"it is too large, and may be meant to fill the memory ({error})"
    return cause_of(error)


def as_grey(page: Page) -> Page:
    """The page without colours; alpha stays."""
    channels = channels_of(page.pixels)
    if channels < 3:
        return page
    return page._replace(pixels=with_channels(page.pixels, channels - 2, page.levels))


# -- by Pillow --------------------------------------------------------------------------------


def plain_page(picture: Image.Image, grey: bool = False) -> Page:
    """The page of a Pillow image of 8 bits a channel or less, upright."""
    mode, profile = picture.mode, picture.info.get("icc_profile")
    if picture.getexif().get(tiff.ORIENTATION, 1) != 1:  # else it would be copied
        picture = ImageOps.exif_transpose(picture)
    if picture.mode == "F" or picture.mode.startswith("I"):
        return Page(in_known_type(np.asarray(picture)), None, mode, profile)
    wanted = "L" if grey or picture.mode in GREY_MODES else "RGB"
    if picture.has_transparency_data:
        wanted += "A"
    if picture.mode != wanted:  # else it would be copied
        picture = picture.convert(wanted)
    return Page(np.asarray(picture), None, mode, profile)


def _read_by_pillow(file: File, grey: bool, near: Near = None) -> Iterator[Page]:
    with Image.open(file, formats=PILLOW_FORMATS) as image:
        if near is not None:
            image.draft(None, near)  # only JPEG heeds it
        frames = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
        for number in range(frames):
            if number:
                image.seek(number)
            image.load()
            yield plain_page(image, grey)


def _opened(source: Source) -> File:
    return BytesIO(source) if isinstance(source, bytes) else open(source, "rb")


def _read_png(file: File, grey: bool) -> Iterator[Page]:
    content = file.read()
    facts = png.png_facts(content)
    if facts.bits == 16 and b"acTL" not in content[:HEAD]:
        yield _deep_png(content, facts)
        return
    is_small = facts.bits in (2, 4) and facts.transparent is not None
    for page in _read_by_pillow(BytesIO(content), grey):
        if is_small:
            greys = page.pixels if page.pixels.ndim == 2 else page.pixels[..., 0]
            page = page._replace(pixels=png.with_transparency(greys, facts))
        yield page


def _deep_png(content: bytes, facts: png.PngFacts) -> Page:
    """A PNG of 16 bits a channel."""
    with Image.open(BytesIO(content), formats=("PNG",)) as image:
        mode, profile = image.mode, image.info.get("icc_profile")
        orientation = image.getexif().get(tiff.ORIENTATION, 1)
    pixels = png.read_16_bits(content, facts.colour)
    levels = png.levels_by_significant_bits(pixels, facts.significant)
    pixels = tiff.turned(png.with_transparency(pixels, facts), orientation)
    return Page(pixels, levels, mode, profile)


def _read_netpbm(file: File, grey: bool) -> Iterator[Page]:
    return netpbm.read_netpbm(file.read())


def _read_tiff(file: File, grey: bool) -> Iterator[Page]:
    def plain(image: Image.Image) -> Page:
        return plain_page(image, grey)

    source = file if isinstance(file, BytesIO) else file.name  # from which Pillow maps pixels
    return tiff.read_tiff(source, plain, lambda: _by_path(file, "tiff_pages:read_tiff"))


# -- by readers that take a path --------------------------------------------------------------


def _by_path(file: File, reader: str, **options: Any) -> Iterator[Page]:
    """The pages that a reader of an optional package gives; it is imported now."""
    from importlib import import_module

    module, name = reader.split(":")
    read: PathReader = getattr(import_module(f"narrows.data.readers.{module}"), name)
    with _as_path(file) as path:
        for pixels, levels in read(path, **options):
            yield Page(in_known_type(np.asarray(pixels)), levels)


@contextmanager
def _as_path(file: File) -> Iterator[Path]:
    """Where the file is; of one in memory, a temporary copy."""
    if not isinstance(file, BytesIO):
        yield Path(file.name)
        return
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(file.getbuffer())
        copy.flush()
        yield Path(copy.name)


def path_reader(reader: str) -> Callable[..., Iterator[Page]]:
    """The pages of a file by a reader that takes a path, and options: "module:function"."""
    return lambda file, grey, **options: _by_path(file, reader, **options)


def _is_dicom(head: bytes) -> bool:
    return head[128:132] == b"DICM"


def _is_nifti(head: bytes) -> bool:
    if head.startswith(b"\x1f\x8b"):
        head = zlib.decompressobj(wbits=31).decompress(head, HEAD)
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def _is_jxl(head: bytes) -> bool:
    return head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a"))


def _is_heic(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS and b"avif" not in head[:64]


PICTURE_READERS: dict[str, PictureReader] = {
    "png": PictureReader(lambda head: head.startswith(png.SIGNATURE), _read_png),
    "tiff": PictureReader(tiff.is_tiff, _read_tiff),
    "netpbm": PictureReader(netpbm.is_netpbm, _read_netpbm),
    "dicom": PictureReader(_is_dicom, path_reader("dicom:read_dicom")),
    "nifti": PictureReader(_is_nifti, path_reader("nifti:read_nifti"), is_volume=True),
    "jxl": PictureReader(_is_jxl, path_reader("jxl:read_jxl")),
    "heic": PictureReader(_is_heic, path_reader("heic:read_heic")),
}
