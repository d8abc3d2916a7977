"""What a model made of a network does with images, and what it answers.

The bound on the likelihood, with S codes z_s ~ q(z|x):

    log p(x) ≥ E log 1/S Σ_s p(x|z_s) p(z_s) / q(z_s|x)

For S = 1 this is the ELBO, for larger S it is tighter, and if q(z|x) is the true posterior it is
log p(x) itself, for every sample (Y. Burda et al., "Importance weighted autoencoders", ICLR 2016,
https://arxiv.org/abs/1509.00519).
"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from math import log
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from narrows.measure import CodeStatistics
from narrows.model.estimator import weight_images
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.score_field import project, score_field
from narrows.model.network import Network, count_parameters
from narrows.model.outputs import Outputs, Views
from narrows.model.training.pairs import is_paired, takes_noisy
from narrows.parts.code import Posterior
from narrows.parts.corruption import Corruption
from narrows.parts.objective import Objective
from narrows.parts.term import Term, described_terms
from narrows.randomness import PerImageRandom

NO_TERM = re.compile("loss$|val_|.*seconds$")  # the other columns of a history


class NetworkModel(ImageModel):
    """A model with a `Network` (network_) that was trained on an `Objective` (objective_).

    Its constructor sets the options of the training that are named here.
    """

    corruption: Any
    objective: Any
    scale: str
    epochs: int
    batch_size: int
    optimiser: Any
    schedule: Any
    validation: Any
    device: str
    training: dict[str, Any] | None
    network_: Network
    objective_: Objective

    # -- what a denoiser knows of the density (see `score_field`) -----------------------------

    def score_field(self, X: Any) -> np.ndarray:
        """∇ log p(x̃) ≈ (f(x̃) - x̃) / σ² for noisy images, float32, in their shape, per unit of
        the working scale.

        For models trained on unclipped Gaussian noise of one strength; others are refused.
        """
        return score_field(self, X)

    def project(self, X: Any, steps: int = 5, rate: float = 1.0) -> np.ndarray:
        """Images moved towards the data: x ← x + rate · (f(x) - x), `steps` times.

        Returns `(steps + 1, N, ...)` floats on [0, 1], unclipped; the first are the images as
        given. Each step of a denoiser is one up the score, of size rate · σ².
        """
        return project(self, X, steps, rate)

    # -- what every model defines -------------------------------------------------------------

    def _encode(self, x: Tensor) -> Tensor:
        return self.network_.encode(x)[0].mean

    def _decode(self, z: Tensor) -> Tensor:
        return self.network_.likelihood.mean(self.network_.decode(z))

    def _reconstruct(self, x: Tensor) -> Tensor:
        return self.network_.reconstruct(x)

    def _sample_codes(self, count: int, seed: int) -> Tensor:
        return self.network_.prior.sample(count, seed)

    def _outputs(self, x: Tensor) -> Outputs:
        network, bound = self.network_, None
        code, out = network.autoencode(x)
        if code.posterior is not None:
            kl = network.prior.kl(code.posterior, code.z.flatten(1))
            bound = self._negative_log_likelihood(x, out) + kl
        errors = self._squared_error(x, network.likelihood.mean(out))
        return Outputs(errors, code.mean, bound, self.density_, self.usual_error_)

    def _codes_for_prior(self, x: Tensor, outputs: Outputs) -> Tensor:
        """Sampled codes if a density is fitted besides q(z|x): fitted to the means it would be too
        narrow for z.
        """
        if self.network_.prior.fitted and self.is_variational:
            random = PerImageRandom(x, self.seed_, "survey")
            return self.network_.encode(x, random)[0].z.flatten(1)
        return outputs.codes

    def _log_likelihood(self, x: Tensor, samples: int, seed: int) -> Tensor:
        if not self.is_variational:
            return super()._log_likelihood(x, samples, seed)
        network, bounds = self.network_, []
        for sample in range(samples):
            code, out = network.autoencode(x, PerImageRandom(x, seed, sample))
            z = code.z.flatten(1)
            log_joint = network.prior.log_prob(z) - self._negative_log_likelihood(x, out)
            bounds.append(log_joint - code.require_posterior().log_prob(z))
        return torch.logsumexp(torch.stack(bounds), dim=0) - log(samples)

    def _negative_log_likelihood(self, x: Tensor, out: Tensor) -> Tensor:
        """-log p(x|z) with its constant, `(n,)`."""
        likelihood = self.network_.likelihood
        return likelihood.nll(out, x).flatten(1).sum(1) + likelihood.constant * x[0].numel()

    def _views(self, x: Tensor, seed: int, noisy: Tensor | None) -> Views:
        """One pass for each view; the terms are of the same codes as the views."""
        network, likelihood = self.network_, self.network_.likelihood
        code, out = network.autoencode(x)
        views = Views({"": likelihood.mean(out)}, code.mean)
        if likelihood.measure:
            views.terms[likelihood.measure] = likelihood.nll(out, x).sum((1, 2, 3))
        if noisy is None and self.noise_ is not None:
            noisy = self.noise_(x, PerImageRandom(x, seed, "evaluate"))[0]
        views.images |= self._denoised_views(noisy)
        if code.posterior is not None:
            self._add_sampled_view(views, x, code.posterior, seed)
        return views

    def _add_sampled_view(self, views: Views, x: Tensor, posterior: Posterior, seed: int) -> None:
        """The view through a sampled code, with the bound and its terms."""
        network = self.network_
        sampled, out = network.autoencode(x, PerImageRandom(x, seed, 0))
        views.images["sampled"] = network.likelihood.mean(out)
        nll = self._negative_log_likelihood(x, out)
        kl = network.prior.kl(posterior, sampled.z.flatten(1))
        views.terms |= {"nll": nll, "kl": kl, "elbo": -nll - kl}

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        facts = {"history_": self.history_, "epochs_": self.epochs_}
        planned = {"planned_": asdict(self.planned_)} if self.planned_ else {}
        return self.network_.state_dict(), {**facts, **planned}

    # -- what it answers (see `narrows.model.protocol`) ---------------------------------------

    @property
    def n_parameters_(self) -> int:
        """Parameters of the network."""
        return count_parameters(self.network_)

    @property
    def terms_(self) -> Mapping[str, Term]:
        """The terms of its loss by their names in `history_`; an undeclared one is called by its name."""
        declared = self.declared_terms
        recorded = [name for name in self.history_ if not NO_TERM.match(name)]
        return described_terms([*(term.name for term in declared), *recorded], declared)

    @property
    def declared_terms(self) -> tuple[Term, ...]:
        """What its objective and its parts say of the terms of its loss."""
        return self.objective_.terms(self.network_)

    @property
    def choice_in_words_(self) -> str:
        """The epochs and batches that a small set was given (`planned_`)."""
        return str(self.planned_ or "")

    @property
    def is_variational(self) -> bool:
        """Whether codes are sampled, so that there is a bound on the likelihood."""
        return self.network_.bottleneck.variational

    @property
    def prior_is_fitted_(self) -> bool:
        """Whether `sample` draws codes from a density fitted to the training codes, not from N(0, I)."""
        return self.network_.prior.fitted

    @property
    def fits_in_epochs(self) -> bool:
        """Whether it is trained epoch by epoch."""
        return True

    @property
    def wants_pairs(self) -> bool:
        """Whether `fit` needs the user's own noisy images."""
        return is_paired(self.corruption)

    @property
    def learns_from_noisy(self) -> bool:
        """Whether the images that `fit` takes are noisy themselves, as its corruption or objective says."""
        return takes_noisy(self.corruption, self.objective)

    @property
    def noise_(self) -> Corruption | None:
        """The noise that it was trained on and can make, if any."""
        corruption = self.network_.corruption
        return corruption if corruption.makes_noise else None

    @property
    def margin_(self) -> int | None:
        """Pixels around a tile that its result depends on, of a network that is given the noise and takes
        images of any size.
        """
        network = self.network_
        if self.scale_.is_per_image or not network.takes_any_size:
            return None
        return network.body.margin

    @property
    def code_is_feature_map_(self) -> bool:
        """Whether the code is the feature map of the body."""
        return self.network_.bottleneck.is_feature_map

    def code_measures(self, statistics: CodeStatistics) -> dict[str, float]:
        """What `evaluate` reports of the units of the code, see the bottleneck."""
        return self.network_.bottleneck.code_measures(statistics)

    def filters(self, end: str) -> np.ndarray | None:
        """The units of the first linear layer ("encoder") or of the last ("decoder") as images."""
        return weight_images.filters(self.network_, self.layout_, end)

    def kernels(self) -> list[np.ndarray]:
        """The kernels of the convolutions of the decoder."""
        return weight_images.kernels(self.network_)

    def exported_modules(self) -> dict[str, nn.Module]:
        """The network, for ONNX."""
        return {"network_": self.network_}

    @property
    def _widest(self) -> int:
        return self.network_.body.widest
