"""Collapse: a code that says nothing, or an output that does not depend on the image. It is told, with a cure.

Looked at after each epoch, on one in 200 of the training images (100 at least, 1,000 at most), and on 1,000 of them
at the end:

    dead       of a rectified code (relu, sparse, topk) more than 95 % of the units are active for no image
    constant   Σ var(x̂) < Σ var(x) / 1000, variances over the images, summed over the pixels
    idle       more than half of the units say nothing: active for no image; of a variational code a KL below 0.01
               nats, KL_j = E ½ (μ_j² + σ_j² - 1 - log σ_j²); of others the same value for every image

A few idle units are usual, above all in a variational code: it drops those that do not repay their cost. Before 200
steps hardly anything is learnt, and while a cost warms up little can be said of it; so nothing is said then. Later a
sign is told once, when it has held for two epochs running; at the end a dead code or a constant output is told at
once, unless it has been.

References: J. Lucas et al., "Understanding posterior collapse in generative latent variable models", ICLR 2019
workshop, https://openreview.net/forum?id=r1xaVLUYuE; L. Lu et al., "Dying ReLU and initialization", 2019,
https://arxiv.org/abs/1903.06733.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from torch import Tensor

from narrows.errors import NarrowsWarning
from narrows.image_batches import ImageBatches
from narrows.measure import CodeStatistics, kl_per_unit
from narrows.model.estimator.base import ImageModel
from narrows.model.network import Network
from narrows.model.training.training import Training

DEAD, HALF = 0.95, 0.5  # of its units: then a code is called dead, or idle
FLAT = 1e-3  # of the images' variance: an output that varies less is called constant
NATS = 0.01  # a unit with a smaller KL says nothing
SOME, SHARE, FEWEST = 1000, 200, 100  # images that are looked at: at most, one in so many, at least
STEPS = 200  # in which hardly anything is learnt


@dataclass
class CodeReport:
    """What is seen of a network on some images.

    kind: of the code, "rectified", "variational" or "plain". empty: whether each unit says nothing, `(size,)`. share:
    the variance of the output in that of the images.
    """

    kind: str
    empty: np.ndarray
    share: float

    @property
    def count(self) -> str:
        return f"{self.empty.sum()} of its {len(self.empty)} units {EMPTY[self.kind][0]}"


class RunningVariance:
    """The variance of images that come a batch at a time, summed over their pixels.

    Var x = E (x - a)² - (E (x - a))² for any a; here the first image, so that little is lost where images are alike.
    """

    def __init__(self) -> None:
        self.count, self.origin, self.first, self.second = 0, torch.zeros(1), torch.zeros(1), torch.zeros(1)

    def add(self, x: Tensor) -> None:
        if not self.count:
            self.origin = x[:1]
        rest = (x - self.origin).cpu()
        self.count += len(x)
        self.first = self.first + rest.sum(0)
        self.second = self.second + rest.square().sum()

    @property
    def variance(self) -> float:
        return float(self.second / self.count - (self.first / self.count).square().sum())


EMPTY = {  # what is said of units that say nothing, and what to try
    "rectified": ("are active for no image", "lower the weight of its penalty, or the rate"),
    "variational": ("have a KL below 0.01 nats", "lower β, or let it grow over a warmup; or give it a smaller size"),
    "plain": ("are the same for every image", "lower the rate, or give it a smaller size"),
}


def dead(seen: CodeReport) -> str:
    if seen.kind != "rectified" or seen.empty.mean() <= DEAD:
        return ""
    return f"the code is dead: {seen.count}; {EMPTY[seen.kind][1]}"


def constant(seen: CodeReport) -> str:
    if seen.share >= FLAT:
        return ""
    if seen.kind == "variational" and seen.empty.all():
        return f"the model predicts a constant: {seen.count}; {EMPTY[seen.kind][1]}"
    return (
        "the model predicts a constant: its output does not depend on the image; train longer, "
        "lower the rate, β or the weight of a penalty, or use batch_norm=True; where the output is a sigmoid "
        "under squared error, likelihood='bernoulli' starts sooner"
    )


def idle(seen: CodeReport) -> str:
    return f"half of the code is idle: {seen.count}; {EMPTY[seen.kind][1]}" if seen.empty.mean() > HALF else ""


SIGNS: dict[str, Callable[[CodeReport], str]] = {
    "dead": dead,
    "constant": constant,
    "idle": idle,
}  # the gravest first
FINAL = ("dead", "constant")  # told at the end


class CollapseMixin(ImageModel):
    """What a model made of a network notices of itself while it is trained, and once it is."""

    network_: Network

    def _notice(self, training: Training) -> None:
        """After an epoch: say what has held for two of them."""
        progress, images = training.progress, training.images
        warming = progress.epoch <= getattr(self.network_.bottleneck, "warmup", 0)
        if warming or len(progress.steps["loss"]) < STEPS:
            return
        sign, words = self._sign(images, min(SOME, max(FEWEST, len(images) // SHARE)))
        if sign and sign == progress.sign and sign not in progress.warnings:
            progress.warnings[sign] = f"{words} (seen after epochs {progress.epoch - 1} and {progress.epoch})"
            _say(progress.warnings[sign])
        progress.sign = sign

    def _say_again(self, training: Training) -> None:
        """What was said of a training before it was interrupted."""
        for words in training.progress.warnings.values():
            _say(words)

    def _say_if_collapsed(self, training: Training) -> None:
        """At the end: say so where the code has died, or the output has come to be a constant."""
        sign, words = self._sign(training.images, SOME)
        if sign in FINAL and sign not in training.progress.warnings:
            _say(words)

    def _sign(self, pixels: ImageBatches, most: int) -> tuple[str, str]:
        """The gravest sign of collapse and what is said of it; empty where there is none."""
        seen = self._glance(pixels, most)
        found = ((name, look(seen)) for name, look in SIGNS.items())
        return next(((name, words) for name, words in found if words), ("", ""))

    def _glance(self, pixels: ImageBatches, most: int) -> CodeReport:
        """Look at `most` of the images, spread over the set."""
        index = torch.arange(0, len(pixels), ceil(len(pixels) / most), device=pixels.raw.device)
        codes, given, made, kl = CodeStatistics(), RunningVariance(), RunningVariance(), np.zeros(1)
        for some in index.split(pixels.step(self._widest)):
            x = pixels.batch(some)
            code, out = self._quietly(self.network_.through, x)
            codes.add(code.mean)
            given.add(x)
            made.add(self.network_.likelihood.mean(out))
            if code.posterior is not None:
                kl = kl + kl_per_unit(code.mean, code.posterior.log_variance) * len(some) / len(index)
        if not given.variance:  # one image, or many equal ones: then nothing ought to vary
            return CodeReport("plain", np.zeros(1), 1.0)
        bottleneck = self.network_.bottleneck
        kind = "variational" if bottleneck.variational else "rectified" if bottleneck.rectified else "plain"
        empty = {"variational": kl < NATS, "rectified": codes.dead, "plain": codes.constant}
        return CodeReport(kind, empty[kind], made.variance / given.variance)


def _say(words: str) -> None:
    warnings.warn(words, NarrowsWarning, stacklevel=5)
