"""Training of the model of few values (`narrows.codec.categorical`) on grey images.

What the images say is fixed before: groups of values by their histogram, a second scale of values for the
nearest neighbours (`narrows.codec.groups`), and whether rows and columns have biases: if all images have one
size, of at most 64 each.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.codec.groups import MOST_GROUPS, Groups, best_groups, groups_from, second_scale
from narrows.codec.pixel_model import PixelModel
from narrows.codec.training.loop import Progress, train
from narrows.codec.training.network import Network
from narrows.codec.training.samples import GreySamples, tiles_in
from narrows.codec.training.sizes import BEST_SIZES, SIZES, SPARSE_SIZES, ModelSize, size_for
from narrows.codec.wavefront import Layout, is_warm
from narrows.errors import ImageError
from narrows.randomness import key_of, keyed_generator

MOST_PLACES = 64  # rows and columns up to which a model knows where a pixel is
TILE, AREA = 8, 22  # of the model file, logarithms
TOP = 255  # of the values that the network sees
SPARSE = (
    0.5  # at most that share of the pixels is warm in drawings (.35 of MNIST, .69 of Fashion-MNIST)
)
SURVEYED, SURVEYED_RADIUS = 1000, 2  # tiles, at most, of which the share is taken


def fit_categorical(
    images: Sequence[np.ndarray],
    values: int = 256,
    types: Sequence[str] = ("uint8",),
    size: ModelSize | None = None,
    random_state: int = 0,
    progress: Progress = lambda step, steps, bits: None,
    best: bool = False,
) -> PixelModel:
    """A pixel model of grey images `(rows, columns)` of values 0 to values - 1, at most 256 of them.

    types: of images that it will code. size: by default that which pays for these images (`sizes`). best:
    by default a larger one, that takes minutes.
    progress: called with steps done, steps, bits per pixel. The same images, size and random_state give the
    same model, on one kind of machine and with one number of threads. Raises `ImageError` if there are
    no pixels, or other values.
    """
    tiles = tiles_in(images, TILE)
    size = size or _size(tiles, values, best)
    counts = _histogram(tiles, values)
    groups = groups_from(best_groups(counts + 1), values)
    options = _options(size, groups, types)
    generator = keyed_generator(random_state, "weights of a pixel model")
    network = Network(options, _tables(groups), size.widths, _places(images), generator)
    network.most_units, network.bias_units = size.units
    batches = _batches(GreySamples(tiles, size.radius, values), groups, size.batch, random_state)
    train(network, batches, size.steps, progress)
    tensors, shifts = network.integers()
    return PixelModel({**options, "shifts": shifts}, tensors)


def _size(tiles: Sequence[np.ndarray], values: int, best: bool) -> ModelSize:
    """The size of a model for images like these; best: whatever the time."""
    bytes_of_all = sum(tile.size for tile in tiles)
    if best:
        return size_for(bytes_of_all, BEST_SIZES)
    if _warm_share(tiles) >= SPARSE:
        return size_for(bytes_of_all, SIZES)
    size = size_for(bytes_of_all, SPARSE_SIZES)
    # where each value is a group by itself there is time for more neighbours
    return size._replace(radius=size.radius + 1) if values <= MOST_GROUPS else size


def _warm_share(tiles: Sequence[np.ndarray]) -> float:
    """The share of pixels with a neighbour that is not zero."""
    some = tiles[:: -(-len(tiles) // SURVEYED)]
    layout = Layout([tile.shape for tile in some], SURVEYED_RADIUS)
    warm = is_warm(layout.lay_out([tile[..., None] for tile in some])[:, 0], layout.offsets)
    return sum(np.count_nonzero(view) for view in layout.views(warm)) / sum(map(np.size, some))


def _histogram(tiles: Sequence[np.ndarray], values: int) -> np.ndarray:
    """How often each value occurs, `(values,)`."""
    counts = np.zeros(values, np.int64)
    for tile in tiles:
        often = np.bincount(tile.reshape(-1), minlength=values)
        if len(often) > values:
            raise ImageError(
                f"a pixel model of {values} values: got an image with the value {len(often) - 1}, "
                f"expected 0 to {values - 1}"
            )
        counts += often
    return counts


def _options(size: ModelSize, groups: Groups, types: Sequence[str]) -> dict[str, Any]:
    values, has_places = len(groups.group), int(groups.sizes.max() > 1)
    return {
        "head": "categorical",
        "types": list(types),
        "channels": 1,
        "tile": TILE,
        "area": AREA,
        "radius": size.radius,
        "values": values,
        "groups": groups.first.tolist(),
        "near": size.near * has_places,
        "group_copies": size.copies,
        "copies": size.copies * has_places,
        "seen": int(size.seen) * has_places,
    }


def _tables(groups: Groups) -> dict[str, np.ndarray]:
    """FIRST and SECOND."""
    values, ranks = np.arange(len(groups.group)), second_scale(groups)
    return {
        "FIRST": values * (TOP // max(1, values[-1])),
        "SECOND": ranks * (TOP // max(1, ranks.max())),
    }


def _places(images: Sequence[np.ndarray]) -> tuple[int, int]:
    """Rows and columns, if all images have the same and are small; else one of each."""
    sizes = {image.shape for image in images}
    rows, columns = max(sizes)
    return (rows, columns) if len(sizes) == 1 and max(rows, columns) <= MOST_PLACES else (1, 1)


def _batches(
    samples: GreySamples, groups: Groups, count: int, random_state: int
) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
    """What `Network.nats` takes, and the weight of each pixel."""
    generator = np.random.default_rng(key_of(random_state, "pixels"))
    for batch in samples.batches(count, generator):
        had = samples.had(batch, groups)
        arrays = batch.x, batch.value, batch.row, batch.column, had
        yield tuple(map(torch.from_numpy, arrays)), torch.from_numpy(batch.weight)
