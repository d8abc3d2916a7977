"""A set of images in memory, or on the disk, from which batches leave on the working scale (`narrows.layout`)."""

import warnings
from collections.abc import Iterator
from copy import copy
from hashlib import sha256
from math import prod

import numpy as np
import torch
from torch import Tensor

from narrows.layout import Layout
from narrows.scale import Scale, to_unit

VALUES = {"cpu": 3_200_000}  # values of a layer, of a batch that is only looked at: they stay in reach of the cache
MANY = 50_000_000  # on an accelerator
SOME = 1000  # images that stand for the set in its fingerprint


def inference_batch_size(values: int, device: torch.device | str = "cpu") -> int:
    """How many images to look at together where nothing is learnt, of so many values each in their widest layer.

    Lab F's networks take half as long over 127 in one go as over 1000.
    """
    return max(1, min(1000, VALUES.get(torch.device(device).type, MANY) // values))


class ImageBatches:
    """A set of images held once, as it came; batches of it leave on the working scale.

    >>> pixels = Pixels(X, layout, scale)
    >>> pixels.batch(torch.tensor([3, 1, 4])).shape
    torch.Size([3, 1, 28, 28])

    On the CPU the memory is the array's own: a memory map stays on the disk, and is read where it is looked at.

    weights: of the images, `(N,)`, not all 0; they are kept with a mean of 1 over the set. None: all count alike.
    noisy: the same images in the same order as the network is to see them, where there are such pairs.
    """

    def __init__(
        self,
        array: np.ndarray,
        layout: Layout,
        scale: Scale,
        device: torch.device | str = "cpu",
        weights: np.ndarray | None = None,
        noisy: "ImageBatches | None" = None,
    ):
        device = torch.device(device)
        self.layout, self.scale = layout, scale.to(device)
        self.raw, self.rows = shared_tensor(array).to(device), None
        self.weights = None if weights is None else normalise_weights(torch.from_numpy(weights)).to(device)
        self.noisy = noisy

    def part(self, rows: Tensor) -> "ImageBatches":
        """Some of the images of a whole set, in the same memory; their weights get a mean of 1 over them."""
        found, rows = copy(self), rows.to(self.raw.device)
        found.rows = rows
        found.weights = None if self.weights is None else normalise_weights(self.weights[rows])
        found.noisy = None if self.noisy is None else self.noisy.part(rows)
        return found

    def __len__(self) -> int:
        return len(self.raw if self.rows is None else self.rows)

    def batch(self, index: Tensor | slice) -> Tensor:
        """The images at `index` as float32 `(n, C, H, W)` on the working scale."""
        if self.rows is not None:
            index = self.rows[index]
        raw = self.raw[index] if isinstance(index, slice) else self._at(index)
        return self.scale.work(to_unit(raw, self.layout))

    def weights_at(self, index: Tensor | slice) -> Tensor | None:
        """The weights of the images at `index`, `(n,)`, if there are any."""
        return None if self.weights is None else self.weights[index]

    def noisy_at(self, index: Tensor | slice) -> Tensor | None:
        """The noisy images that belong to those at `index`, as `batch` gives them, if there are any."""
        return None if self.noisy is None else self.noisy.batch(index)

    def fingerprint(self) -> str:
        """16 hex digits that name the set: its form, 1,000 of its images at most, spread over it, and all weights."""
        some = torch.linspace(0, len(self) - 1, min(len(self), SOME), dtype=torch.float64).long()
        rows = some if self.rows is None else self.rows.cpu()[some]
        found = self._at(rows.to(self.raw.device)).cpu().contiguous()
        form = f"Layout(came={self.layout.given}, image={self.layout.image}, dtype={self.layout.dtype!r})"
        digest = sha256(f"{form} {len(self)} {self.raw.dtype}".encode())
        digest.update(found.view(-1).view(torch.uint8).numpy().data)
        if self.weights is not None:
            digest.update(self.weights.numpy(force=True).data)
        if self.noisy is not None:
            digest.update(self.noisy.fingerprint().encode())
        return digest.hexdigest()[:16]

    def step(self, widest: int = 0) -> int:
        """How many images to look at in one go where nothing is learnt: 1000 small ones, fewer of large ones.

        widest: values of an image in the widest layer that it goes through, if they are more than its own.
        """
        return inference_batch_size(max(widest, prod(self.layout.image)), self.raw.device)

    def _at(self, index: Tensor) -> Tensor:
        """The rows of the memory at `index`, as they came."""
        wide = self.raw.dtype == torch.uint16  # of which torch selects no rows
        raw = self.raw.view(torch.int16) if wide else self.raw
        return raw.index_select(0, index).view(self.raw.dtype)

    def batches(self, widest: int = 0) -> list[slice]:
        """The whole set in order, in slices of `step`."""
        step = self.step(widest)
        return [slice(start, min(start + step, len(self))) for start in range(0, len(self), step)]

    def inference_batches(self, widest: int = 0, even: int = 0) -> Iterator[tuple[slice, Tensor]]:
        """The whole set in order: rows, and their images as `batch` gives them.

        even: not 0 where the last bit counts. What a machine computes of one image depends there on how many stand
        beside it; so there are as many in every batch, `even` at most, the last one filled up with its last image.
        """
        step = min(even or len(self), self.step(widest))
        for start in range(0, len(self), step):
            rows = slice(start, min(start + step, len(self)))
            filled = torch.arange(start, start + step, device=self.raw.device).clamp_(max=len(self) - 1)
            yield rows, self.batch(filled if even else rows)


def normalise_weights(weights: Tensor) -> Tensor:
    """Weights `(N,)` as float32, scaled to a mean of 1; NaN where all are 0."""
    exact = weights.cpu().double()
    return (exact / exact.mean()).float().to(weights.device)


def weighted(values: Tensor, weights: Tensor | None) -> Tensor:
    """Values of images, `(n, ...)`, times the images' weights `(n,)`; without weights as they are."""
    return values if weights is None else values * weights.view(-1, *[1] * (values.dim() - 1))


def shared_tensor(array: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory where it can."""
    if any(stride < 0 for stride in array.strides) or not array.dtype.isnative:
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")  # nothing here writes to it
        return torch.from_numpy(array)
