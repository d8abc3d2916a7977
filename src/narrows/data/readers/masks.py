"""Masks of anomalous regions, as MVTec AD has them next to its images: a pixel that is not black is
anomalous.

    test/broken/000.png             an image
    ground_truth/broken/000.png     its mask; or 000_mask.png, or several in a folder 000/

An image of a class without any mask is normal at every pixel.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from narrows.data.readers.image_files import first_page
from narrows.data.readers.listing import Listing
from narrows.data.readers.parts import MASKS, part_of
from narrows.data.readers.pixels import channels_of, fitter
from narrows.data.readers.walk import Walk
from narrows.errors import counted
from narrows.reading import reading

MASK_SUFFIXES = ("_mask", "_gt", "_label", "-mask")  # of a mask's name without its ending
HALF = 128  # a resized mask is true from here on


@dataclass(frozen=True)
class Masks:
    """The masks of the images of a folder. files: those of each image, by its name; empty for one
    that is normal at every pixel. missing: images without a mask, of classes that have some.
    size, fit: what the masks are brought to, as the images are.
    """

    files: dict[str, Sequence[Path]]
    missing: tuple[str, ...] = ()
    size: Any = None
    fit: str = "crop"

    def __bool__(self) -> bool:
        return any(self.files.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to say of images without a mask."""
        words = "images have no mask, so their pixels are not measured"
        return (counted(words, self.missing),) if self.missing else ()

    def read(self, name: str, shape: tuple[int, ...]) -> Any:
        """Where the image of that name is anomalous, bool `(H, W)` for a map of that shape; None if
        that is not known. Raises `DataError` if a mask cannot be read.
        """
        if name not in self.files:
            return None
        mask = np.zeros(shape, bool)
        for file in self.files[name]:
            part = _read_mask(file, self.size, self.fit)
            if part.shape != shape:
                return None
            mask |= part
        return mask


def masks_of(
    listing: Listing, normal: Collection[str] = (), size: Any = None, fit: str = "crop"
) -> Masks:
    """The masks of the images of a listing. normal: classes that are normal at every pixel.

    size, fit: as of the images.
    """
    stems = {_below_part(name): name for name in listing.names}
    found: dict[str, list[Path]] = defaultdict(list)
    for folder in listing.masks:
        for mask in Walk(listing.path).images(folder):
            key = _key(str(PurePosixPath(mask).relative_to(folder)), stems)
            if key:
                found[stems[key]].append(listing.path / mask)
    kind_of = dict(zip(listing.names, listing.kinds or [""] * len(listing.names)))
    masked = {kind_of[name] for name in found} - {*normal}
    files: dict[str, Sequence[Path]] = {}
    for name, kind in kind_of.items():
        if kind not in masked:
            files[name] = ()
        elif name in found:
            files[name] = found[name]
    return Masks(files, tuple(name for name in kind_of if name not in files), size, fit)


def _below_part(name: str) -> str:
    """The name of an image below the folder of its part, without its ending."""
    path = PurePosixPath(name).with_suffix("")
    first, *rest = path.parts
    is_part = bool(rest) and part_of(first) not in ("", MASKS)
    return str(PurePosixPath(*rest)) if is_part else str(path)


def _key(mask: str, stems: Collection[str]) -> str:
    """The image that a mask is of, by its name below the folder of masks; empty if it is of none."""
    stem = os.path.splitext(mask)[0]
    names = [stem, *(stem.removesuffix(suffix) for suffix in MASK_SUFFIXES), os.path.dirname(stem)]
    return next((name for name in names if name in stems), "")


def _read_mask(file: Path, size: Any, fit: str) -> Any:
    with reading(file):
        values = first_page(file).pixels
    if channels_of(values) in (2, 4):
        values = values[..., :-1]
    mask = (values > 0).reshape(*values.shape[:2], -1).any(-1)
    if size is None:
        return mask
    return np.asarray(fitter(size, fit)(np.where(mask, np.uint8(255), np.uint8(0)))) >= HALF
