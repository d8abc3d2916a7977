"""Reading a pack, or any tar of images: one image at a time by its place, or all as a set.

An image is read with `pread`, which asks for bytes at an offset and moves nothing: threads and
forked processes may share a pack. Its bytes are checked against the index's CRC-32 each time, at
about 1 GB/s. Of the tars those are open that were used last, at most `MOST_OPEN`, and fewer if the
process may not open more.
"""

import os
import zlib
from collections.abc import Iterator, Sequence
from errno import EMFILE, ENFILE
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrows.data.image_set import ImageSet, refuse_parts
from narrows.data.packs.index import Index, read_index
from narrows.data.packs.tar_headers import read_headers
from narrows.data.readers.folder import THREADED_FROM
from narrows.data.readers.image_files import Axis, first_page, reason_of
from narrows.data.readers.pictures_or_patches import How, decode_files
from narrows.data.share import Share
from narrows.errors import DataError, Faults
from narrows.reading import reading

DAMAGED_NAMED = 10  # images, in an error
MOST_OPEN = 64  # tars of a pack: a process may have 1024 files open on most systems, or 256


class PackedImage(NamedTuple):
    """One image of a pack: its file's name, its label (None if there are none), and its file's bytes."""

    name: str
    label: int | None
    data: bytes


class OpenTar:
    """A tar that is open as long as something refers to it: a thread may read one that was let go."""

    def __init__(self, path: Path):
        self.file = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "file"):
            os.close(self.file)


class Pack:
    """A pack, opened: `len(pack)`, `pack[i]`, and a loop over all in order.

    >>> pack = Pack("set.tar")          # or set.index, if it has several shards
    >>> name, label, data = pack[12345]

    path: a `.tar`, with its index next to it or without (then its headers are read once), or the
    index. Raises
    `DataError` if a tar is missing, cut short or not a tar, or the index damaged or of another tar.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.index = _index_of(self.path)
        folder, shards = self.index.folder, self.index.shards
        self._tar = lru_cache(MOST_OPEN)(lambda shard: OpenTar(folder / shards[shard]))

    def __len__(self) -> int:
        return len(self.index.entries)

    def __getitem__(self, k: int) -> PackedImage:
        """One image. Raises `IndexError` if there is none, `DataError` if its bytes are damaged."""
        k = range(len(self))[k]
        label = int(self.index.entries["label"][k]) if self.index.labelled else None
        return PackedImage(self.index.name(k), label, self.data(k))

    def __iter__(self) -> Iterator[PackedImage]:
        return (self[k] for k in range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return Pack, (self.path,)

    def data(self, k: int) -> bytes:
        """The bytes of one image's file, checked."""
        shard, offset, size, crc, _ = self.index.entries[k].tolist()
        tar = self._open_tar(shard)
        data = os.pread(tar.file, size, offset)
        if len(data) < size or (self.index.summed and zlib.crc32(data) != crc):
            name = self.index.shards[shard]
            raise DataError(
                f"its bytes in {name} are damaged, or {name} is not the tar of the index (image {k})"
            )
        return data

    def _open_tar(self, shard: int) -> OpenTar:
        """The tar of a shard. If no more files may be open, the others are closed first."""
        with reading(self.index.folder / self.index.shards[shard]):
            try:
                return self._tar(shard)
            except OSError as error:
                if error.errno not in (EMFILE, ENFILE):
                    raise
            self._tar.cache_clear()
            return self._tar(shard)


def read_pack(
    path: Path,
    split: str = "all",
    size: Any = None,
    fit: str = "crop",
    grey: bool = False,
    strict: bool = False,
    axis: Axis = None,
    patches: Any = None,
    share: Share | None = None,
    mode: str = "",
) -> ImageSet:
    """The images of a pack, or of any tar of images: exactly those of the folder that it was made
    from.

    Options and errors are those of `folder.read_folder`.
    """
    pack = Pack(path)
    index = pack.index
    places = places_in_split(pack, split)
    threads = index.entries["size"].mean() >= THREADED_FROM
    span = share.span_of_files(map(index.name, places)) if share else None
    how = How(size, fit, grey, strict, axis, patches, mode)
    decoded = decode_files(path, places, span, pack.data, index.name, threads, how)
    labels = None
    if index.labelled:
        labels = index.entries["label"][decoded.items].astype(np.int64)
    return ImageSet(
        images=decoded.images,
        labels=labels,
        names=decoded.names,
        classes=index.class_names,
        source=f"the pack {path}",
        skipped=(*index.skipped, *decoded.skipped),
        span=span,
        levels=decoded.levels,
        notes=(*index.notes_of(split, path), *decoded.notes),
    )


def pack_has_split(path: Path, split: str) -> bool:
    """Whether a pack is divided into that split and others. Raises `DataError`."""
    return _index_of(path).division.has(split)


def verify_pack(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a pack through, each image against its checksum; without an index each is decoded
    instead.

    Returns "images", "shards", "bytes" of the tars, and how it was "checked". Raises `DataError`
    with all faults, the first few damaged images by name.
    """
    pack = Pack(path)
    damage = {k: reason for k in range(len(pack)) if (reason := _damage_of(pack, k))}
    faults = Faults(f"{path} is damaged, {len(damage):,} of {len(pack):,} images")
    for k in list(damage)[:DAMAGED_NAMED]:
        faults.add(f"{pack.index.name(k)}: {damage[k]}")
    if len(damage) > DAMAGED_NAMED:
        faults.add(f"... and {len(damage) - DAMAGED_NAMED:,} more")
    faults.stop(DataError)
    checked = "each image decoded, there is no index"
    if pack.index.summed:
        checked = "each image against its checksum"
    return {
        "images": len(pack),
        "shards": len(pack.index.shards),
        "bytes": sum(pack.index.bytes),
        "checked": checked,
    }


def _damage_of(pack: Pack, k: int) -> str:
    """What is wrong with an image of a pack; empty if it is intact."""
    try:
        data = pack.data(k)
        if not pack.index.summed:
            first_page(data)
    except Exception as error:  # a decoder that is fed broken bytes may raise anything
        return reason_of(error)
    return ""


def _index_of(path: Path) -> Index:
    """The index of a pack: the file itself, the one next to it that names it, or one made from the
    headers.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}; a pack is a .tar, or the .index of several")
    index_path = path.with_suffix(".index")
    is_index = path == index_path
    if not is_index and not index_path.exists():
        return read_headers(path)
    index = read_index(index_path)
    if not is_index and path.name not in index.shards:
        return read_headers(path)
    _check_shards(index, index_path)
    return index


def _check_shards(index: Index, path: Path) -> None:
    """Refuse a pack of which a tar is missing, or has not the length that the index knows."""
    faults = Faults(f"the pack {path} is incomplete")
    for name, size in zip(index.shards, index.bytes):
        shard = index.folder / name
        if not shard.is_file():
            faults.add(f"{name} is missing; put it next to the index, or pack the folder again")
        elif shard.stat().st_size != size:
            faults.add(
                f"{name} has {shard.stat().st_size:,} bytes but the index says {size:,}: it was "
                f"cut short, or "
                "changed since; get it again, or pack the folder again"
            )
    faults.stop(DataError)


def places_in_split(pack: Pack, split: str) -> Sequence[int]:
    """The places of a split's images."""
    if not pack.index.splits:
        refuse_parts(pack.path, split)
    if split == "all" or not pack.index.splits:
        return range(len(pack))
    chosen = {*pack.index.division.chosen(split, pack.path)}
    return [k for k in range(len(pack)) if pack.index.name(k).partition("/")[0] in chosen]
