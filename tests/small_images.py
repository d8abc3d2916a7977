"""Small arrays of random images, and their way to a network and back."""

import numpy as np

from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.scale import choose_scale, to_user

SHAPES = [(12,), (5, 9), (1, 1), (4, 3, 1), (4, 3, 2), (5, 7, 3), (2, 2, 4)]  # of one image


def random_images(dtype: str, *shape: int, seed: int = 0) -> np.ndarray:
    """Images of that type in its range; floats are multiples of 1/256, which float32 holds on any
    scale.
    """
    random = np.random.default_rng(seed)
    high = {"uint8": 256, "uint16": 65536, "bool": 2}.get(dtype, 257)
    values = random.integers(0, high, shape)
    if dtype.startswith("f"):
        values = values / 256
    return values.astype(dtype)


def round_trip(X: np.ndarray, scale: str = "unit", image_shape=None) -> np.ndarray:
    """The images on the working scale, and back in the form in which they were given."""
    array, layout = as_images(X, image_shape)
    working_scale = choose_scale(scale, array, layout)
    batch = ImageBatches(array, layout, working_scale).batch(slice(None))
    return to_user(working_scale.unit(batch), layout)
