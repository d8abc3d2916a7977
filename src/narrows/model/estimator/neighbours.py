"""Nearest neighbours: an image is as anomalous as it is far from the normal images nearest to it.

    f(x)                                    the code: x blurred, or that of an autoencoder, see `spaces`
    d(x) = 1/k Σ_i |f(x) - f(xᵢ)|²          xᵢ: the k training images whose codes are nearest
    x̂    = decoded 1/k Σ_i f(xᵢ)            the normal image that x should have been

At most 20,000 codes are kept, chosen at random, and fewer of more than 3,355 numbers. Each image is
compared with all of them: exact, and for 6,000 of them some 20,000 images a second on two cores.

Reference: S. Ramaswamy, R. Rastogi, K. Shim, "Efficient algorithms for mining outliers from large
data sets", SIGMOD 2000, https://doi.org/10.1145/335191.335437 (the distance to the k-th).
"""

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, Self

import torch
from torch import Tensor

from narrows.choose import choose
from narrows.errors import BuildError, Faults, wrong
from narrows.image_batches import ImageBatches
from narrows.machine import flush_denormals
from narrows.model.calibration import FOLDS, Calibration
from narrows.model.estimator.anomaly import AnomalyScore, own_score
from narrows.model.estimator.arguments import check_integer, refuse_side_channel
from narrows.model.estimator.autoencoder import Autoencoder
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.fitting import begin_fit, calibrate
from narrows.model.estimator.gathered_scores import gathered_scores
from narrows.model.estimator.spaces import Blurred, NetworkCodes, Space
from narrows.model.file_format import check_tensors
from narrows.model.outputs import Outputs
from narrows.model.trackers import Logger, reported
from narrows.parts.prior import GaussianPrior
from narrows.randomness import keyed_generator

MOST_CODES = 20_000  # that are kept,
MOST_NUMBERS = 2**26  # and numbers in them
MOST_SCORED = 2_000  # images, for thresholds
NETWORK = "network"  # the member of a model file whose codes are compared
PRIOR = "prior."  # how the names of the prior's tensors begin in a model file


