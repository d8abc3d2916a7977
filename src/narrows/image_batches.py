"""A set of images in memory, or on the disk, from which batches leave on the working scale
(`narrows.scale`).
"""

import warnings
from collections.abc import Iterator
from copy import copy
from hashlib import sha256
from math import prod

import numpy as np
import torch
from torch import Tensor

from narrows.layout import Layout
from narrows.machine import give_back_freed_memory
from narrows.mapped import SCATTERED, give_pages_back, is_large_map
from narrows.scale import Scale, to_unit

# values of a layer, of a batch without training: they stay in the cache
CACHE_VALUES = {"cpu": 3_200_000}
ACCELERATOR_VALUES = 50_000_000  # the same on an accelerator
MOST_AT_ONCE = 1000  # images of a batch without training
FINGERPRINTED = 1000  # images of which a fingerprint is taken


def inference_batch_size(values: int, device: torch.device | str = "cpu") -> int:
    """How many images to compute together without training, of `values` values each in their widest
    layer.

    Lab F's networks take half as long over 127 at once as over 1000.
    """
    budget = CACHE_VALUES.get(torch.device(device).type, ACCELERATOR_VALUES)
    return max(1, min(MOST_AT_ONCE, budget // values))


class ImageBatches:
    """A set of images held once, as given; batches of it leave on the working scale.

    >>> images = ImageBatches(X, layout, scale)
    >>> images.batch(torch.tensor([3, 1, 4])).shape
    torch.Size([3, 1, 28, 28])

    On the CPU the memory is the array's own: a memory map stays on the disk, and only what is used
    is read, for as long as it is used (`mapped`).

    weights: of the images, `(N,)`, not all 0; they are kept with a mean of 1 over the set. None:
        all count alike.
    noisy: the same images in the same order as the network is given them, if there are such pairs.
    noise: gain and floor of the variance of the noise of each, `(N, C, 2)`, if they are known.
    """

    noise: Tensor | None = None

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
        self.layout = layout
        self.scale = scale.to(device)
        self.array = array
        self.raw = shared_tensor(array).to(device)
        self.rows: Tensor | None = None
        self.weights: Tensor | None = None
        if weights is not None:
            self.weights = normalise_weights(torch.from_numpy(weights)).to(device)
        self.noisy = noisy

    def part(self, rows: Tensor) -> "ImageBatches":
        """Some images of a complete set, in the same memory; their weights get a mean of 1 over them."""
        rows = rows.to(self.raw.device)
        subset = copy(self)
        subset.rows = rows
        if self.weights is not None:
            subset.weights = normalise_weights(self.weights[rows])
        if self.noisy is not None:
            subset.noisy = self.noisy.part(rows)
        if self.noise is not None:
            subset.noise = self.noise[rows]
        return subset

    def __len__(self) -> int:
        return len(self.raw if self.rows is None else self.rows)

    def batch(self, index: Tensor | slice) -> Tensor:
        """The images at `index` as float32 `(n, C, H, W)` on the working scale."""
        return self.scaled_batch(index)[0]

    def scaled_batch(
        self, index: Tensor | slice, scale: Scale | None = None
    ) -> tuple[Tensor, Scale]:
        """The images at `index` as `batch` gives them, and the scale of these images.

        scale: that of other images, instead of their own.
        """
        if isinstance(index, slice):  # in order: not the steps of a training, which keep nothing
            give_back_freed_memory()
        if self.rows is not None:
            index = self.rows[index]
        raw = self.raw[index] if isinstance(index, slice) else self._rows_of_memory(index)
        # one order in memory, whatever the array's was: how torch computes a product depends on its
        # factors' strides
        raw = raw.reshape(-1).contiguous().view(len(raw), prod(self.layout.image))
        unit = to_unit(raw, self.layout)
        scale = self.scale.of(unit) if scale is None else scale
        images = scale.work(unit)
        if isinstance(index, slice):
            give_pages_back(self.array)
        return images, scale

    def pair(self, index: Tensor | slice) -> tuple[Tensor, Tensor | None, Scale]:
        """The images at `index` to train on, the noisy ones that the network is given if there are
        any, and the scale of both: that of the noisy ones, which are all that inference knows.
        """
        if self.noisy is None:
            images, scale = self.scaled_batch(index)
            return images, None, scale
        noisy, scale = self.noisy.scaled_batch(index)
        return self.scaled_batch(index, scale)[0], noisy, scale

    def weights_at(self, index: Tensor | slice) -> Tensor | None:
        """The weights of the images at `index`, `(n,)`, if there are any."""
        return None if self.weights is None else self.weights[index]

    def noise_at(self, index: Tensor | slice) -> Tensor | None:
        """The noise of the images at `index`, `(n, C, 2)`, if it is known."""
        return None if self.noise is None else self.noise[index]

    def fingerprint(self) -> str:
        """16 hex digits that identify the set.

        They are of its layout and length, of at most 1,000 of its images, evenly spaced, and of all
        weights.
        """
        # the words are those of the first version, so that checkpoints keep their fingerprints
        layout = f"Layout(came={self.layout.given}, image={self.layout.image}, dtype={self.layout.dtype!r})"
        if self.layout.has_own_levels:
            layout += f" {tuple(self.layout.levels)}"
        digest = sha256(f"{layout} {len(self)} {self.raw.dtype}".encode())
        images = self._evenly_spaced(FINGERPRINTED).cpu().contiguous()
        digest.update(images.view(-1).view(torch.uint8).numpy().data)
        if self.weights is not None:
            digest.update(self.weights.numpy(force=True).data)
        if self.noisy is not None:
            digest.update(self.noisy.fingerprint().encode())
        return digest.hexdigest()[:16]

    def step(self, widest: int = 0) -> int:
        """How many images to compute at once without training: 1000 small ones, fewer of large
        ones.

        widest: values of an image in the network's widest layer, if they are more than its own.
        """
        return inference_batch_size(max(widest, prod(self.layout.image)), self.raw.device)

    def batches(self, widest: int = 0) -> list[slice]:
        """The complete set in order, in slices of `step`."""
        step = self.step(widest)
        return [slice(start, min(start + step, len(self))) for start in range(0, len(self), step)]

    def inference_batches(
        self, widest: int = 0, even: int = 0
    ) -> Iterator[tuple[slice, Tensor, Scale]]:
        """The complete set in order: rows, their images, and the scale of these.

        even: not 0 if the last bit counts: what a machine computes of one image depends on how many
            are in its batch. Then every batch has the same number, at most `even`, and the last one
            is filled up with copies of its last image.
        """
        step = min(even or len(self), self.step(widest))
        for start in range(0, len(self), step):
            rows = slice(start, min(start + step, len(self)))
            if even:
                index = torch.arange(start, start + step, device=self.raw.device)
                yield rows, *self.scaled_batch(index.clamp_(max=len(self) - 1))
            else:
                yield rows, *self.scaled_batch(rows)

    def _evenly_spaced(self, most: int) -> Tensor:
        """At most `most` images, as given, from the first to the last."""
        index = torch.linspace(0, len(self) - 1, min(len(self), most), dtype=torch.float64).long()
        if self.rows is not None:
            index = self.rows.cpu()[index]
        return self._rows_of_memory(index.to(self.raw.device))

    def _rows_of_memory(self, index: Tensor) -> Tensor:
        """The rows of the memory at `index`, as given."""
        raw = self.raw
        if raw.dtype == torch.uint16:  # torch selects no rows of uint16
            raw = raw.view(torch.int16)
        parts = []
        for places in index.split(SCATTERED if is_large_map(self.array) else max(1, len(index))):
            parts.append(raw.index_select(0, places))
            give_pages_back(self.array)
        rows = torch.cat(parts) if len(parts) > 1 else parts[0]
        return rows.view(self.raw.dtype)


def normalise_weights(weights: Tensor) -> Tensor:
    """Weights `(N,)` as float32, scaled to a mean of 1; NaN if all are 0."""
    exact = weights.cpu().double()
    return (exact / exact.mean()).float().to(weights.device)


def weighted(values: Tensor, weights: Tensor | None) -> Tensor:
    """Values of images, `(n, ...)`, times the images' weights `(n,)`; without weights as they are."""
    if weights is None:
        return values
    ones = [1] * (values.dim() - 1)
    return values * weights.view(-1, *ones)


def shared_tensor(array: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory if it can."""
    if any(stride < 0 for stride in array.strides) or not array.dtype.isnative:
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")  # nothing here writes to it
        return torch.from_numpy(array)
