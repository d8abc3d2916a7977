"""The tasks on which scores of anomalies are compared: normal images to train on, and test images of
both kinds.

    mnist, fashion-mnist       one class is normal, the nine others are anomalous; a task a class
    mnist-jittered, ...        the same; x → g x + b with g ~ U(.3, 1), b ~ U(0, 1 - g) of each image
    textures                   crops of one photograph, half of the test crops with a defect (`defects`);
                               those to train on are from its left part, the others from its right
    digits                     as mnist, of 8 x 8; 6 of 10 images of a class are for training

All images are float32 in [0, 1], and all random numbers belong to the seed and the task's name.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from narrows.bench.defects import defect
from narrows.data import load_data
from narrows.errors import DataError
from narrows.randomness import key_of

Rng = np.random.Generator
Parts = tuple[
    np.ndarray, np.ndarray, np.ndarray
]  # training images, test images, which are anomalous
PHOTOS = Path("photos", "train")  # in $NARROWS_DATA
MOST_PHOTOS = 10
CROP = 64  # pixels
TRAIN_CROPS, TEST_CROPS = 700, 300
LEFT = 0.6  # of a photograph, for training
DIGITS_TO_TRAIN = 0.6


@dataclass(frozen=True, eq=False)
class Task:
    """train `(N, H, W)` and test `(M, H, W)`, float32 in [0, 1]; anomalous `(M,)`, boolean."""

    train: np.ndarray
    test: np.ndarray
    anomalous: np.ndarray


@dataclass(frozen=True)
class Entry:
    """A task that can be made. split: all its images, before any is left out or jittered."""

    name: str
    group: str
    split: Callable[[Rng], Parts]
    is_jittered: bool = False

    def task(self, seed: int, images: int | None = None, test_images: int | None = None) -> Task:
        """The task with at most this many images of each part; of the test images the share of
        anomalous ones is kept.
        """
        rng = np.random.default_rng(key_of(seed, self.name, "bench anomaly"))
        train, test, anomalous = self.split(rng)
        rows = np.sort(rng.permutation(len(train))[:images])
        test_rows = _some_of_both(anomalous, test_images, rng)
        train, test, anomalous = train[rows], test[test_rows], anomalous[test_rows]
        if self.is_jittered:
            train, test = jitter(train, rng), jitter(test, rng)
        return Task(as_unit(train), as_unit(test), anomalous)


def entries_of(groups: Iterable[str]) -> list[Entry]:
    """The tasks of these groups. Raises `DataError` if there are no photographs."""
    return [entry for group in dict.fromkeys(groups) for entry in GROUPS[group](group)]


def as_unit(images: np.ndarray) -> np.ndarray:
    """Images of 8 bits as float32 in [0, 1]; others as they are."""
    return images.astype(np.float32) / 255 if images.dtype == np.uint8 else images


def jitter(images: np.ndarray, rng: Rng) -> np.ndarray:
    """Images `(N, H, W)` in [0, 1] with brightness and contrast of their own."""
    gain = rng.uniform(0.3, 1, (len(images), 1, 1))
    offset = rng.uniform(0, 1, gain.shape) * (1 - gain)
    return (gain * as_unit(images) + offset).astype(np.float32)


def _some_of_both(anomalous: np.ndarray, most: int | None, rng: Rng) -> np.ndarray:
    """Places of at most this many images, normal ones and anomalous ones in proportion."""
    count = len(anomalous)
    if most is None or most >= count:
        return np.arange(count)
    order = rng.permutation(count)
    normal_first = order[np.argsort(anomalous[order], kind="stable")]
    return np.sort(normal_first[np.linspace(0, count - 1, most).round().astype(int)])


# -- the splits ------------------------------------------------------------------------------------


def one_class(collection: str, number: int, rng: Rng) -> Parts:
    """The training images of a class of a named set, and all its test images."""
    (train, labels), (test, test_labels) = _loaded(collection, "train"), _loaded(collection, "test")
    return train[labels == number], test, test_labels != number


def digits(number: int, rng: Rng) -> Parts:
    """A part of the images of a digit, and all others."""
    images, labels = _loaded("digits", "all")
    rows = rng.permutation(np.flatnonzero(labels == number))
    for_training = rows[: int(DIGITS_TO_TRAIN * len(rows))]
    others = np.delete(np.arange(len(labels)), for_training)
    return images[for_training], images[others], labels[others] != number


def texture(path: Path, rng: Rng) -> Parts:
    """Crops of a photograph: of its left part, and of its right part, half of these with a defect."""
    photo = _photo(path)
    border = int(LEFT * photo.shape[1])
    if min(photo.shape[0], border, photo.shape[1] - border) < CROP:
        size = " x ".join(map(str, photo.shape[::-1]))
        raise DataError(f"{path} is too small to cut textures of {CROP} pixels from: {size}")
    train = crops(photo[:, :border], TRAIN_CROPS, rng)
    test = crops(photo[:, border:], TEST_CROPS, rng)
    anomalous = np.arange(TEST_CROPS) < TEST_CROPS // 2
    test[anomalous] = [defect(crop, rng)[0] for crop in test[anomalous]]
    return train, test, anomalous


def crops(photo: np.ndarray, count: int, rng: Rng) -> np.ndarray:
    """Squares at random places of a picture `(H, W)`, `(count, CROP, CROP)`."""
    places = rng.integers(0, np.subtract(photo.shape, CROP - 1), (count, 2))
    return np.stack([photo[y : y + CROP, x : x + CROP] for y, x in places])


@lru_cache(maxsize=4)
def _loaded(collection: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = load_data(collection, split)
    return images, np.asarray(labels)


@lru_cache(maxsize=1)
def _photo(path: Path) -> np.ndarray:
    """A photograph in grey, float32 in [0, 1], `(H, W)`."""
    return as_unit(load_data(path, grey=True)[0][0])


# -- the groups ------------------------------------------------------------------------------------


def _digits(group: str) -> list[Entry]:
    return [Entry(f"{group} {number}", group, partial(digits, number)) for number in range(10)]


def _one_class(collection: str, is_jittered: bool, group: str) -> list[Entry]:
    return [
        Entry(f"{group} {number}", group, partial(one_class, collection, number), is_jittered)
        for number in range(10)
    ]


def _textures(group: str) -> list[Entry]:
    return [
        Entry(f"{group} {path.stem}", group, partial(texture, path)) for path in _chosen_photos()
    ]


def _chosen_photos() -> Sequence[Path]:
    """Some of the photographs, evenly from the list of their names."""
    folder = Path(os.environ.get("NARROWS_DATA") or ".", PHOTOS)
    photos = sorted(path for path in folder.glob("*") if path.is_file())
    if not photos:
        raise DataError(
            f"{folder} holds no photographs, of which textures are cut; "
            "put some there, or leave textures out of --groups"
        )
    places = np.linspace(0, len(photos), MOST_PHOTOS, endpoint=False).astype(int)
    return [photos[place] for place in np.unique(places)]


GROUPS: dict[str, Callable[[str], list[Entry]]] = {
    "mnist": partial(_one_class, "mnist", False),
    "fashion-mnist": partial(_one_class, "fashion-mnist", False),
    "mnist-jittered": partial(_one_class, "mnist", True),
    "fashion-mnist-jittered": partial(_one_class, "fashion-mnist", True),
    "textures": _textures,
    "digits": _digits,
}
