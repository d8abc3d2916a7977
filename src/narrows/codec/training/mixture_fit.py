"""Training of the mixture model (`narrows.codec.mixture`) on images of 1 to 4 channels and any values.

What the images say is fixed before, by 65,536 of their pixels: which earlier channel is subtracted from each,
namely that which leaves the least of its first guess, by the mean of log(1 + |y - p|); and the unit of
inputs, a power of two of which the median of what is left, where it is not 0, is 8 to 16, if it is over 8;
1 if there are at most 512 values.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.codec.mixture import MOST_UNIT, guesses, planes_of
from narrows.codec.pixel_model import PixelModel
from narrows.codec.training.loop import Progress, train
from narrows.codec.training.mixture_network import MixtureNetwork, inputs_of, whitening_of
from narrows.codec.training.samples import Batch, Samples, tiles_in
from narrows.codec.training.sizes import BEST_MIXTURE_SIZES, MIXTURE_SIZES, MixtureSize, size_for
from narrows.randomness import key_of, keyed_generator

TILE, AREA = 8, 18  # of the model file, logarithms: many pixels a step, and a picture in two blocks
SURVEYED = 1 << 16  # pixels
TYPICAL = 8  # units


def fit_mixture(
    images: Sequence[np.ndarray],
    values: int = 256,
    types: Sequence[str] = ("uint8",),
    size: MixtureSize | None = None,
    random_state: int = 0,
    progress: Progress = lambda step, steps, bits: None,
    best: bool = False,
) -> PixelModel:
    """A pixel model of images `(rows, columns, channels)` of values 0 to values - 1, at most 65,536 of them.

    types: of images that it will code. size: by default that which pays for these images. best: by
    default a larger one, that takes minutes. progress: called with steps done, steps, bits per pixel
    (of all its channels). The same images, size and random_state give the same model, on one kind of
    machine and with one number of threads. Raises `ImageError` if there are no pixels.
    """
    tiles = tiles_in(images, TILE)
    sizes = BEST_MIXTURE_SIZES if best else MIXTURE_SIZES
    size = size or size_for(sum(tile.nbytes for tile in tiles), sizes)
    samples = Samples(tiles, size.radius)
    generator = np.random.default_rng(key_of(random_state, "pixels"))
    some = samples.some(SURVEYED, generator)
    options = {
        "head": "mixture",
        "types": list(types),
        "channels": tiles[0].shape[2],
        "tile": TILE,
        "area": AREA,
        "radius": size.radius,
        "values": values,
        **survey(some, values),
    }
    whitening = whitening_of(inputs_of(some, options)[0])
    weights = keyed_generator(random_state, "weights of a pixel model")
    network = MixtureNetwork(options, size.widths, size.components, whitening, weights)
    train(network, _batches(samples, options, size.batch, generator), size.steps, progress)
    tensors, shifts = network.integers()
    return PixelModel({**options, "shifts": shifts}, tensors)


def survey(pixels: Batch, values: int) -> dict[str, Any]:
    """The options `order`, `base` and `unit`, by some pixels of that many values."""
    channels = pixels.value.shape[1]
    order = [1, 0, 2, 3][:channels] if channels > 2 else list(range(channels))
    base = [-1] * channels
    least = []
    for plane in range(channels):
        left = {other: _left(pixels, order, base, plane, other) for other in range(-1, plane)}
        base[plane] = min(left, key=lambda other: np.log1p(left[other]).mean())
        least.append(left[base[plane]])
    changes = np.concatenate(least)
    typical = np.median(changes[changes > 0]) if changes.any() else 1.0
    unit = int(np.clip(np.log2(typical / TYPICAL), 0, MOST_UNIT)) if values > 512 else 0
    return {"order": order, "base": base, "unit": unit}


def _left(pixels: Batch, order: list[int], base: list[int], plane: int, other: int) -> np.ndarray:
    """How far a plane is from its first guess, if `other` is subtracted from it."""
    tried = [*base[:plane], other, *base[plane + 1 :]]
    y, near = (planes_of(array, order, tried) for array in (pixels.value, pixels.x))
    return np.abs(y - guesses(near))[:, plane]


def _batches(
    samples: Samples, options: dict[str, Any], count: int, generator: np.random.Generator
) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
    """What `MixtureNetwork.nats` takes, and the weight of each pixel."""
    for batch in samples.batches(count, generator):
        yield inputs_of(batch, options), torch.from_numpy(batch.weight)
