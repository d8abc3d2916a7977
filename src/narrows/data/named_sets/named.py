"""The table of named sets.

A set is `function(split, **options) -> ImageSet`, with split "train" or "test" ("all" is both,
joined by the caller); its own keyword arguments are its options. To add a set: one function, one
entry in `NAMED_SETS`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.image_set import ImageSet
from narrows.data.named_sets.coloured import draw_colours, paint
from narrows.data.named_sets.fetch import obtain
from narrows.data.named_sets.spiral import spiral
from narrows.data.readers.idx import parse_idx

STEMS = {"train": "train", "test": "t10k"}
DIGITS = tuple("0123456789")
GARMENTS = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def digits(split: str) -> ImageSet:
    """1,797 handwritten digits of 8 x 8, embedded: 1,437 to train, 360 to test, uint8 0..255.

    scikit-learn's copy of the UCI set; values 0..16 become round(v * 255 / 16). Every fifth image
    of each class, in a fixed random order, is a test image.
    """
    from sklearn.datasets import load_digits  # here, because it is slow to import

    stored: Any = load_digits()
    order = np.lexsort((np.random.default_rng(0).random(len(stored.target)), stored.target))
    is_test = np.zeros(len(order), bool)
    is_test[order[::5]] = True
    chosen = is_test if split == "test" else ~is_test
    images = np.rint(stored.images[chosen] * 255 / 16).astype(np.uint8)
    source = f"Optical Recognition of Handwritten Digits (UCI, scikit-learn's copy), {split} images"
    return ImageSet(images, stored.target[chosen].astype(np.int64), classes=DIGITS, source=source)


def mnist(split: str) -> ImageSet:
    """Handwritten digits, 28 x 28, uint8: 60,000 to train, 10,000 to test. Raises `DataError`."""
    return _read_idx_files(
        "mnist", split, DIGITS, "the MNIST database of handwritten digits (LeCun, Cortes, Burges)"
    )


def fashion_mnist(split: str) -> ImageSet:
    """Photographs of garments, 28 x 28, uint8: 60,000 to train, 10,000 to test. Raises `DataError`."""
    return _read_idx_files(
        "fashion-mnist", split, GARMENTS, "Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017)"
    )


def coloured_mnist(split: str, colour: str = "class", low: float = 0.3, seed: int = 0) -> ImageSet:
    """MNIST's digits with strokes in a random colour on black, 28 x 28 x 3, uint8.

    colour: "class" (default: one colour a class, the same ten in train and test) or "image" (one an
        image).
    low: each channel of a colour is uniform in [low, 1]; default 0.3.
    seed: of the colours; default 0.

    Mean signal power (the mean of the squared values, in [0, 1]) with the defaults: 0.0555 in
    train, 0.0566 in test; with `colour="image"` 0.0518 and 0.0526; with `low=0` about 0.038. Raises
    `UnknownName` and `DataError`.
    """
    grey = mnist(split)
    labels = np.asarray(grey.labels)
    chosen = draw_colours(labels, colour, low, (seed, split == "test"))
    strokes = f"strokes in one random colour per {colour}, channels in [{low}, 1], seed {seed}"
    return replace(grey, images=paint(grey.images, chosen), source=f"{grey.source}; {strokes}")


NAMED_SETS: dict[str, Callable[..., ImageSet]] = {
    "digits": digits,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "coloured-mnist": coloured_mnist,
    "spiral": spiral,
}


def _read_idx_files(name: str, split: str, classes: tuple[str, ...], title: str) -> ImageSet:
    """One split of a set that is kept as four IDX files."""
    stem = STEMS[split]
    images = _obtain_array(name, f"{stem}-images-idx3-ubyte")
    labels = _obtain_array(name, f"{stem}-labels-idx1-ubyte")
    source = f"{title}, {split} images"
    return ImageSet(images, labels.astype(np.int64), classes=classes, source=source)


def _obtain_array(name: str, file: str) -> np.ndarray:
    return parse_idx(obtain(name, file), Path(file))
