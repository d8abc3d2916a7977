"""Networks among the members of a detector, within the minutes that they may take.

    autoencoder-S-relative    the worst window of the error of an autoencoder with a code of S numbers,
                              divided by its usual size
    autoencoder-S-patch       the worst window of the error
    autoencoder-S-error       the sum of the error; of tables this one alone
    denoising-S-...           the same, trained on noisy images, which keeps it from learning to copy

All four networks are trained without the first fold; the one that is worth most on the synthetic
anomalies of that fold, with its score, is trained again for each other fold and for all images. Each
training takes an equal part of the minutes: two epochs are timed, and all trainings have as many
epochs as fit in a part. So their number depends on the machine; it is kept with the choice. If it is
too few to learn anything, there are no networks.
"""

import time
import warnings
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from narrows.errors import NarrowsWarning, TrainingError
from narrows.layout import Layout
from narrows.model.detector.members import Member, Members, Setting
from narrows.model.estimator.autoencoder import Autoencoder

CORRUPTIONS = {"autoencoder": "none", "denoising": {"kind": "gaussian", "sigma": 0.2}}
SIZES = (16, 64)  # numbers in a code
COUNT = len(CORRUPTIONS) * len(SIZES)
SCORES = ("relative", "patch", "error")
WIDE = 32  # pixels of the shorter side, above which the first layers are convolutions
BATCH = 64
TIMED = 2  # epochs
FEWEST_STEPS = 300  # of a training: fewer teach nothing,
MOST_STEPS = 10_000  # and more learn the images by heart


@dataclass
class Networks:
    """setting: what all members have in common. seconds: of a training. epochs: of each training,
    known from the first one on; 0 if they would be too few.
    """

    setting: Setting
    seconds: float
    epochs: int | None = None

    @classmethod
    def within(cls, seconds: float, folds: int, setting: Setting) -> Self:
        """Networks that take this long in all: the trial, each without the first fold, and one of them
        for each other fold and for all images.
        """
        return cls(setting, seconds / (1 + COUNT + folds))

    def fit(self, images: np.ndarray, names: Collection[str] | None = None) -> Members:
        """The members of these names, or all; those of one network share it. None without time."""
        members: Members = {}
        for kind in CORRUPTIONS if self.seconds else ():
            for size in SIZES:
                scores = {f"{kind}-{size}-{score}": score for score in self._scores()}
                wanted = [name for name in scores if names is None or name in names]
                network = self._trained(self._options(kind, size), images) if wanted else None
                if network is not None:
                    members |= {name: Member(network, scores[name]) for name in wanted}
        return members

    def _trained(self, options: dict[str, Any], images: np.ndarray) -> Autoencoder | None:
        """A network; none if there is too little time, or if it diverges."""
        with warnings.catch_warnings(), suppress(TrainingError):
            warnings.simplefilter("ignore", NarrowsWarning)  # it is one candidate among others
            if self.epochs is None:
                self.epochs = self._epochs_in_time(options, images)
            if self.epochs:
                return Autoencoder(epochs=self.epochs, **options).fit(images)
        return None

    def _epochs_in_time(self, options: dict[str, Any], images: np.ndarray) -> int:
        """How many epochs fit in the time, of which two are tried; 0 if they are too few."""
        start = time.perf_counter()
        tried = Autoencoder(epochs=TIMED, **options).fit(images)
        seconds = time.perf_counter() - start
        of_epoch = max(tried.history_["seconds"][-1], 1e-6)
        others = max(0, seconds - TIMED * of_epoch)  # what does not grow with the epochs
        steps_of_epoch = -(-len(images) // BATCH)
        epochs = min(int((self.seconds - others) / of_epoch), MOST_STEPS // steps_of_epoch)
        return epochs if epochs * steps_of_epoch >= FEWEST_STEPS else 0

    def _options(self, kind: str, size: int) -> dict[str, Any]:
        """Options of an `Autoencoder`."""
        return {
            "body": body_for(self.setting.layout),
            "bottleneck": {"kind": "plain", "size": size},
            "corruption": CORRUPTIONS[kind],
            "batch_size": BATCH,
            "optimiser": {"kind": "adam", "lr": 2e-3},
            "schedule": "cosine",
            "calibration": 0,
            "device": "cpu",  # where the other members are
            **self.setting.options(self.setting.scales[0]),
        }

    def _scores(self) -> tuple[str, ...]:
        return ("error",) if self.setting.layout.is_table else SCORES


def body_for(layout: Layout) -> dict[str, Any]:
    """Convolutions for images with a side of more than 32 pixels."""
    if layout.is_table or min(layout.image[:2]) <= WIDE:
        return {"kind": "mlp", "widths": [512, 256]}
    return {"kind": "conv", "channels": [16, 32, 64], "batch_norm": True}


def is_network(name: str) -> bool:
    """Whether that member is a network."""
    return name.partition("-")[0] in CORRUPTIONS
