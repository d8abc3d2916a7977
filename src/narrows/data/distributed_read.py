"""Reading a set of files over the ranks of one machine: each decodes its share, and the pixels lie there once.

Decoding is what takes the time, so rank i of the n on a machine decodes the i-th n-th of the files, or of a pack's
images, whatever the number of its tars; no file is read twice on a machine, and none is left out. All write into one
file that each has mapped into its memory: the system holds it once, and the disk takes what does not fit. It loses
its name as soon as all have it, so that it is gone with the last of them.

Arrays (`.npy` and the like) need none of this: they are mapped as they are, and each rank looks at its rows alone.
"""

import os
import tempfile
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from narrows.data.image_set import ImageSet
from narrows.data.load import Data, read_data
from narrows.data.scratch import reserve, room
from narrows.data.share import Share
from narrows.distributed.collectives import all_gather_objects
from narrows.distributed.process_group import rank_and_size
from narrows.distributed.rendezvous import barrier
from narrows.errors import DataError


def read_distributed(data: Data, split: str = "train", mode: str = "") -> ImageSet:
    """What `read` gives, at every rank. Raises what it raises, and `OutputError` where the disk has no room."""
    mine, here = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if rank_and_size()[1] == 1 or here == 1:
        return read_data(data, split, mode=mode)
    part, start = _part(data, split, Share(mine + 1, here), mode), rank_and_size()[0] - mine
    barrier()  # however long it took
    parts = all_gather_objects((part.images.shape, part.images.dtype, part.names, part.labels, part.skipped))
    parts = parts[start : start + here]  # of this machine
    forms = {(shape[1:], dtype) for shape, dtype, *_ in parts if shape[0]}
    if len(forms) != 1 or any(
        names is None for _, _, names, *_ in parts
    ):  # arrays; or faults, which are told as ever
        return read_data(data, split, mode=mode)
    (form, dtype), first = forms.pop(), sum(shape[0] for shape, *_ in parts[:mine])
    images = _shared((sum(shape[0] for shape, *_ in parts), *form), dtype, mine == 0, start)
    images[first : first + len(part)] = part.images
    images.flags.writeable = mine == 0
    barrier()
    names, labels, skipped = zip(*[(names, labels, skipped) for _, _, names, labels, skipped in parts])
    return replace(
        part,
        images=images,
        names=sum(names, ()),
        labels=None if part.labels is None else np.concatenate(labels),
        skipped=sum(skipped, ()),
        span=None,
    )


def _part(data: Data, split: str, share: Share, mode: str) -> ImageSet:
    """A rank's share of the files; nothing, not even names, where it cannot be read."""
    try:
        return read_data(data, split, share=share, mode=mode)
    except DataError:
        return ImageSet(np.empty(0, np.uint8))


def _shared(shape: tuple[int, ...], dtype: Any, leads: bool, start: int) -> np.ndarray:
    """An array that the ranks of this machine have in common. start: the first of them, who makes it."""
    name, size = "", prod(shape) * np.dtype(dtype).itemsize
    if leads:
        with room(size), tempfile.NamedTemporaryFile(prefix="narrows-", delete=False) as file:
            name = file.name
            reserve(file.fileno(), size)
    name = all_gather_objects(name)[start]
    images = np.memmap(name, dtype, "r+", shape=shape)
    barrier()
    if leads:
        os.unlink(name)
    return images
