"""The pictures of a folder one after another, each in its own size and mode, for a verb that hands
them back.

A set to train on is one array, in which all pictures have one size and one mode (`folder`). What a
model is used on need not be: here each picture keeps its own, and only one is in memory.

    pixels   uint8, or uint16 if the file has 16 bits; `(H, W)` or `(H, W, C)` with C of 2 (grey,
             alpha), 3 or 4
    mode     the file's own, in Pillow's words, to be written back in: "L", "RGB", "CMYK", "I;16", ...
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from narrows.data.readers.folder import image_files, relative_name
from narrows.data.readers.image_files import PILLOW_FORMATS, fitter, plain, reason_of
from narrows.errors import DataError

MODES_OF_16_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
RESTORED_MODES = ("CMYK", "YCbCr", "LAB", "HSV")  # read as RGB, and written back in the file's mode

ToSize = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Picture:
    """One picture: its name below the folder, its pixels, the mode of its file, and the file's
    colour profile.
    """

    name: str
    pixels: np.ndarray
    mode: str
    profile: bytes | None = None


def ignore_skipped(name: str, reason: str) -> None:
    """Do nothing about a file that cannot be read."""


def stream_pictures(
    path: Path,
    size: Any = None,
    fit: str = "crop",
    grey: bool = False,
    strict: bool = False,
    skip: Callable[[str, str], None] = ignore_skipped,
    files: Sequence[Path] | None = None,
) -> Iterator[Picture]:
    """The pictures of a folder, in the order of their names, or the one of a file.

    size, fit, grey: see `folder.read_folder`.
    skip: is called with the name of each file that cannot be read, and why; with `strict` the first
        one raises.
    files: only these of the folder; then it is no error if none can be read.
    Raises `DataError`, also if none of all files can be read.
    """
    to_size = None
    fit_picture = fitter(size, fit)
    if size is not None:
        to_size = fit_picture
    wanted = image_files(path) if files is None else files
    root = path if path.is_dir() else path.parent
    count = 0
    for file in wanted:
        name = relative_name(file, root)
        try:
            picture = _open_for_use(file, name, grey, to_size)
        except Exception as error:  # a decoder that is fed broken bytes may raise anything
            reason = reason_of(error)
            if strict:
                raise DataError(f"{file} cannot be read: {reason}; replace or remove it") from error
            skip(name, reason)
            continue
        count += 1
        yield picture
    if not count and files is None:
        raise DataError(f"none of the {len(wanted)} images in {root} can be read")


def in_mode_of(picture: Picture, pixels: np.ndarray) -> Image.Image:
    """Pixels that were computed from a picture's, in its mode.

    What had one bit comes back grey, what had a palette in colour: a model gives more shades than
    they hold.
    """
    image = Image.fromarray(pixels)
    if picture.mode in RESTORED_MODES:
        return image.convert(picture.mode)
    return image


def _open_for_use(path: Path, name: str, grey: bool, to_size: ToSize | None) -> Picture:
    with Image.open(path, formats=PILLOW_FORMATS) as file:
        file.load()
        mode = file.mode
        profile = file.info.get("icc_profile")
        upright = ImageOps.exif_transpose(file)
    if mode in MODES_OF_16_BITS and to_size is None:
        return Picture(name, np.asarray(upright).astype(np.uint16), mode)
    picture = plain(upright, grey)
    if to_size is not None:
        picture = to_size(picture)
    pixels = np.asarray(picture)
    if grey:
        return Picture(name, pixels, picture.mode)
    kept_mode = mode if mode in RESTORED_MODES else picture.mode
    return Picture(name, pixels, kept_mode, profile)
