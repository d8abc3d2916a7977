"""A pixel model of images of any kind: which of them are trained on, and which kind of model.

A model is for images of one type and number of channels; it is trained on those of which there are most. Of
more than 64 MB or 100,000 images some are taken, evenly spaced: every second, every fourth, and so on.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from narrows.codec.blocks import Kind
from narrows.codec.index import Form
from narrows.codec.palette import COUNTS, best_palette
from narrows.codec.pixel_model import PixelModel, counted
from narrows.codec.sources import Batch, Numbers
from narrows.errors import ImageError

WORTH = 20_000  # bytes that DEFLATE leaves of images, from which a model of their own may pay
MOST_BYTES, MOST_IMAGES = 1 << 26, 100_000  # that are trained on
MOST_CATEGORICAL = 256  # values
FEW = 16  # values, for which a choice of one is best
NONE = "there is no pixel model for images of this type"

Progress = Callable[[int, int, float], object]  # (steps done, steps, bits per pixel)


def _no_progress(done: int, steps: int, bits: float) -> None:
    pass


@dataclass(frozen=True)
class Training:
    """How a pixel model is trained. random_state: seed, an integer ≥ 0. best: a larger model, for longer.
    progress: makes what shows it.
    """

    random_state: int = 0
    best: bool = False
    progress: Callable[[], AbstractContextManager[Progress]] = lambda: nullcontext(_no_progress)


def may_pay(images: Iterable[np.ndarray]) -> bool:
    """Whether there is so much in these images that a model of their own may save more than its own
    bytes. Reads no more of them than that takes.
    """
    packer, left = zlib.compressobj(1), 0
    for image in images:
        left += len(packer.compress(image.tobytes()))
        if left > WORTH:
            return True
    return left + len(packer.flush()) > WORTH


def fit_pixel_model(
    X: Any, levels: int | None = None, random_state: int = 0, best: bool = False
) -> PixelModel:
    """A pixel model, for `compress`, of images like these.

    X: as `compress` takes it, of 8 or 16 bits. levels: number of grey levels, for the mode of that
    name; None: all values. random_state: seed, an integer ≥ 0. best: a larger model, trained for many
    minutes; it makes smaller archives, more slowly, and is larger itself (for `apart=True`).

    The same images and seed give the same model on one kind of machine with one number of threads. Raises
    `ImageError` for images that no pixel model is for.
    """
    source = Batch(X)
    images = source if levels is None else Numbers(source, best_palette(source, levels))
    model = train_pixel_model(images, levels, Training(random_state, best))
    if model is None:
        raise ImageError(f"{NONE}; narrows compress packs them by the best general compressor")
    return model


def train_pixel_model(
    images: Iterable[np.ndarray], levels: int | None, training: Training
) -> PixelModel | None:
    """A pixel model of images, which are read once; None if there is no model for images of their type.

    levels: how many different values they have, counted from 0; None: all of their type.
    """
    kind, some = _most_frequent(images)
    if kind is None or kind.dtype not in COUNTS:
        return None
    values = levels or COUNTS[kind.dtype]
    head = _head(some, kind, values, training.best)
    with training.progress() as progress:
        return TRAINERS[head](some, kind, values, training, progress)


def _head(images: list[np.ndarray], kind: Kind, values: int, best: bool) -> str:
    """The kind of model."""
    if kind.channels > 1 or values > MOST_CATEGORICAL:
        return "mixture"
    if values <= FEW:
        return "categorical"
    from narrows.codec.training.trial import better_head

    return better_head(counted(images), values, best)


def _most_frequent(images: Iterable[np.ndarray]) -> tuple[Kind | None, list[np.ndarray]]:
    """The kind of which there are most bytes, and images of that kind."""
    kept: dict[Kind, list[np.ndarray]] = defaultdict(list)
    for image in _some_of(images):
        kept[Kind(image.dtype.name, image.shape[2])].append(image)
    if not kept:
        return None, []
    kind = max(kept, key=lambda kind: sum(image.nbytes for image in kept[kind]))
    return kind, kept[kind]


def _some_of(images: Iterable[np.ndarray]) -> list[np.ndarray]:
    """At most that many images, evenly spaced, as `(rows, columns, channels)`; rows of tables are none."""
    kept: list[np.ndarray] = []
    step, size = 1, 0
    for number, image in enumerate(images):
        if number % step or image.ndim == 1:
            continue
        form = Form(1, image.dtype.name, image.shape)
        kept.append(np.array(image, form.dtype).reshape(form.image))
        size += image.nbytes
        if len(kept) > MOST_IMAGES or size > MOST_BYTES:
            kept, step = kept[::2], 2 * step
            size = sum(image.nbytes for image in kept)
    return kept


# -- the kinds of models --------------------------------------------------------------------------


def _fit_categorical(
    images: list[np.ndarray], kind: Kind, values: int, training: Training, progress: Progress
) -> PixelModel:
    from narrows.codec.training.fit import fit_categorical

    grey = counted([image[..., 0] for image in images])
    seed, best = training.random_state, training.best
    return fit_categorical(grey, values, (kind.dtype,), None, seed, progress, best)


def _fit_mixture(
    images: list[np.ndarray], kind: Kind, values: int, training: Training, progress: Progress
) -> PixelModel:
    from narrows.codec.training.mixture_fit import fit_mixture

    seed, best = training.random_state, training.best
    return fit_mixture(counted(images), values, (kind.dtype,), None, seed, progress, best)


TRAINERS: dict[str, Callable[[list[np.ndarray], Kind, int, Training, Progress], PixelModel]] = {
    "categorical": _fit_categorical,
    "mixture": _fit_mixture,
}
