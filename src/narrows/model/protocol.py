"""What any fitted model answers, whatever it is made of.

Evaluation, anomaly scores, files, studies and the command line ask these questions, and never which
class a model is: a sibling estimator that answers them needs no edit elsewhere.
`narrows.model.estimator.base.ImageModel` has the defaults; a model defines at least `_encode`,
`_decode`, `_sample_codes`, `_state`, `_restore` and `n_parameters_`.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from narrows.layout import Layout
from narrows.levels import Levels
from narrows.measure import CodeStatistics
from narrows.model.calibration import Calibration
from narrows.model.density import CodeDensity
from narrows.model.outputs import Outputs, Views
from narrows.model.usual_error import UsualError
from narrows.parts.corruption import Corruption
from narrows.parts.term import Term
from narrows.scale import Scale


class Model(Protocol):
    """A fitted model of images.

    Batches `(n, C, H, W)` are on the working scale, codes are `(n, size)`.

    What it was fitted on: layout_ and scale_ of the images, seed_, device_.
    Sizes: code_size_ (numbers in a code), side_bits_ (bits of the side channel of an image),
        n_parameters_.
    Training: history_ (an entry an epoch) and steps_ (an entry a step), both empty if it has no
        epochs; epochs_; validation_index_ (the images that were held back), calibration_index_ (those
        held out for thresholds alone); terms_ (how the terms
        in its history are called).
    Anomalies: threshold_ of the default score, thresholds_ of all kinds, calibration_ (the scores
        of normal images that they come from), density_ of the training codes, usual_error_ at each
        pixel, own_scores_ (kinds that this model alone has, the best first).
    """

    layout_: Layout
    scale_: Scale
    seed_: int
    device_: torch.device
    code_size_: int
    side_bits_: int
    validation_index_: np.ndarray | None
    calibration_index_: np.ndarray | None
    threshold_: float | None
    thresholds_: Mapping[str, float]
    calibration_: Calibration | None
    density_: CodeDensity | None
    usual_error_: UsualError | None
    about_: Mapping[str, Any]

    # read alone, so that a model may have a narrower type
    @property
    def history_(self) -> Mapping[str, list[float]]: ...

    @property
    def steps_(self) -> Mapping[str, np.ndarray]: ...

    @property
    def epochs_(self) -> int | None: ...

    @property
    def n_parameters_(self) -> int:
        """How many numbers were learnt."""
        ...

    @property
    def terms_(self) -> Mapping[str, Term]:
        """The terms of its loss by their names in `history_`; empty if it has no loss."""
        ...

    @property
    def choice_in_words_(self) -> str:
        """What it has chosen by itself and why, as text; empty if there was nothing to choose."""
        ...

    @property
    def own_tables_(self) -> list[dict[str, Any]]:
        """Tables that a page shows of this model alone: title, caption, rows."""
        ...

    @property
    def member_models_(self) -> Mapping[str, Any]:
        """The models that it is made of, by name."""
        ...

    @property
    def own_scores_(self) -> Mapping[str, Any]: ...

    @property
    def is_variational(self) -> bool:
        """Whether codes are sampled, so that there is a bound on the likelihood."""
        ...

    @property
    def prior_is_fitted_(self) -> bool:
        """Whether `sample` draws codes from a density fitted to the training codes, not from N(0, I)."""
        ...

    @property
    def fits_in_epochs(self) -> bool:
        """Whether it is trained epoch by epoch: `fit_epochs`, `partial_fit`, checkpoints."""
        ...

    @property
    def wants_pairs(self) -> bool:
        """Whether `fit` needs the user's own noisy images."""
        ...

    @property
    def learns_from_noisy(self) -> bool:
        """Whether the images that `fit` takes are noisy themselves, so that it knows no clean ones."""
        ...

    @property
    def noise_(self) -> Corruption | None:
        """The noise that it was trained on and can make; None if it was trained on clean images, on
        pairs, or on images that are noisy themselves.
        """
        ...

    @property
    def margin_(self) -> int | None:
        """Pixels around a tile that its result depends on, of a network that is given the noise and takes
        images of any size; None of others.
        """
        ...

    @property
    def code_is_feature_map_(self) -> bool:
        """Whether the code is the feature map of a network, not a vector of units."""
        ...

    def transform(self, X: Any) -> np.ndarray: ...

    def reconstruct(self, X: Any, *, exact: bool = False) -> np.ndarray: ...

    def denoise(self, X: Any, *, exact: bool = False) -> np.ndarray: ...

    def anomaly_score(self, X: Any, kind: str | None = None) -> np.ndarray: ...

    def views(self, x: Tensor, seed: int = 0, noisy: Tensor | None = None) -> Views:
        """A batch as the model gives it back (see `narrows.model.use.evaluate`), on the CPU."""
        ...

    def code_measures(self, statistics: CodeStatistics) -> dict[str, float]:
        """What `evaluate` reports of the units of the code: active, dead."""
        ...

    def filters(self, end: str) -> np.ndarray | None:
        """The units of the first linear layer ("encoder") or of the last ("decoder") as images
        `(units, H, W)`.
        """
        ...

    def kernels(self) -> list[np.ndarray]:
        """The kernels `(out, in, k, k)` of the convolutions of the decoder, in the order of the
        layers.
        """
        ...

    def levels_for(self, dtype: np.dtype) -> Levels:
        """Black and white of images of that type."""
        ...

    def _accept(self, X: Any, ranged: bool = False) -> tuple[np.ndarray, Layout]: ...

    def _encode(self, x: Tensor) -> Tensor: ...

    def _decode(self, z: Tensor) -> Tensor: ...

    def _reconstruct(self, x: Tensor) -> Tensor: ...

    def _outputs(self, x: Tensor) -> Outputs: ...

    @property
    def _widest(self) -> int: ...
