"""A set of images in memory, or on the disk, from which batches leave on the working scale (`narrows.images`)."""

import warnings
from copy import copy
from hashlib import sha256
from math import prod

import numpy as np
import torch
from torch import Tensor

from narrows.images import Layout, Scale

VALUES = {"cpu": 3_200_000}  # values of a layer, of a batch that is only looked at: they stay in reach of the cache
MANY = 50_000_000  # on an accelerator
SOME = 1000  # images that stand for the set in its fingerprint


def in_one_go(values: int, device: torch.device | str = "cpu") -> int:
    """How many images to look at together where nothing is learnt, of so many values each in their widest layer.

    Lab F's networks take half as long over 127 in one go as over 1000.
    """
    return max(1, min(1000, VALUES.get(torch.device(device).type, MANY) // values))


class Pixels:
    """A set of images held once, as it came; batches of it leave on the working scale.

    >>> pixels = Pixels(X, layout, scale)
    >>> pixels.batch(torch.tensor([3, 1, 4])).shape
    torch.Size([3, 1, 28, 28])

    On the CPU the memory is the array's own: a memory map stays on the disk, and is read where it is looked at.
    """

    def __init__(self, array: np.ndarray, layout: Layout, scale: Scale, device: torch.device | str = "cpu"):
        device = torch.device(device)
        self.layout, self.scale = layout, scale.to(device)
        self.raw, self.rows = as_tensor(array).to(device), None

    def part(self, rows: Tensor) -> "Pixels":
        """Some of the images, in the same memory."""
        found = copy(self)
        found.rows = rows.to(self.raw.device)
        return found

    def __len__(self) -> int:
        return len(self.raw if self.rows is None else self.rows)

    def batch(self, index: Tensor | slice) -> Tensor:
        """The images at `index` as float32 `(n, C, H, W)` on the working scale."""
        if self.rows is not None:
            index = self.rows[index]
        raw = self.raw[index] if isinstance(index, slice) else self._at(index)
        return self.scale.work(self.layout.read(raw))

    def fingerprint(self) -> str:
        """16 hex digits that name the set: its form, and 1,000 of its images at most, spread over it."""
        some = torch.linspace(0, len(self) - 1, min(len(self), SOME)).long()
        rows = some if self.rows is None else self.rows.cpu()[some]
        raw = (
            self.raw.view(torch.int16) if self.raw.dtype == torch.uint16 else self.raw
        )  # of which torch selects none
        found = raw.index_select(0, rows.to(raw.device)).cpu().contiguous()
        digest = sha256(f"{self.layout} {len(self)} {self.raw.dtype}".encode())
        digest.update(found.view(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()[:16]

    def step(self, widest: int = 0) -> int:
        """How many images to look at in one go where nothing is learnt: 1000 small ones, fewer of large ones.

        widest: values of an image in the widest layer that it goes through, if they are more than its own.
        """
        return in_one_go(max(widest, prod(self.layout.image)), self.raw.device)

    def _at(self, index: Tensor) -> Tensor:
        """The rows of the memory at `index`, as they came."""
        wide = self.raw.dtype == torch.uint16  # of which torch selects no rows
        raw = self.raw.view(torch.int16) if wide else self.raw
        return raw.index_select(0, index).view(self.raw.dtype)

    def batches(self, widest: int = 0) -> list[slice]:
        """The whole set in order, in slices of `step`."""
        step = self.step(widest)
        return [slice(start, min(start + step, len(self))) for start in range(0, len(self), step)]


def as_tensor(array: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory where it can."""
    if any(stride < 0 for stride in array.strides) or not array.dtype.isnative:
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")  # nothing here writes to it
        return torch.from_numpy(array)
