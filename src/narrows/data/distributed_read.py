"""Reading a set of files over the ranks of one machine: each decodes its share, and memory holds
the pixels once.

Decoding is what takes the time, so rank i of the n on a machine decodes the i-th n-th of the files,
or of a pack's images, whatever the number of its tars; no file is read twice on a machine, and none
is left out. All write into one file that each has mapped into its memory: the system holds it once,
and the disk takes what does not fit. The file loses its name as soon as all have it, so that it is
gone with the last of them.

Arrays (`.npy` and the like) need none of this: they are mapped as they are, and each rank reads
only its rows.
"""

import os
import tempfile
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np

from narrows.data.image_set import ImageSet
from narrows.data.load import Data, read_data
from narrows.data.scratch import disk_space, reserve
from narrows.data.share import Share
from narrows.distributed.collectives import all_gather_objects
from narrows.distributed.process_group import rank_and_size
from narrows.distributed.rendezvous import barrier
from narrows.errors import DataError
from narrows.levels import Levels


class MachineRanks(NamedTuple):
    """Of the ranks on this machine: this one's place among them, how many, and the rank of the first."""

    place: int
    size: int
    first: int


class Described(NamedTuple):
    """What the other ranks must know of a rank's part of the set."""

    shape: tuple[int, ...]
    dtype: np.dtype
    names: tuple[str, ...] | None
    labels: np.ndarray | None
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    levels: Levels | None


def read_distributed(data: Data, split: str = "train", mode: str = "") -> ImageSet:
    """What `read_data` gives, at every rank. Raises what it raises, and `OutputError` if the disk
    is full.
    """
    ranks = _ranks_of_this_machine()
    if rank_and_size()[1] == 1 or ranks.size == 1:
        return read_data(data, split, mode=mode)
    part = _read_part_or_nothing(data, split, Share(ranks.place + 1, ranks.size), mode)
    barrier()  # however long it took
    shape, dtype = part.images.shape, part.images.dtype
    described = Described(
        shape, dtype, part.names, part.labels, part.skipped, part.notes, part.levels
    )
    parts = all_gather_objects(described)[ranks.first : ranks.first + ranks.size]
    if not _can_be_shared(parts):
        return read_data(data, split, mode=mode)
    return _gather_images(part, parts, ranks)


def _ranks_of_this_machine() -> MachineRanks:
    place = int(os.environ.get("LOCAL_RANK", "0"))
    count = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return MachineRanks(place, count, rank_and_size()[0] - place)


def _read_part_or_nothing(data: Data, split: str, share: Share, mode: str) -> ImageSet:
    """A rank's share of the files; nothing, not even names, if it cannot be read."""
    try:
        return read_data(data, split, share=share, mode=mode)
    except DataError:
        return ImageSet(np.empty(0, np.uint8))


def _can_be_shared(parts: list[Described]) -> bool:
    """Whether all parts are files of one size, mode and depth: no arrays, and no faults, which are
    reported later.
    """
    kinds = {(part.shape[1:], part.dtype, part.levels) for part in parts if part.shape[0]}
    return len(kinds) == 1 and all(part.names is not None for part in parts)


def _gather_images(part: ImageSet, parts: list[Described], ranks: MachineRanks) -> ImageSet:
    """The complete set, from this rank's part and what all parts are."""
    filled = next(other for other in parts if other.shape[0])
    counts = [other.shape[0] for other in parts]
    images = _shared_array((sum(counts), *filled.shape[1:]), filled.dtype, ranks)
    first = sum(counts[: ranks.place])
    images[first : first + len(part)] = part.images
    images.flags.writeable = ranks.place == 0
    barrier()
    labels = [other.labels for other in parts if other.labels is not None]
    return replace(
        part,
        images=images,
        names=sum((other.names or () for other in parts), ()),
        labels=None if part.labels is None else np.concatenate(labels),
        skipped=sum((other.skipped for other in parts), ()),
        notes=tuple(dict.fromkeys(note for other in parts for note in other.notes)),
        levels=filled.levels,
        span=None,
    )


def _shared_array(shape: tuple[int, ...], dtype: np.dtype, ranks: MachineRanks) -> np.ndarray:
    """An array that the ranks of this machine have in common; the first of them makes its file."""
    name = ""
    if ranks.place == 0:
        size = prod(shape) * dtype.itemsize
        with disk_space(size), tempfile.NamedTemporaryFile(prefix="narrows-", delete=False) as file:
            name = file.name
            reserve(file.fileno(), size)
    name = all_gather_objects(name)[ranks.first]
    images = np.memmap(name, dtype, "r+", shape=shape)
    barrier()
    if ranks.place == 0:
        os.unlink(name)
    return images
