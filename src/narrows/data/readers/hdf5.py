"""HDF5, and MATLAB's files since version 7.3, which are HDF5: images larger than memory.

    contiguous, not compressed      a memory map of the file itself: nothing is read yet
    in chunks                       copied once, chunk by chunk, to memory or a temporary file

MATLAB writes the first axis fastest, HDF5 the last: an array (H, W, C, N) of MATLAB is stored as
(N, C, W, H). It is handed back as (N, H, W, C).

What HDF5 reads as zeros without an error is refused or noted: values that were never written, and
virtual arrays whose files are missing. Which arrays are read: see `inside`.
References: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html (the format).
"""

from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.image_set import ImageSet, Span, join_sets
from narrows.data.readers.chunked import copy_share
from narrows.data.readers.inside import Entry, Part, choose_parts, splits_inside, take_labels
from narrows.data.readers.matlab_order import matlab_order, order_by
from narrows.data.share import Share
from narrows.errors import DataError, extra
from narrows.reading import reading

TAKEN = "{path}: {images}: axis {axis} is taken for that of the images; axis (--axis) says another"


def read_hdf5(
    path: Path,
    split: str = "all",
    array: str = "",
    axis: int | None = None,
    share: Share | None = None,
    mode: str = "",
) -> ImageSet:
    """The images and labels of an HDF5 file.

    array: the path inside of the images, or of the group that holds them. axis: that of the images,
    from 0; None: the first, of MATLAB's arrays see `matlab_order`.
    share: see `load.read_data`; only the chunks are read that hold some of it. mode: has no meaning.
    Raises `DataError`, `OutputError` (no space for a copy), `MissingExtra`.
    """
    h5py = extra("h5py", "hdf5")
    with reading(path, fault="cannot be read as HDF5"), h5py.File(path) as file:
        parts = choose_parts(path, _entries(file, h5py), split, array)
        only = share if len(parts) == 1 else None
        images = join_sets([_read_part(path, file, part, axis, only) for part in parts])
        return share.take(images) if share and images.span is None else images


def hdf5_has_split(path: Path, split: str, array: str = "") -> bool:
    """Whether a file's arrays are divided into splits, of which this is one. Raises `DataError`."""
    h5py = extra("h5py", "hdf5")
    with reading(path, fault="cannot be read as HDF5"), h5py.File(path) as file:
        return split in splits_inside(_entries(file, h5py), array)


def _entries(file: Any, h5py: Any) -> list[Entry]:
    """All arrays of a file; those of MATLAB with its own axes."""
    entries = []

    def visit(key: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None and not key.startswith("#"):
            shape = item.shape[::-1] if _is_matlab(item) else item.shape
            entries.append(Entry(key, shape, item.dtype))

    file.visititems(visit)
    return entries


def _is_matlab(stored: Any) -> bool:
    return "MATLAB_class" in stored.attrs


def _read_part(
    path: Path, file: Any, part: Part, axis: int | None, share: Share | None
) -> ImageSet:
    stored = file[part.images.key]
    notes = _unwritten(path, stored)
    count = prod(part.labels.shape) if part.labels else 0
    is_matlab = _is_matlab(stored)
    order = order_by(axis or 0, stored.ndim)
    if is_matlab and axis is None:
        order = matlab_order(part.images.shape, count)
        notes += (TAKEN.format(path=path, images=part.images, axis=order[0]),)
    if is_matlab:
        order = tuple(stored.ndim - 1 - place for place in order)
    images, span = _values(path, stored, order, share)
    if stored.attrs.get("MATLAB_class") == b"logical":
        images = images.view(np.bool_)
    total = span.total if span else len(images)
    labels = take_labels(part.labels, total, path, lambda key: _label_values(file[key])).of(span)
    source = f"{path}::/{part.images.key}"
    return ImageSet(
        images,
        labels.values,
        classes=labels.classes,
        source=source,
        span=span,
        notes=notes + labels.notes,
    )


def _values(
    path: Path, stored: Any, order: tuple[int, ...], share: Share | None
) -> tuple[np.ndarray, Span | None]:
    """The images: a memory map of the file itself if it can be, else a copy, of a share's alone."""
    contiguous = stored.chunks is None and not stored.is_virtual and stored.external is None
    offset = stored.id.get_offset()
    if not contiguous or offset is None or not stored.dtype.isnative or order[0] != 0:
        return copy_share(stored, stored.chunks, order, share)
    size = path.stat().st_size
    if offset + stored.nbytes > size:
        raise DataError(
            f"{path} is cut off: {stored.name} ends at byte {offset + stored.nbytes:,}, the file "
            f"at {size:,}"
        )
    return np.memmap(path, stored.dtype, "r", offset, stored.shape).transpose(order), None


def _unwritten(path: Path, stored: Any) -> tuple[str, ...]:
    """A note about chunks that were never written. Refuses what has no values: `DataError`."""
    if stored.is_virtual:
        _refuse_missing_sources(path, stored)
        return ()
    total = written = 1
    if stored.chunks:
        total = prod(ceil(side / step) for side, step in zip(stored.shape, stored.chunks))
        written = stored.id.get_num_chunks()
    elif stored.external is None:
        written = int(stored.id.get_storage_size() > 0)
    if written == total:
        return ()
    missing = f"{path}: {total - written:,} of the {total:,} chunks of {stored.name}"
    if 2 * written < total:
        raise DataError(f"{missing} were never written; it would read as {stored.fillvalue}")
    return (f"{missing} were never written, and read as {stored.fillvalue}",)


def _refuse_missing_sources(path: Path, stored: Any) -> None:
    for source in stored.virtual_sources():
        known = source.file_name != "." and "%" not in source.file_name  # a pattern of names
        if known and not (path.parent / source.file_name).exists():
            raise DataError(
                f"{path}: {stored.name} is a virtual array, and {source.file_name}, which holds "
                "its values, is missing"
            )


def _label_values(stored: Any) -> np.ndarray:
    """Labels, numbers or text."""
    return np.asarray(stored.asstr()[...], str) if stored.dtype.kind == "O" else stored[...]
