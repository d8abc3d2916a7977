"""The autoencoder: an estimator made of parts.

    ae = Autoencoder(body="mlp", bottleneck={"kind": "plain", "size": 32}, epochs=10).fit(X)

Each part is a name, or a dict of its kind and options (`narrows parts` prints them). What is fitted is a `Network`;
how it is fitted is `Training`; this file joins them to the face that every model has (`ImageModel`), and adds what
only a trained network knows: a bound on the likelihood.

The bound, with S codes z_s ~ q(z|x):  log p(x) ≥ E log 1/S Σ_s p(x|z_s) p(z_s) / q(z_s|x). For S = 1 this is the
ELBO, for larger S it is tighter, and where q(z|x) is the true posterior it is log p(x) itself, for every sample (Y.
Burda et al., "Importance weighted autoencoders", ICLR 2016, https://arxiv.org/abs/1509.00519).
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from functools import partial
from math import log
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from narrows import machine
from narrows.errors import BuildError, Faults
from narrows.image_batches import ImageBatches
from narrows.model.estimator.anomaly import Outputs
from narrows.model.estimator.base import check_integer
from narrows.model.estimator.collapse import CollapseMixin
from narrows.model.estimator.incremental import IncrementalMixin
from narrows.model.estimator.score_field import ScoreFieldMixin
from narrows.model.network import Network, build, count_parameters, rebuild
from narrows.model.trackers import Logger, flatten_options, reported
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.training.options import validate_training
from narrows.model.training.pairs import validate_pairs, wants_pairs, with_noisy
from narrows.model.training.split import split_validation
from narrows.model.training.training import Training
from narrows.randomness import PerImageRandom


class Autoencoder(ScoreFieldMixin, CollapseMixin, IncrementalMixin):
    """An autoencoder of images `(N, D)`, `(N, H, W)` or `(N, H, W, C)`.

    body, bottleneck, up, likelihood, prior, corruption, penalties (a list): the parts. "auto" for `up` mirrors the
    body; for `prior` it is N(0, I) for variational codes and a Gaussian fitted to the codes for others.
    objective: what is minimised, "elbo" or "root". scale: the working scale, "auto", "unit", "symmetric" or
    "standard". image_shape: `(H, W)` or `(H, W, C)`, for tables that hold images. epochs, batch_size, optimiser,
    schedule: of the training. validation: None, a share of the images in (0, 1), or images of its own. device:
    "auto", "cpu", "cuda" or "mps".
    random_state: fixes everything. training: a dict of further options, see `Training`.

    Fitted: network_, history_ (a dict of lists, an entry an epoch: loss and its terms, val_..., seconds), steps_
    (the same terms, an entry a step), epochs_ (how many were run), and what `ImageModel` lists.
    """

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
        image_shape: tuple[int, ...] | None = None,
        epochs: int = 10,
        batch_size: int = 128,
        optimiser: Any = "adam",
        schedule: Any = "constant",
        validation: Any = None,
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
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimiser = optimiser
        self.schedule = schedule
        self.validation = validation
        self.device = device
        self.random_state = random_state
        self.training = training

    # -- fitting ----------------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        noisy: Any = None,
        logger: Logger | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Self:
        """Train on images; `y` is not used. Raises `NarrowsError` naming every fault before anything is trained.

        sample_weight: how much each image counts, `(N,)`, ≥ 0, see `narrows.model.training.sample_weight`. noisy:
        under corruption "pairs" the same images with the user's own noise, see `narrows.model.training.pairs`.

        logger: is told the options, and after each epoch its entry of history_; one of Lightning's, or any with the
        same four names, see `narrows.model.trackers`. saving: where the state is kept, and whether to go on from it.
        """
        for _ in self.fit_epochs(X, sample_weight=sample_weight, noisy=noisy, logger=logger, checkpoint=checkpoint):
            pass
        return self

    def fit_epochs(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        noisy: Any = None,
        logger: Logger | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Iterator[Self]:
        """`fit` as an iterator: after each epoch it yields the model, usable as it then is."""
        options = self.get_params(deep=False)
        with reported(logger, options) as report:
            training = self._prepare(X, sample_weight, noisy, checkpoint)
            with (
                checkpoint.of(training, flatten_options(options)) if checkpoint else nullcontext(lambda: None) as save
            ):
                self._say_again(training)
                try:
                    for _ in training:
                        self._learn(training)
                        self.network_.eval()
                        self._notice(training)
                        report({name: values[-1] for name, values in self.history_.items()}, self.epochs_)
                        yield self
                        save()  # now, so that what the caller has made of this epoch is there before
                finally:  # also where a loss was no number, a logger failed, or the caller has seen enough
                    self._learn(training)
                    self.network_.eval()
                    failed = training.progress.failed
                    with suppress(Exception) if failed else nullcontext():  # the first trouble is told, not the next
                        self._survey(training.images, self.network_.prior, failed)
                self._say_if_collapsed(training)

    @machine.flush_denormals()
    def _prepare(
        self, X: Any, sample_weight: Any = None, noisy: Any = None, checkpoint: Checkpoint | None = None
    ) -> Training:
        """Check everything, build the network, and set up its training."""
        faults = Faults(f"{type(self).__name__} cannot be fitted")
        array, weights = self._begin(X, self.scale, faults, sample_weight)
        seed = self.seed_
        self.device_ = torch.device("cpu")
        with faults.catch():
            self.device_ = machine.select_device(self.device)
        for name in ("epochs", "batch_size"):
            with faults.catch():
                check_integer(name, getattr(self, name))
        validate_training(faults, self.optimiser, self.schedule, self.training)
        with faults.catch():
            self._compose(partial(build, seed=seed))
        with faults.catch():
            validate_pairs(self, noisy)
        with faults.catch():
            pixels = ImageBatches(array, self.layout_, self.scale_, self.device_, weights)
            pixels = with_noisy(pixels, noisy if wants_pairs(self) else None)
            train, held = split_validation(pixels, self.validation, seed, self.image_shape)
            self.validation_index_ = held.rows.numpy(force=True) if held and held.rows is not None else None
        faults.stop(BuildError)
        return self._trainer(train, held, after_step=checkpoint and checkpoint.after_step)

    def _learn(self, training: Training) -> None:
        """Take over what the training has come to."""
        self.history_ = {name: list(values) for name, values in training.progress.history.items()}
        self.steps_ = {name: np.asarray(values) for name, values in training.progress.steps.items()}
        self.epochs_ = training.progress.epoch
        self.code_size_ = self.network_.code_size

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return self.network_.state_dict(), {"history_": self.history_, "epochs_": self.epochs_}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.device_ = machine.select_device("auto" if self.device == "auto" else "cpu")
        self._compose(partial(rebuild, tensors=tensors))
        self.code_size_ = self.network_.code_size

    def _compose(self, make: Callable[..., Network]) -> None:
        """Build the network for the layout and scale at hand."""
        specs = {kind: getattr(self, kind) for kind in SPECS}
        self.network_ = make(specs, self.layout_.chw, self.scale_).to(self.device_)
        self.side_bits_ = self.network_.body.side_bits

    @property
    def _widest(self) -> int:
        return self.network_.body.widest

    # -- what the base asks for -------------------------------------------------------------------------------

    def _encode(self, x: Tensor) -> Tensor:
        return self.network_.encode(x)[0].mean

    def _see(self, x: Tensor) -> Outputs:
        network = self.network_
        code, out = network.through(x)
        errors, bound = self._squared(x, network.likelihood.mean(out)), None
        if code.posterior is not None:
            bound = self._nll(x, out) + network.prior.kl(code.posterior, code.z.flatten(1))
        return Outputs(errors, code.mean, bound, getattr(self, "cloud_", None))

    def _surveyed(self, x: Tensor, seen: Outputs) -> Tensor:
        """Sampled codes where a density is fitted beside q(z|x): fitted to the means it would be too narrow for z."""
        if self.network_.prior.fitted and self._variational:
            return self.network_.encode(x, PerImageRandom(x, self.seed_, "survey"))[0].z.flatten(1)
        return seen.codes

    def _decode(self, z: Tensor) -> Tensor:
        return self.network_.likelihood.mean(self.network_.decode(z))

    def _reconstruct(self, x: Tensor) -> Tensor:
        return self.network_.reconstruct(x)

    def _sample_codes(self, count: int, seed: int) -> Tensor:
        return self.network_.prior.sample(count, seed)

    @property
    def _variational(self) -> bool:
        return self.network_.bottleneck.variational

    def _score(self, x: Tensor, samples: int, seed: int) -> Tensor:
        if not self._variational:
            return super()._score(x, samples, seed)
        bounds = []
        for s in range(samples):
            code, out = self.network_.through(x, PerImageRandom(x, seed, s))
            assert code.posterior is not None
            z = code.z.flatten(1)
            bounds.append(self.network_.prior.log_prob(z) - self._nll(x, out) - code.posterior.log_prob(z))
        return torch.logsumexp(torch.stack(bounds), dim=0) - log(samples)

    def _nll(self, x: Tensor, out: Tensor) -> Tensor:
        """-log p(x|z) with its constant, `(n,)`."""
        likelihood = self.network_.likelihood
        return likelihood.nll(out, x).flatten(1).sum(1) + likelihood.constant * x[0].numel()

    @property
    def n_parameters_(self) -> int:
        """Parameters of the network."""
        return count_parameters(self.network_)


SPECS = ("corruption", "body", "bottleneck", "up", "likelihood", "prior", "penalties", "objective")