class Neighbours(ImageModel):
    """The k nearest images of a training set.

    neighbours: k, at least 1; fewer if the set has fewer images.
    blur: the deviation of the blur, as a share of the image's shorter side; 0 for none.
    space: None for blurred pixels; or a dict of options of an `Autoencoder`, such as {"epochs": 20},
        which is trained on the same images, and whose codes are compared.
    scale: as of `PCA`; "each" compares images whatever their brightness and contrast.
    levels, image_shape, false_alarms: as of `PCA`.
    Fitted: bank_ `(n, size)`, the codes that are kept; space_, see `spaces`. Thresholds come from up
        to 2,000 of these images, each compared with the others.
    """

    bank_: Tensor
    space_: Space
    passed_over = 0  # the nearest, where it is the image itself

    def __init__(
        self,
        neighbours: int = 5,
        *,
        blur: float = 0.035,
        space: dict[str, Any] | None = None,
        scale: str = "auto",
        levels: tuple[float, float] | str | None = None,
        image_shape: tuple[int, ...] | None = None,
        false_alarms: float = 0.01,
        random_state: Any = 0,
    ):
        self.neighbours = neighbours
        self.blur = blur
        self.space = space
        self.scale = scale
        self.levels = levels
        self.image_shape = image_shape
        self.false_alarms = false_alarms
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, logger: Logger | None = None) -> Self:
        """Keep the codes of images; `y` is not used. logger: gets the options."""
        with reported(logger, self.get_params(deep=False)):
            self._fit(X)
        return self

    @flush_denormals()
    def _fit(self, X: Any) -> None:
        images, order = self._keep_codes(X)
        calibrate(self, images, self.prior_)
        if len(images) > 1:
            sample = order[:MOST_SCORED].sort().values  # of those that are kept
            self._leave_one_out(images.batch(rows) for rows in sample.split(images.step()))

    def fit_member(self, X: Any, network: Any = None) -> Self:
        """Fit without thresholds and without a prior: as a member of a detector. network: a fitted
        autoencoder whose codes are compared.
        """
        self._keep_codes(X, network)
        return self

    def _keep_codes(self, X: Any, network: Any = None) -> tuple[ImageBatches, Tensor]:
        """Keep the codes of images, and return these with the order in which they are chosen."""
        faults = Faults("Neighbours cannot be fitted")
        given = begin_fit(self, X, self.scale, faults)
        self.validate_options(faults)
        faults.stop(BuildError)
        self._take_space(network or self._fitted_network(X))
        images = ImageBatches(given.images, self.layout_, self.scale_)
        order = torch.randperm(len(images), generator=keyed_generator(self.seed_, "bank"))
        most = max(1, min(MOST_CODES, MOST_NUMBERS // self.code_size_))
        kept = order[:most].sort().values.split(images.step(self.space_.widest))
        codes = [self._without_gradients(self._encode, images.batch(rows)) for rows in kept]
        self.bank_ = torch.cat(codes).cpu()
        return images, order[:most]

    def validate_options(self, faults: Faults) -> None:
        """Add to `faults` the options that no fit could use."""
        with faults.catch():
            check_integer("neighbours", self.neighbours)
        with faults.catch():
            if not 0 <= self.blur < 1:
                raise wrong("blur", self.blur, "a share of the image's shorter side in [0, 1)")
        if self.space is not None:
            with faults.catch():
                self._unfitted_network().validate_options(faults)

    def _unfitted_network(self) -> Autoencoder:
        """The autoencoder of `space`. Raises `BuildError` for options that it does not have."""
        if not isinstance(self.space, Mapping):
            raise wrong("space", self.space, "None, or a dict of options of an Autoencoder")
        same = ("scale", "levels", "image_shape", "random_state")
        common = {name: getattr(self, name) for name in same}
        options = {"kind": "autoencoder", "calibration": 0, **self.space, **common}
        return choose("space", {"autoencoder": Autoencoder}, options)

    def _fitted_network(self, X: Any) -> Autoencoder | None:
        return None if self.space is None else self._unfitted_network().fit(X)

    def _take_space(self, network: Any) -> None:
        """Compare codes of this network; of none, blurred images."""
        self.space_ = Blurred(self.layout_, self.blur)
        if network is not None:
            refuse_side_channel("neighbours in a space of codes", network.side_bits_)
            self.space_, self.device_ = NetworkCodes(network), network.device_
        self.code_size_ = self.space_.size
        self.prior_ = GaussianPrior(self.code_size_)

    def _leave_one_out(self, batches: Iterable[Tensor]) -> None:
        """Thresholds from images whose codes are kept, each compared with the others."""
        others = copy(self)
        others.passed_over = 1
        gathered = gathered_scores(others, batches)
        self.usual_error_ = gathered.usual
        self._take_calibration(Calibration.of(FOLDS, self.false_alarms, gathered.scores()))

    def nearest(self, codes: Tensor) -> Tensor:
        """The k nearest codes that are kept, of each of the codes, `(n, k, size)`."""
        bank = self.bank_.to(codes.device)
        most = min(self.neighbours + self.passed_over, len(bank))
        lengths = bank.square().sum(1)
        # without |z|², which is the same for all
        rest = torch.addmm(lengths, codes, bank.T, alpha=-2)
        places = rest.topk(most, largest=False).indices[:, self.passed_over :]
        return bank[places]

    # -- what every model defines -------------------------------------------------------------

    @property
    def own_scores_(self) -> dict[str, AnomalyScore]:
        """The distance d."""
        return {"neighbours": own_score("neighbours")}

    @property
    def member_models_(self) -> Mapping[str, ImageModel]:
        """The autoencoder whose codes are compared."""
        return self.space_.models

    def take_member_models(self, members: Mapping[str, Any]) -> None:
        """Take over the autoencoder of a model file."""
        if self.space is None or set(members) != {NETWORK}:
            expected = "none without a space" if self.space is None else NETWORK
            raise wrong("members", sorted(members), expected)
        if members[NETWORK].layout_.image != self.layout_.image:
            what = f"layout of {NETWORK}"
            raise wrong(what, members[NETWORK].layout_.image, f"{self.layout_.image}")
        self._take_space(members[NETWORK])

    def replace_member_models(self, members: Mapping[str, Any]) -> None:
        """Compare the codes of another autoencoder of the same kind."""
        self.space_ = NetworkCodes(members[NETWORK])

    def _encode(self, x: Tensor) -> Tensor:
        return self.space_.encode(x)

    def _decode(self, z: Tensor) -> Tensor:
        return self.space_.decode(z)

    def _reconstruct(self, x: Tensor) -> Tensor:
        return self._decode(self.nearest(self._encode(x)).mean(1))

    def _outputs(self, x: Tensor) -> Outputs:
        codes = self._encode(x)
        near = self.nearest(codes)
        errors = self._squared_error(self.space_.visible(x, codes), self._decode(near.mean(1)))
        scores = {"neighbours": mean_distance(codes, near)}
        return Outputs(errors, codes, density=self.density_, usual=self.usual_error_, scores=scores)

    def _score(self, x: Tensor, kind: str | None) -> Tensor:
        if kind in (None, "neighbours"):  # which needs no errors
            codes = self._encode(x)
            return mean_distance(codes, self.nearest(codes))
        return super()._score(x, kind)

    def _sample_codes(self, count: int, seed: int) -> Tensor:
        return self.prior_.sample(count, seed)

    @property
    def _widest(self) -> int:
        """An image has as many distances as there are codes."""
        return max(len(self.bank_), self.space_.widest)

    @property
    def n_parameters_(self) -> int:
        """Numbers in the codes that are kept, and in the network."""
        return self.bank_.numel() + sum(m.n_parameters_ for m in self.space_.models.values())

    def exported_tensors(self) -> dict[str, Tensor]:
        """The codes that are kept, for ONNX."""
        return {"bank_": self.bank_}

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        prior = {PRIOR + name: tensor for name, tensor in self.prior_.state_dict().items()}
        return {"bank_": self.bank_, **prior}, {}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        if self.space is None:
            self._take_space(None)
        elif not hasattr(self, "space_"):
            raise wrong("members", None, f"{NETWORK}: the autoencoder whose codes are compared")
        rows = len(tensors.get("bank_", ()))
        with torch.device("meta"):  # shapes, without memory
            expected = {"bank_": torch.empty(max(1, rows), self.code_size_)}
        prior = {PRIOR + name: tensor for name, tensor in self.prior_.state_dict().items()}
        check_tensors(expected | prior, tensors)
        self.bank_ = tensors["bank_"]
        self.prior_.load_state_dict({name.removeprefix(PRIOR): tensors[name] for name in prior})


def mean_distance(codes: Tensor, near: Tensor) -> Tensor:
    """The mean squared distance of codes `(n, size)` from those near them `(n, k, size)`: `(n,)`."""
    return (near - codes[:, None]).square().sum(2).mean(1)
