"""The sets of images of `bench codec`: those to train on, and those that are compressed.

    mnist, fashion-mnist    60,000 images to train on, 10,000 test images, 28 x 28, grey
    photos                  colour photographs of different sizes in $NARROWS_DATA: those of `photos/train`,
                            and the 68 of `photos/cbsd68`

All are uint8: `(N, H, W)`, or a list of `(H, W, 3)`.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from narrows.codec.arrangements import Images
from narrows.data import load_data
from narrows.errors import DataError

PHOTOS = {"train": Path("photos", "train"), "test": Path("photos", "cbsd68")}


def _named(name: str, part: str) -> np.ndarray:
    return load_data(name, part)[0]


def _photos(part: str) -> list[np.ndarray]:
    from PIL import Image

    folder = Path(os.environ.get("NARROWS_DATA") or ".", PHOTOS[part])
    files = sorted(path for path in folder.glob("*") if path.is_file())
    if not files:
        raise DataError(
            f"{folder} holds no photographs; put some there, or set NARROWS_DATA to a folder with them"
        )
    return [np.asarray(Image.open(file).convert("RGB")) for file in files]


SETS: dict[str, Callable[[str], Any]] = {
    "mnist": partial(_named, "mnist"),
    "fashion-mnist": partial(_named, "fashion-mnist"),
    "photos": _photos,
}


def images_of(name: str, part: str, most: int | None = None) -> Images:
    """The images of a set. part: train or test. most: at most this many. Raises `DataError`."""
    return SETS[name](part)[:most]
