"""The autoencoder: an estimator made of parts.

    ae = Autoencoder(body="mlp", bottleneck={"kind": "plain", "size": 32}, epochs=10).fit(X)

Each part is a name, or a dict of its kind and options (`narrows parts` prints them). What is fitted
is a `Network`; how it is fitted is `Training`; what the fitted network is asked is in
`NetworkModel`. This file has the constructor and the ways to fit.
"""

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any, Self

import numpy as np
from torch import Tensor

from narrows.errors import Faults
from narrows.model.estimator.collapse import CollapseMonitor
from narrows.model.estimator.fitting import calibrate
from narrows.model.estimator.network_model import NetworkModel
from narrows.model.estimator.prepare import (
    continue_training,
    prepare_training,
    restore_network,
    validate_options,
)
from narrows.model.trackers import Logger, flatten_options, reported
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.training.training import Training


class Autoencoder(NetworkModel):
    """An autoencoder of images `(N, D)`, `(N, H, W)` or `(N, H, W, C)`.

    body, bottleneck, up, likelihood, prior, corruption, penalties (a list), objective: the parts.
        "auto" for `up` mirrors the body; for `prior` it is N(0, I) for variational codes and a
        Gaussian fitted to the codes for others.
    scale: the working scale, "auto", "unit", "symmetric", "standard", or, for images whose brightness
        and contrast mean nothing, "each" or "local", see `narrows.scale`.
    levels: (black, white), the values of black and white if they are not those of the images' type,
        such as (0, 4095) for 12 bits in uint16; values beyond them are clipped. "auto": the 0.1 and
        99.9 percentiles of the training images.
    image_shape: `(H, W)` or `(H, W, C)`, for tables that hold images.
    epochs, batch_size, optimiser, schedule: of the training.
    validation: None, a share of the images in (0, 1), or images of its own.
    calibration: the share of the images that is held out for the thresholds of anomaly scores, if
        there are no validation images, which else serve for them; 0 trains on all images.
    false_alarms: the share of normal images that `flag` may flag.
    device: "auto", "cpu", "cuda" or "mps".
    random_state: fixes everything.
    training: a dict of further options, see `narrows.model.training.training.Training`.

    Fitted: network_, history_ (a dict of lists, an entry an epoch: loss and its terms, val_...,
    seconds), steps_ (the same terms, an entry a step), epochs_ (how many were run), planned_ (the
    epochs and batch size taken instead of those asked for, if `least_steps` of `training` needs
    others; else None), and what `ImageModel` lists.
    """

    _training: Training | None = None

    def __init__(
        self,
        body: Any = "mlp",
        bottleneck: Any = "plain",
        *,
        up: Any = "auto",
        likelihood: Any = "gaussian",
        prior: Any = "auto",
        corruption: Any = "none",
        penalties: Any = (),
        objective: Any = "elbo",
        scale: str = "auto",
        levels: tuple[float, float] | str | None = None,
        image_shape: tuple[int, ...] | None = None,
        epochs: int = 10,
        batch_size: int = 128,
        optimiser: Any = "adam",
        schedule: Any = "constant",
        validation: Any = None,
        calibration: float = 0.2,
        false_alarms: float = 0.01,
        device: str = "auto",
        random_state: Any = 0,
        training: dict[str, Any] | None = None,
    ):
        self.body = body
        self.bottleneck = bottleneck
        self.up = up
        self.likelihood = likelihood
        self.prior = prior
        self.corruption = corruption
        self.penalties = penalties
        self.objective = objective
        self.scale = scale
        self.levels = levels
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimiser = optimiser
        self.schedule = schedule
        self.validation = validation
        self.calibration = calibration
        self.false_alarms = false_alarms
        self.device = device
        self.random_state = random_state
        self.training = training

    # -- fitting ------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        noisy: Any = None,
        groups: Any = None,
        logger: Logger | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Self:
        """Train on images; `y` is not used. Raises `NarrowsError` naming every fault before
        anything is trained.

        sample_weight: how much each image counts, `(N,)`, ≥ 0, see
        `narrows.model.training.sample_weight`. noisy: under corruption "pairs" the same images with
        the user's own noise, see `narrows.model.training.pairs`. groups: a number or a word for each
        image, `(N,)`; a share that is held back for validation then is one of complete groups, such
        as all patches of a picture.

        logger: gets the options, and after each epoch its entry of history_; one of Lightning's, or
        any with the same four names, see `narrows.model.trackers`. checkpoint: where the state of
        the training is kept, and whether to resume from it.
        """
        given = {"sample_weight": sample_weight, "noisy": noisy, "groups": groups}
        for _ in self.fit_epochs(X, **given, logger=logger, checkpoint=checkpoint):
            pass
        return self

    def fit_epochs(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        noisy: Any = None,
        groups: Any = None,
        logger: Logger | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Iterator[Self]:
        """`fit` as an iterator: after each epoch it yields the model, which can be used as it then is."""
        options = self.get_params(deep=False)
        with reported(logger, options) as report:
            after_step = checkpoint.after_step if checkpoint else None
            given = (sample_weight, noisy, after_step, groups, self.calibration)
            training = self._prepare(X, *given, in_full=True)
            with _kept(checkpoint, training, options) as save:
                monitor = CollapseMonitor(training)
                monitor.repeat_warnings()
                try:
                    for _ in training:
                        self._take_over(training)
                        monitor.after_epoch()
                        last = {name: column[-1] for name, column in self.history_.items()}
                        report(last, training.progress.epoch)
                        yield self
                        # now, so that what the caller has made of this epoch is there before
                        if training.is_due_to_save:
                            save()
                finally:  # also if the loss became NaN, a logger failed, or the caller stops early
                    self._take_over(training)
                    self._calibrate(training)
                monitor.at_end()

    def partial_fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, noisy: Any = None
    ) -> Self:
        """Train for one epoch on these images; `y` is not used. The first call builds the network.

        The optimiser keeps its averages between calls, and history_ and epochs_ continue. The first
        call fixes what `fit` fixes: the layout of the images, the working scale (so begin with
        images that are like the others), and the validation images, if a share of them is asked
        for. `epochs` is the length of the schedule alone. After `fit` or `load` it continues from
        those weights, with a new optimiser.

        sample_weight, noisy: as of `fit`; weights have a mean of 1 over the images of each call.
        The densities of codes and the thresholds are those of the images of the last call, which are
        trained on: `calibrate` with others for thresholds that hold.
        """
        if self.__sklearn_is_fitted__():
            self._training = continue_training(self, self._training, X, sample_weight, noisy)
        else:
            self._training = self._prepare(X, sample_weight, noisy)
        self._training.run_epoch()
        self._take_over(self._training)
        calibrate(self, self._training.images, self.network_.prior)
        return self

    def validate_options(self, faults: Faults) -> None:
        """Add to `faults` the parts and training options that do not exist."""
        validate_options(self, faults)

    def _prepare(
        self,
        X: Any,
        sample_weight: Any = None,
        noisy: Any = None,
        after_step: Any = None,
        groups: Any = None,
        calibration: float = 0,
        in_full: bool = False,
    ) -> Training:
        """Check everything, build the network, and set up its training."""
        return prepare_training(
            self, X, sample_weight, noisy, after_step, groups, calibration, in_full
        )

    def _take_over(self, training: Training) -> None:
        """Take over what the training has reached."""
        progress = training.progress
        self.history_ = {name: list(column) for name, column in progress.history.items()}
        self.steps_ = {name: np.asarray(column) for name, column in progress.steps.items()}
        self.epochs_ = progress.epoch
        self.code_size_ = self.network_.code_size
        self.network_.eval()

    def _calibrate(self, training: Training) -> None:
        """Density and thresholds; after a training that has failed, the first fault is raised, not
        the next.
        """
        failed = training.progress.failed
        with suppress(Exception) if failed else nullcontext():
            calibrate(self, training.images, self.network_.prior, training.held_out, failed)

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        restore_network(self, tensors)
        self.code_size_ = self.network_.code_size

    def __getstate__(self) -> dict[str, Any]:
        """A copy or a pickle has the model, not what its training holds."""
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_training"}


def _kept(checkpoint: Checkpoint | None, training: Training, options: dict[str, Any]) -> Any:
    """The block of a training that is kept in a checkpoint, or is not; it is given a function that
    writes it.
    """
    if checkpoint is None:
        return nullcontext(lambda: None)
    return checkpoint.of(training, flatten_options(training.plan.settings(options)))
