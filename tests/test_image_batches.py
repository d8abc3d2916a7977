"""A set of images in memory: what names it."""

import numpy as np

from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.scale import FIXED_SCALES


def fingerprint(array: np.ndarray) -> str:
    array, layout = as_images(array, None)
    return ImageBatches(array, layout, FIXED_SCALES["unit"]).fingerprint()


def test_the_fingerprint_names_values_form_and_number():
    X = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    others = [X[:3], X[::-1], X.reshape(4, 3, 4), X.astype(np.uint16), X + np.uint8(1)]
    assert fingerprint(X) == fingerprint(X.copy())
    assert len({fingerprint(array) for array in (X, *others)}) == 6


def test_the_fingerprint_of_many_images_looks_at_places_that_there_are():
    assert fingerprint(np.zeros((2**24 + 4, 1, 1), np.uint8))  # the last place is no float32
