"""NIfTI 1 and 2: the slices of a volume, a volume at a time.

A slice along axis 2 is `volume[:, :, k]`, as the file has it: not turned to any side, so that a
slice goes back to its place. Of several volumes (time, directions) all slices of the first come
before those of the second. Values are slope x + intercept where the header has them, as float32;
integers without them stay integers. `cal_min` and `cal_max` are black and white if they are set.
References: https://nifti.nimh.nih.gov.
"""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from narrows.errors import DataError, extra, wrong
from narrows.levels import Levels, Window
from narrows.reading import reading

GZIP = b"\x1f\x8b"
BEGINNING = 8  # bytes, by which NIfTI 2 is known
MOST_TIMES = 1100  # an array may be larger than its gzipped file
AXIS = 2
TYPES = {"int8": np.int16, "uint32": np.float64, "int32": np.float64}
TYPES |= {"int64": np.float64, "uint64": np.float64, "longdouble": np.float64}


def read_nifti(path: Path, axis: int = AXIS) -> Iterator[tuple[np.ndarray, Levels | None]]:
    """The slices of a file along an axis, `(H, W)` or `(H, W, 3)`, and its black and white.

    Raises `DataError`, `BuildError` for an axis that is not 0, 1 or 2, `MissingExtra`.
    """
    if axis not in range(-3, 3):
        raise wrong("axis", axis, "0, 1 or 2, that along which the slices follow one another")
    with reading(path, fault="cannot be read as NIfTI"), _opened(path) as image:
        _refuse_sizes(path, image)
        levels = _levels(image.header)
        for volume in _volumes(image):
            for values in np.moveaxis(volume, axis % 3, 0):
                yield np.ascontiguousarray(values), levels


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The image in a file, whatever its name is."""
    nibabel = extra("nibabel", "nifti")
    with open(path, "rb") as stored:
        is_packed = stored.read(2) == GZIP
        stored.seek(0)
        file = gzip.GzipFile(fileobj=stored) if is_packed else stored
        head = file.read(BEGINNING)
        file.seek(0)
        kind = nibabel.Nifti2Image if head[4:6] == b"n+" else nibabel.Nifti1Image
        # open all the time: else a gzipped file would be unpacked from its beginning for each volume
        options = {"mmap": False, "keep_file_open": True}
        yield kind.from_file_map(kind.make_file_map({"image": file}), **options)


def _refuse_sizes(path: Path, image: Any) -> None:
    """Refuse volumes that a file of this length cannot hold: `DataError`."""
    values = prod(image.shape) * image.dataobj.dtype.itemsize
    size = image.dataobj.offset + values
    with open(path, "rb") as file:
        is_packed = file.read(2) == GZIP
    if not values or size > path.stat().st_size * (MOST_TIMES if is_packed else 1):
        raise DataError(
            f"{path} says that it holds an array of {image.shape}, {size:,} bytes, but it has "
            f"{path.stat().st_size:,}"
        )


def _volumes(image: Any) -> Iterator[np.ndarray]:
    """Volumes `(X, Y, Z)`, or `(X, Y, Z, 3)` in colour."""
    stored = image.dataobj
    shape = (*image.shape, 1, 1)[: max(3, len(image.shape))]
    for place in np.ndindex(shape[3:]):
        volume = np.asarray(stored[(..., *place)] if place else stored)
        numbers = _as_numbers(volume, (stored.slope, stored.inter) != (1, 0))
        yield numbers.reshape(*shape[:3], *numbers.shape[volume.ndim :])


def _as_numbers(volume: np.ndarray, is_scaled: bool) -> np.ndarray:
    """Values in one of the types of images."""
    if volume.dtype.names:  # red, green, blue, and perhaps alpha
        return np.stack([volume[name] for name in volume.dtype.names], -1)
    if volume.dtype.kind == "c":
        raise DataError("its values are complex; write their magnitude or phase")
    kind = np.float32 if is_scaled else TYPES.get(volume.dtype.name, volume.dtype)
    return volume.astype(kind)


def _levels(header: Any) -> Levels | None:
    black, white = float(header["cal_min"]), float(header["cal_max"])
    return Window(black, white) if black < white else None
