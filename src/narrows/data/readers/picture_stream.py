"""The pictures of a folder one after another, each in its own size and form, for a verb that hands them back.

A set to train on is one array, in which all pictures have one size and one mode (`folder`). What a model is used on
need not be: here each picture keeps its own, and only one is in memory.

    pixels   uint8, or uint16 where the file has 16 bits; `(H, W)` or `(H, W, C)` with C of 2 (grey, alpha), 3 or 4
    mode     the file's own, in Pillow's words, to be written back in: "L", "RGB", "CMYK", "I;16", ...
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from narrows.data.readers.folder import image_files, relative_name
from narrows.data.readers.image_files import KINDS, fitter, plain, reason_of
from narrows.errors import DataError

DEEP = ("I;16", "I;16B", "I;16L", "I;16N")
BACK = ("CMYK", "YCbCr", "LAB", "HSV")  # modes that colours are put back into


@dataclass(frozen=True)
class Picture:
    """One picture: its name below the folder, its pixels, the mode of its file, and the file's colour profile."""

    name: str
    pixels: np.ndarray
    mode: str
    profile: bytes | None = None


def stream_pictures(
    path: Path,
    size: Any = None,
    fit: str = "crop",
    grey: bool = False,
    strict: bool = False,
    skip: Callable[[str, str], None] = lambda name, reason: None,
    files: Sequence[Path] | None = None,
) -> Iterator[Picture]:
    """The pictures of a folder, in the order of their names, or the one of a file.

    size, fit, grey: as of `folder.read_folder`. skip: is told the name of each file that cannot be read, and why;
    with `strict` the first one raises. files: some of the folder's alone; of these it may be that none can be read.
    Raises `DataError`, also where none can be read of all.
    """
    to_size, wanted = fitter(size, fit), image_files(path) if files is None else files
    root, read = (path if path.is_dir() else path.parent), 0
    for file in wanted:
        try:
            found = _open(file, relative_name(file, root), grey, None if size is None else to_size)
        except Exception as error:  # a decoder that is fed broken bytes may raise anything
            if strict:
                raise DataError(f"{file} cannot be read: {reason_of(error)}; replace or remove it") from error
            skip(relative_name(file, root), reason_of(error))
            continue
        read += 1
        yield found
    if not read and files is None:
        raise DataError(f"none of the {len(wanted)} images in {root} can be read")


def record_written(picture: Picture, made: np.ndarray) -> Image.Image:
    """Pixels that were made from a picture's, as a picture in its mode.

    What had one bit comes back grey, what had a palette in colour: a model gives more shades than they hold.
    """
    image = Image.fromarray(made)
    return image.convert(picture.mode) if picture.mode in BACK else image


def _open(path: Path, name: str, grey: bool, to_size: Callable[[Image.Image], Image.Image] | None) -> Picture:
    with Image.open(path, formats=KINDS) as file:
        file.load()
        mode, profile = file.mode, file.info.get("icc_profile")
        upright = ImageOps.exif_transpose(file)
    if mode in DEEP and to_size is None:
        return Picture(name, np.asarray(upright).astype(np.uint16), mode)
    picture = plain(upright, grey)
    picture = picture if to_size is None else to_size(picture)
    kept = mode in BACK and not grey
    return Picture(name, np.asarray(picture), mode if kept else picture.mode, None if grey else profile)
