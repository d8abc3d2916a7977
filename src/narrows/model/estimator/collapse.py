"""Collapse: a code that carries nothing, or an output that does not depend on the image. It is
reported, with a cure.

Checked after each epoch (of those that were asked for, if a small set is given more of them, see
`narrows.model.training.least_steps`), on one in 200 of the training images (100 at least, 1,000 at
most), and on 1,000 of them at the end:

    dead       of a rectified code (relu, sparse, topk) more than 95 % of the units are active for no image
    constant   Σ var(x̂) < Σ var(x) / 1000, variances over the images, summed over the pixels
    idle       more than half of the units carry nothing; each bottleneck says what that means for its code

A few idle units are usual, above all in a variational code: it drops those that do not repay their
cost. Before 200 steps hardly anything is learnt, and while a cost warms up little can be said of
it; so nothing is reported then. Later a sign is reported once, when it has held for two epochs
running; at the end a dead code or a constant output is reported at once, unless it has been.

References: J. Lucas et al., "Understanding posterior collapse in generative latent variable
models", ICLR 2019 workshop, https://openreview.net/forum?id=r1xaVLUYuE; L. Lu et al., "Dying ReLU
and initialization", 2019, https://arxiv.org/abs/1903.06733.
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
from narrows.model.estimator.inference import without_gradients
from narrows.model.network import Network, device_of
from narrows.model.training.training import Training

DEAD_SHARE, IDLE_SHARE = 0.95, 0.5  # of unused units, above which a code is called dead, or idle
CONSTANT_SHARE = 1e-3  # of the images' variance: an output that varies less is called constant
MOST_IMAGES, ONE_IN, FEWEST_IMAGES = 1000, 200, 100  # images that are checked
FIRST_STEPS = 200  # in which hardly anything is learnt


@dataclass
class CodeReport:
    """What a network does with some images.

    unused: whether each unit carries nothing, `(size,)`. variance_share: of the output, in that of
    the images.
    """

    network: Network
    unused: np.ndarray
    variance_share: float

    @property
    def count(self) -> str:
        because = self.network.bottleneck.unused_because
        return f"{self.unused.sum()} of its {len(self.unused)} units {because}"

    @property
    def cure(self) -> str:
        return self.network.bottleneck.cure


class RunningVariance:
    """The variance of images that come batch by batch, summed over their pixels.

    Var x = E (x - a)² - (E (x - a))² for any a; here the first image, so that little is lost if
    images are alike.
    """

    def __init__(self) -> None:
        self.count = 0
        self.origin = torch.zeros(1)
        self.sum = torch.zeros(1)
        self.sum_of_squares = torch.zeros(1)

    def add(self, x: Tensor) -> None:
        if not self.count:
            self.origin = x[:1]
        difference = (x - self.origin).cpu()
        self.count += len(x)
        self.sum = self.sum + difference.sum(0)
        self.sum_of_squares = self.sum_of_squares + difference.square().sum()

    @property
    def variance(self) -> float:
        mean_of_squares = self.sum_of_squares / self.count
        return float(mean_of_squares - (self.sum / self.count).square().sum())


def dead(report: CodeReport) -> str:
    """What is said of a code whose units have died; nothing if they have not."""
    if not report.network.bottleneck.rectified or report.unused.mean() <= DEAD_SHARE:
        return ""
    return f"the code is dead: {report.count}; {report.cure}"


def constant(report: CodeReport) -> str:
    """What is said of an output that does not depend on the image."""
    if report.variance_share >= CONSTANT_SHARE:
        return ""
    if report.network.bottleneck.variational and report.unused.all():
        return f"the model predicts a constant: {report.count}; {report.cure}"
    return (
        "the model predicts a constant: its output does not depend on the image; "
        + constant_cure(report.network)
    )


def constant_cure(network: Network) -> str:
    """What to try if the output is constant: only what this network has."""
    cures = ["train longer", "lower the learning rate"]
    if network.bottleneck.variational:
        cures.append("lower β")
    if network.penalties:
        cures.append("lower the weight of a penalty")
    # a body of the user's own has no such option
    if network.body.gives and not network.body.batch_norm:
        cures.append("use batch_norm=True")
    if network.likelihood.is_squared_error_of_sigmoid:
        cures.append("use likelihood='bernoulli', which starts sooner with a sigmoid")
    return f"{', '.join(cures[:-1])}, or {cures[-1]}"


def idle(report: CodeReport) -> str:
    """What is said of a code of which half carries nothing."""
    if report.unused.mean() <= IDLE_SHARE:
        return ""
    return f"half of the code is idle: {report.count}; {report.cure}"


SIGNS: dict[str, Callable[[CodeReport], str]] = {"dead": dead, "constant": constant, "idle": idle}
FINAL_SIGNS = ("dead", "constant")  # reported at the end; the gravest sign is first in SIGNS


class CollapseMonitor:
    """Checks a network while it is trained, and once it is; what it reports is kept in the
    training's progress.
    """

    def __init__(self, training: Training):
        self.network, self.images = training.network, training.images
        self.progress, self.plan = training.progress, training.plan

    def repeat_warnings(self) -> None:
        """What was reported of a training before it was interrupted."""
        for words in self.progress.warnings.values():
            _warn(words)

    def after_epoch(self) -> None:
        """Report a sign that has held for two epochs."""
        progress, plan = self.progress, self.plan
        if not plan.completes_one(progress.epoch):
            return
        warmup = plan.stretch * getattr(self.network.bottleneck, "warmup", 0)
        if progress.epoch <= warmup or len(progress.steps.get("loss", ())) < FIRST_STEPS:
            return
        most = min(MOST_IMAGES, max(FEWEST_IMAGES, len(self.images) // ONE_IN))
        sign, words = self.check(most)
        reported = progress.warnings
        if sign and sign == progress.sign and sign not in reported:
            epochs = f"{plan.last_completed_before(progress.epoch)} and {progress.epoch}"
            reported[sign] = f"{words} (seen after epochs {epochs})"
            _warn(reported[sign])
        progress.sign = sign

    def at_end(self) -> None:
        """Report a dead code or a constant output."""
        sign, words = self.check(MOST_IMAGES)
        if sign in FINAL_SIGNS and sign not in self.progress.warnings:
            _warn(words)

    def check(self, most: int) -> tuple[str, str]:
        """The gravest sign of collapse on `most` images and its description; empty if there is none."""
        report = report_on(self.network, self.images, most)
        if report is None:
            return "", ""
        for sign, describe in SIGNS.items():
            words = describe(report)
            if words:
                return sign, words
        return "", ""


def report_on(network: Network, images: ImageBatches, most: int) -> CodeReport | None:
    """What a network does with `most` of the images, spread over the set; None if they do not vary."""
    every = ceil(len(images) / most)
    index = torch.arange(0, len(images), every, device=images.raw.device)
    codes, inputs, outputs, kl = CodeStatistics(), RunningVariance(), RunningVariance(), None
    for places in index.split(images.step(network.body.widest)):
        x = images.batch(places)
        code, out = without_gradients(network.autoencode, x, device=device_of(network))
        codes.add(code.mean)
        inputs.add(x)
        outputs.add(network.likelihood.mean(out))
        if code.posterior is not None:
            batch = kl_per_unit(code.mean, code.posterior.log_variance) * len(places) / len(index)
            kl = batch if kl is None else kl + batch
    if not inputs.variance:  # one image, or many equal ones: then nothing ought to vary
        return None
    unused = network.bottleneck.unused(codes, kl)
    return CodeReport(network, unused, outputs.variance / inputs.variance)


def _warn(words: str) -> None:
    warnings.warn(words, NarrowsWarning, stacklevel=5)
