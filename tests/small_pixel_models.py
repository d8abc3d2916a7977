"""Small pixel models for tests, with weights that nobody trained: any integers make a distribution."""

import numpy as np

from narrows.codec.pixel_model import PixelModel
from narrows.codec.wavefront import neighbour_count

GROUPS = [0, 1, 26, 51, 76, 101, 126, 151, 176, 201, 226, 251, 252, 253, 254, 255]


def categorical(values=256, radius=2, places=8, seed=0, scale=20, **options):
    """A model of grey images of that many values; of 16 or fewer each is a group by itself."""
    generator = np.random.default_rng(seed)
    groups = list(range(values)) if values <= 16 else [g for g in GROUPS if g < values]
    widest = int(np.diff([*groups, values]).max())
    near, group_copies, copies, seen = 3, 2, 4, 1
    more = copies + seen
    shapes = {
        "W1": (24, neighbour_count(radius) + near),
        "b1": (24,),
        "row": (places, 24),
        "column": (places, 24),
        "W2": (12, 24),
        "b2": (12,),
        "W3": (len(groups) + group_copies, 12),
        "b3": (len(groups) + group_copies,),
        "gate": (len(groups), 12),
        "W4": (widest + more, 12),
        "b4": (len(groups), widest + more),
    }
    tensors = {
        name: generator.normal(0, scale, shape).round().astype(np.int64)
        for name, shape in shapes.items()
    }
    tensors["FIRST"] = np.arange(values) * 255 // max(1, values - 1)
    tensors["SECOND"] = np.clip(np.arange(values) - 250, 0, 5) * 51
    tensors["W3"] //= 10
    tensors["b3"][0] = 80_000  # zero is likely: 5 nats
    made = {
        "head": "categorical",
        "types": ["uint8", "bool"],
        "channels": 1,
        "tile": 6,
        "area": 13,
        "radius": radius,
        "values": values,
        "groups": groups,
        "near": near,
        "group_copies": group_copies,
        "copies": copies,
        "seen": seen,
        "shifts": [5, 7, 6, 5, 7],
    }
    return PixelModel({**made, **options}, tensors)


def strokes(count, size=(20, 18), seed=0, values=256):
    """Grey images `(count, *size)`, mostly zero, with a few strokes."""
    generator = np.random.default_rng(seed)
    images = np.zeros((count, *size), np.uint8)
    for image in images:
        for _ in range(2):
            row, column = (generator.integers(0, side) for side in size)
            image[row : row + 5, column : column + 3] = generator.integers(1, values)
    return images


def sparse(count, size=(20, 18), seed=0):
    """Grey images `(count, *size)` of noise, nine of ten pixels zero: what `categorical` expects."""
    generator = np.random.default_rng(seed)
    noise = generator.integers(0, 256, (count, *size))
    return np.where(generator.random(noise.shape) < 0.1, noise, 0).astype(np.uint8)
