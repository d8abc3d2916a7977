"""What a picture can look at: a trained model, the images of its data, and what the model makes of
chosen ones.

    of       "test", "train" or "validation" (what the model held back), or another set by its name, such as
             "fashion-mnist" (its test images), or "noise" (uniform integers 0 to 254, seed 0)
    choice   { on = "test", start = 9705, count = 10 } or { on = "test", index = [9710] }; a list
             joins several

What a model is fed may differ from the image x: x̃ = times · x + noise · ε, clipped or not. Its
output is divided by `times` again. `times = 255` repeats a mistake of some published reports, which
fed pixels of 0 to 255 to networks that were trained on [0, 1]; `noise` is on the scale of x̃.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from narrows.data import ImageSet, read_data
from narrows.errors import NarrowsWarning, unknown, wrong
from narrows.levels import UNIT_LEVELS, unit_values
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.inference import with_input_levels
from narrows.parts.term import Term
from narrows.randomness import keyed_generator
from narrows.study.data_split import DataSplit, chosen

PARTS = ("test", "train", "validation")
# options of a choice, and their defaults
CHOICE = {"on": "test", "start": 0, "count": None, "index": None}
# what a network may be fed, and its defaults
FED = {"times": 1.0, "noise": 0.0, "clip": False, "seed": 0}


@dataclass(eq=False)
class Trained:
    """A trained model and its data.

    seconds: of its training.
    warnings: issued during training.
    snapshots: taken during training (epoch -> rows of images).
    step_terms: the loss and its terms, an entry a step.
    complete: whether the training came to its end.
    reused: whether it was trained already.
    """

    name: str
    model: ImageModel
    split: DataSplit
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    snapshots: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    step_terms: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
    reused: bool = False

    @property
    def steps(self) -> int:
        """Steps of its optimiser; 0 for a model that has none."""
        return len(self.step_terms.get("loss", ()))

    @property
    def history(self) -> Mapping[str, list[float]]:
        return self.model.history_

    @property
    def terms(self) -> Mapping[str, Term]:
        """The terms of its loss by name, each with its title, unit and caption."""
        return self.model.terms_

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image."""
        return self.model.layout_.given

    @property
    def _held_back(self) -> np.ndarray | None:
        """The training images that the model held back for its validation, by their places."""
        return self.model.validation_index_

    def part(self, on: str = "test") -> tuple[np.ndarray, np.ndarray | None]:
        """Images and labels of a part of its data, or of another set."""
        train = self.split.train
        if on == "validation" and self._held_back is not None:
            return train.images[self._held_back], chosen(train.labels, self._held_back)
        if on == "train":
            return train.images, train.labels
        if on in PARTS:
            return self.split.test.images, self.split.test.labels
        other = _other(on, self.shape)
        return other.images, other.labels

    def pick(self, choice: Any, most: int = 10) -> tuple[np.ndarray, list[str]]:
        """The chosen images as floats on [0, 1], and a name for each, such as "test 9705"."""
        images, names = [], []
        for on, places in self._places(choice, most):
            images.append(self.as_floats(self.part(on)[0][places]))
            names += [f"{on} {place}" for place in places]
        return np.concatenate(images), names

    def pick_noisy(self, choice: Any, most: int = 10) -> np.ndarray | None:
        """The noisy images that belong to those that `pick` gives, where there are pairs."""
        picked = []
        for on, places in self._places(choice, most):
            noisy = self._noisy(on)
            if noisy is None:
                return None
            picked.append(self.as_floats(noisy[places]))
        return np.concatenate(picked)

    def _places(self, choice: Any, most: int) -> list[tuple[str, list[int]]]:
        """Parts of the data, and the places in them, that a choice names."""
        choices = choice if isinstance(choice, (list, tuple)) else [choice or {}]
        return [self._places_of_one(one, most) for one in choices]

    def _places_of_one(self, choice: Any, most: int) -> tuple[str, list[int]]:
        on = _checked_options("images", choice, CHOICE)["on"]
        count, index = len(self.part(on)[0]), _index(choice, most)
        inside = [place for place in index if 0 <= place < count]
        may_end_early = choice.get("index") is None  # a count may end where the set does
        if not inside or (inside != index and not may_end_early):
            raise wrong("images", choice, f"places from 0 to {count - 1}")
        return on, inside

    def _noisy(self, on: str) -> np.ndarray | None:
        """The noisy images that belong to a part of the data."""
        train = self.split.train
        if on == "validation" and self._held_back is not None:
            return chosen(train.noisy, self._held_back)
        if on == "train":
            return train.noisy
        if on in PARTS:
            return self.split.test.noisy
        return None

    def feed(
        self, images: np.ndarray, fed: Mapping[str, Any] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the model is fed for floats on [0, 1], and its output, both as floats where 1 is white."""
        options = _checked_options("fed", fed or {}, FED)
        times = options["times"]
        if not times > 0:
            raise wrong("times", times, "a number above 0")
        given = images * np.float32(times)
        if options["noise"]:
            noise = _standard_normal(images.shape, options["seed"])
            given = given + np.float32(options["noise"]) * noise
        if options["clip"]:
            given = np.clip(given, 0, times)
        with warnings.catch_warnings():  # another scale is what `times` asks for
            warnings.simplefilter("ignore", NarrowsWarning)
            output = self.unit_model.reconstruct(given, exact=True)
        return given / np.float32(times), output / times

    @property
    def unit_model(self) -> ImageModel:
        """The model, for floats on [0, 1], such as `pick` gives."""
        return with_input_levels(self.model, UNIT_LEVELS)

    def as_floats(self, images: np.ndarray) -> np.ndarray:
        """Pixels of the data, or that the model has made, as float32 on [0, 1]."""
        return unit_values(images, self.model.levels_for(images.dtype))


def _standard_normal(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """ε, for this seed always the same."""
    return torch.randn(shape, generator=keyed_generator(seed, "fed")).numpy()


def summed_errors(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """‖a - b‖² of each image: the squared error, summed over the image, `(N,)`."""
    return np.square(a - b, dtype=np.float64).reshape(len(a), -1).sum(1)


@lru_cache(maxsize=4)
def _other(name: str, shape: tuple[int, ...]) -> ImageSet:
    """Images that no model here was trained on."""
    if name == "noise":
        drawn = np.random.default_rng(0).integers(0, 255, (16, *shape), dtype=np.uint8)
        return ImageSet(drawn, source="uniform noise")
    other = read_data(name, "test")
    got = other.images.shape[1:]
    if got != shape:
        raise wrong(f"images of {name}", got, f"images of {shape}, as the model's")
    return other


def _index(choice: Mapping[str, Any], most: int) -> list[int]:
    """The places that a choice names, at most `most` unless it says how many; of noise one."""
    if choice.get("index") is not None:
        return list(choice["index"])
    if choice.get("on") == "noise":
        most = 1
    start, count = choice.get("start", 0), choice.get("count") or most
    return list(range(start, start + count))


def _checked_options(what: str, given: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """The options with their defaults, those that are not known refused."""
    if not isinstance(given, Mapping):
        raise wrong(what, given, f"a table of {', '.join(known)}")
    for name in set(given) - set(known):
        raise unknown(f"option of {what}", name, known)
    return {**known, **given}


def class_names(labels: Iterable[Any], names: Any) -> list[str]:
    """The names of classes 0, 1, ... as texts; the labels themselves where classes have no names."""
    return [str(name) for name in names or range(int(max(labels)) + 1)]
