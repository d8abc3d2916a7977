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


ORDERS = {1: ([0], [-1]), 2: ([0, 1], [-1, -1]), 3: ([1, 0, 2], [-1, 0, 0])}
ORDERS[4] = [1, 0, 2, 3], [-1, 0, 0, -1]


def mixture(channels=3, values=256, radius=2, seed=0, scale=20, components=3, **options):
    """A model of images of that many channels and values."""
    generator = np.random.default_rng(seed)
    inputs = neighbour_count(radius) * channels + channels - 1
    shapes = {"1": (20, inputs), "2": (12, 20), "3": (3 * components, 12)}
    tensors = {}
    for layer, (rows, columns) in shapes.items():
        for name, shape in ((f"W{layer}", (rows, columns)), (f"b{layer}", (rows,))):
            tensors[name] = generator.normal(0, scale, (channels, *shape)).round().astype(np.int64)
    tensors["b3"][:, 2 * components :] += 1300 << 7  # scales of some levels
    order, base = ORDERS[channels]
    made = {
        "head": "mixture",
        "types": ["uint8"] if values <= 256 else ["uint16", "int16"],
        "channels": channels,
        "tile": 6,
        "area": 13,
        "radius": radius,
        "values": values,
        "unit": 0 if values <= 256 else 5,
        "order": order,
        "base": base,
        "shifts": [5, 7, 7],
    }
    return PixelModel({**made, **options}, tensors)


def smooth(shape, values=256, seed=0, dtype=np.uint8):
    """An image of that shape, `(H, W, C)`, that changes slowly, with some noise."""
    generator = np.random.default_rng(seed)
    height, width, channels = shape
    row, column = np.mgrid[:height, :width]
    wave = np.sin(row / 9 + 1)[..., None] * np.cos(column / 7)[..., None] + np.arange(channels) / 9
    noise = generator.normal(0, 0.02, (height, width, 1)) + generator.normal(0, 0.01, shape)
    image = np.rint((wave / 3 + 0.4 + noise) * values)
    first = np.iinfo(dtype).min if np.dtype(dtype).kind == "i" else 0
    return (np.clip(image, 0, values - 1) + first).astype(dtype)
