"""What fitting has in common: looking at the images first, and once more at the end.

_begin      images → their layout, working scale and weights; all that is wrong with them goes to `Faults`
_survey     some training images → the density of their codes, and the thresholds of their scores
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.distributed.collectives import broadcast_from_first
from narrows.errors import BuildError, Faults, TrainingError
from narrows.image_batches import ImageBatches
from narrows.layout import validate_images
from narrows.model.estimator.base import ImageModel
from narrows.model.training.sample_weight import validate_weights, weighted_stand_ins
from narrows.parts.prior import Prior
from narrows.randomness import keyed_generator
from narrows.scale import FIXED_SCALES, choose_scale

SURVEY = 10_000  # training images that are looked at once more after training
CODES = 20_000_000  # numbers in their codes, where those are large, unless that left fewer than 200 images


class FittingMixin(ImageModel):
    """What a model needs to be fitted."""

    def _begin(
        self, X: Any, scale: str, faults: Faults, sample_weight: Any = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Look at the images to be fitted on; learn their layout and scale. Faults are added to `faults`.

        Returns the images and their weights, as they were given.
        """
        for name in ("code_size_", "threshold_", "thresholds_", "cloud_"):
            vars(self).pop(name, None)  # until the fit has come to something, it is not fitted
        self.seed_ = self._draw_seed()
        array, self.layout_ = self._look(X, reset=True)
        self.n_features_in_ = int(np.prod(self.layout_.given))
        self.image_shape_ = tuple(self.image_shape) if self.image_shape is not None else self.layout_.given
        weights = None
        with faults.catch():
            weights = validate_weights(sample_weight, len(array))
        with faults.catch():
            validate_images(array, self.layout_, ranged=scale != "standard")
        self.scale_ = FIXED_SCALES["unit"]  # stands in where the name is wrong, so that other faults are found too
        with faults.catch():
            self.scale_ = choose_scale(scale, array, self.layout_)
            if weights is not None and self.scale_.name == "standard":
                self.scale_ = choose_scale("standard", weighted_stand_ins(array, weights), self.layout_)
        return array, weights

    def _survey(self, pixels: ImageBatches, prior: Prior, failed: bool = False) -> Tensor:
        """Look once more at some training images: fit the density of their codes and set the thresholds.

        Those of weight 0 are left out; the others count alike. failed: so are those whose code is no number, of a
        training that has failed over them. Returns the codes, `(n, size)`.
        """
        order = torch.randperm(len(pixels), generator=keyed_generator(self.seed_, "survey"))
        if pixels.weights is not None:
            order = order[pixels.weights.cpu()[order] > 0]
        order = order[: min(SURVEY, max(200, CODES // prior.size))]
        codes, marks = [], []
        for index in order.sort().values.to(pixels.raw.device).split(pixels.step(self._widest)):
            x = pixels.batch(index)
            x = x[torch.isfinite(self._quietly(self._encode, x)).all(1)] if failed else x
            seen = self._quietly(self._see, x)
            codes.append(self._quietly(self._surveyed, x, seen))
            marks.append(self._marks(seen))
        if not bool(torch.isfinite(torch.cat(codes)).all()):
            raise TrainingError("the training diverged in its last steps: its codes are no numbers; try a lower rate")
        if not self.side_bits_:  # else no image follows from a code alone
            prior.fit(torch.cat(codes), self.seed_)
        self._settle(marks)
        return torch.cat(codes)

    def _draw_seed(self) -> int:
        """`random_state` as a number: itself, or drawn from the generator it is, or from the system for None."""
        from sklearn.utils import check_random_state

        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        if self.random_state is None:  # where scikit-learn moves numpy's global generator
            return broadcast_from_first(lambda: int(np.random.default_rng().integers(2**31)))
        try:
            return int(check_random_state(self.random_state).randint(2**31))
        except ValueError as error:
            raise BuildError(f"random_state: {error}") from error
