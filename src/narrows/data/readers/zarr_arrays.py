"""Zarr, versions 2 and 3: a folder (or a zip of it) in which each chunk is a file.

Each chunk is read once, into memory or a temporary file (see `chunked`). Zarr does not write chunks
that hold its fill value alone, and reads one that was lost as if it were such a chunk; so if chunks
are missing, a note says how many. Which arrays are read: see `inside`.
References: https://zarr-specs.readthedocs.io.
"""

from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.image_set import ImageSet, join_sets
from narrows.data.readers.chunked import copy_share
from narrows.data.readers.inside import Entry, Part, choose_parts, splits_inside, take_labels
from narrows.data.share import Share
from narrows.errors import DataError, extra
from narrows.reading import reading

ROOT = "data"  # the name of an array that is a store by itself


def read_zarr(
    path: Path, split: str = "all", array: str = "", share: Share | None = None, mode: str = ""
) -> ImageSet:
    """The images and labels of a Zarr array or group.

    array: the path inside of the images, or of the group that holds them. share, mode: as of HDF5.
    Raises `DataError`, `OutputError` (no space for a copy), `MissingExtra`.
    """
    with reading(path, fault="cannot be read as Zarr"):
        arrays = _arrays(path)
        parts = choose_parts(path, _entries(arrays), split, array)
        only = share if len(parts) == 1 else None
        images = join_sets([_read_part(path, arrays, part, only) for part in parts])
        return share.take(images) if share and images.span is None else images


def zarr_has_split(path: Path, split: str, array: str = "") -> bool:
    """Whether the arrays are divided into splits, of which this is one. Raises `DataError`."""
    with reading(path, fault="cannot be read as Zarr"):
        return split in splits_inside(_entries(_arrays(path)), array)


def _arrays(path: Path) -> dict[str, Any]:
    """All arrays of a store, by their paths."""
    zarr = extra("zarr", "zarr")
    store = str(path) if path.is_dir() else extra("zarr.storage", "zarr").ZipStore(path, mode="r")
    root = zarr.open(store, mode="r")
    if isinstance(root, zarr.Array):
        return {ROOT: root}
    return {key: item for key, item in root.members(max_depth=None) if isinstance(item, zarr.Array)}


def _entries(arrays: dict[str, Any]) -> list[Entry]:
    return [Entry(key, array.shape, array.dtype) for key, array in sorted(arrays.items())]


def _values(path: Path, stored: Any) -> np.ndarray:
    """All values of labels. Text has one length, as NumPy's text has."""
    _refuse_pickles(path, stored)
    values = stored[...]
    return np.array(values.tolist(), str) if values.dtype.kind in "TO" else values


def _refuse_pickles(path: Path, stored: Any) -> None:
    """Refuse chunks of version 2 that a codec would unpickle: `DataError`."""
    metadata = stored.metadata
    codecs = [*(getattr(metadata, "filters", None) or ()), getattr(metadata, "compressor", None)]
    if any(getattr(codec, "codec_id", "") == "pickle" for codec in codecs):
        raise DataError(
            f"{path}: {stored.path or ROOT} holds pickled objects, which could run code"
        )


def _read_part(path: Path, arrays: dict[str, Any], part: Part, share: Share | None) -> ImageSet:
    stored = arrays[part.images.key]
    _refuse_pickles(path, stored)
    notes = _missing_chunks(path, part.images, stored)
    images, span = copy_share(stored, stored.chunks, range(stored.ndim), share)
    labels = take_labels(
        part.labels, stored.shape[0], path, lambda key: _values(path, arrays[key])
    ).of(span)
    return ImageSet(
        images,
        labels.values,
        classes=labels.classes,
        source=f"{path}::/{part.images.key}",
        span=span,
        notes=notes + labels.notes,
    )


def _missing_chunks(path: Path, entry: Entry, stored: Any) -> tuple[str, ...]:
    """A note about chunks that are not there. Refuses an array with none: `DataError`."""
    missing = stored.nchunks - stored.nchunks_initialized
    if not missing:
        return ()
    words = f"{path}: {missing:,} of the {stored.nchunks:,} chunks of {entry} are not there"
    if 2 * missing > stored.nchunks:
        raise DataError(f"{words}; it would read as {stored.fill_value}")
    return (f"{words}, and read as {stored.fill_value}",)
