"""Reading a pack, or any tar of images: one image at a time by its place, or all as a set.

An image is read with `pread`, which asks for bytes at an offset and moves nothing: threads and forked processes may
share a pack. Its bytes are checked against the index's CRC-32 each time, at some 1 GB/s.
"""

import os
import weakref
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrows.data.image_set import ImageSet, one_split
from narrows.data.packs.index import Index, read_index
from narrows.data.packs.tar_headers import read_headers
from narrows.data.readers.decode import decode
from narrows.data.readers.folder import LARGE
from narrows.data.readers.image_files import fitter, open_picture, reason_of
from narrows.data.share import Share
from narrows.errors import DataError, Faults

TOLD = 10  # damaged images that are named


class Packed(NamedTuple):
    """One image of a pack: its file's name, its label (None where there are none), and its file's bytes."""

    name: str
    label: int | None
    data: bytes


class Pack:
    """A pack, opened: `len(pack)`, `pack[i]`, and a loop over all in order.

    >>> pack = Pack("set.tar")          # or set.index, where it has several shards
    >>> name, label, data = pack[12345]

    path: a `.tar`, with its index beside it or without (then its headers are read once), or the index. Raises
    `DataError` where a tar is missing, cut short or no tar, or the index damaged or of another tar.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.index = _index(self.path)
        self._open: dict[int, int] = {}
        weakref.finalize(self, _close, self._open)

    def __len__(self) -> int:
        return len(self.index.entries)

    def __getitem__(self, k: int) -> Packed:
        """One image. Raises `IndexError` where there is none, `DataError` where its bytes are damaged."""
        k = range(len(self))[k]
        label = int(self.index.entries["label"][k]) if self.index.labelled else None
        return Packed(self.index.name(k), label, self.data(k))

    def __iter__(self) -> Iterator[Packed]:
        return (self[k] for k in range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return Pack, (self.path,)

    def data(self, k: int) -> bytes:
        """The bytes of one image's file, checked."""
        shard, offset, size, crc, _ = self.index.entries[k].tolist()
        data = os.pread(self._file(shard), size, offset)
        if len(data) < size or (self.index.summed and zlib.crc32(data) != crc):
            tar = self.index.shards[shard]
            raise DataError(f"its bytes in {tar} are damaged, or {tar} is not the tar of the index (image {k})")
        return data

    def _file(self, shard: int) -> int:
        """The open file of a shard. Where two threads open it at once, one of them closes its own again."""
        if (file := self._open.get(shard)) is not None:
            return file
        mine = os.open(self.index.folder / self.index.shards[shard], os.O_RDONLY)
        if (file := self._open.setdefault(shard, mine)) != mine:
            os.close(mine)
        return file


def read_pack(
    path: Path,
    split: str = "all",
    size: Any = None,
    fit: str = "crop",
    grey: bool = False,
    strict: bool = False,
    share: Share | None = None,
    mode: str = "",
) -> ImageSet:
    """The images of a pack, or of any tar of images: exactly those of the folder that it was made from.

    Options, and what is given and raised, are those of `folder.read_folder`.
    """
    pack, to_size = Pack(path), fitter(size, fit)
    index, chosen = pack.index, _chosen(pack, split)
    large = index.entries["size"].mean() >= LARGE
    span = share.of_files(map(index.name, chosen)) if share else None
    chosen = chosen[span.rows] if span else chosen
    kept, images, skipped = decode(
        path, chosen, lambda k: to_size(open_picture(BytesIO(pack.data(k)), grey)), index.name, large, strict,
        least=0 if span else 1, mode=mode,
    )  # fmt: skip
    return ImageSet(
        images=images,
        labels=index.entries["label"][kept].astype(np.int64) if index.labelled else None,
        names=tuple(map(index.name, kept)),
        classes=index.classes,
        source=f"the pack {path}",
        skipped=skipped,
        span=span,
    )


def verify(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a pack through, each image against its checksum; without an index each is decoded instead.

    Returns "images", "shards", "bytes" of the tars, and how it was "checked". Raises `DataError` with all faults,
    the first few damaged images by name.
    """
    pack = Pack(path)
    damaged = [(pack.index.name(k), why) for k in range(len(pack)) if (why := _damage(pack, k))]
    faults = Faults(f"{path} is damaged, {len(damaged):,} of {len(pack):,} images")
    for name, why in damaged[:TOLD]:
        faults.add(f"{name}: {why}")
    if len(damaged) > TOLD:
        faults.add(f"... and {len(damaged) - TOLD:,} more")
    faults.stop(DataError)
    checked = "each image against its checksum" if pack.index.summed else "each image decoded, there is no index"
    return {"images": len(pack), "shards": len(pack.index.shards), "bytes": sum(pack.index.bytes), "checked": checked}


def _damage(pack: Pack, k: int) -> str:
    """What is wrong with an image of a pack; nothing where it is whole."""
    try:
        data = pack.data(k)
        if not pack.index.summed:
            open_picture(BytesIO(data))
    except Exception as error:  # a decoder that is fed broken bytes may raise anything
        return reason_of(error)
    return ""


def _index(path: Path) -> Index:
    """The index of a pack: the file itself, the one beside it that names it, or one made from the headers."""
    if not path.is_file():
        raise DataError(f"there is no file {path}; a pack is a .tar, or the .index of several")
    beside = path if path.suffix == ".index" else path.with_suffix(".index")
    if path == beside or beside.exists():
        index = read_index(beside)
        if path == beside or path.name in index.shards:
            _check_shards(index, beside)
            return index
    return read_headers(path)


def _check_shards(index: Index, path: Path) -> None:
    """Refuse a pack of which a tar is missing, or has not the length that the index knows."""
    faults = Faults(f"the pack {path} is not whole")
    for name, size in zip(index.shards, index.bytes):
        shard = index.folder / name
        if not shard.is_file():
            faults.add(f"{name} is missing; put it beside the index, or pack the folder again")
        elif shard.stat().st_size != size:
            faults.add(
                f"{name} has {shard.stat().st_size:,} bytes where the index says {size:,}: it was cut short, or "
                "changed since; get it again, or pack the folder again"
            )
    faults.stop(DataError)


def _chosen(pack: Pack, split: str) -> list[int]:
    """The places of a split's images."""
    if not pack.index.splits:
        one_split(pack.path, split)
    if split == "all" or not pack.index.splits:
        return list(range(len(pack)))
    return [k for k in range(len(pack)) if pack.index.name(k).startswith(f"{split}/")]


def _close(files: dict[int, int]) -> None:
    for file in files.values():
        os.close(file)
