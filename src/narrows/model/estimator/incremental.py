"""Going on: training an epoch at a time, on images that come in parts.

    for part in parts:
        ae.partial_fit(part)        one epoch over these images, from where the last call left off

The optimiser keeps what it knows between calls, and history_ and epochs_ go on. The first call builds the network
and fixes what `fit` fixes: the layout of the images, the working scale (so begin with images that are like the
others), and the validation images, where a share of them is asked for. `epochs` is the length of the schedule alone.
Sample weights have a mean of 1 over the images of each call: a call counts as many images as it brings.
After `fit` or `load` it goes on from those weights, with a new optimiser.
"""

from typing import Any, Self

import torch

from narrows.image_batches import ImageBatches
from narrows.layout import validate_images
from narrows.machine import flush_denormals
from narrows.model.estimator.fitting import FittingMixin
from narrows.model.network import Network
from narrows.model.training.pairs import validate_pairs, with_noisy
from narrows.model.training.progress import Progress
from narrows.model.training.sample_weight import validate_weights
from narrows.model.training.training import Training


class IncrementalMixin(FittingMixin):
    """What an estimator needs to be trained in parts; it has these from its own `fit`."""

    network_: Network
    device_: torch.device
    history_: dict[str, list[float]]
    epochs_: int
    training: dict[str, Any] | None
    _training: Training | None = None

    def _prepare(self, X: Any, sample_weight: Any = None, noisy: Any = None) -> Training:
        """Build the network for these images, and set up its training."""
        raise NotImplementedError

    def _learn(self, training: Training) -> None:
        """Take over what the training has come to."""
        raise NotImplementedError

    def partial_fit(self, X: Any, y: Any = None, *, sample_weight: Any = None, noisy: Any = None) -> Self:
        """Train for one epoch on these images; `y` is not used. The first call builds the network.

        sample_weight, noisy: as of `fit`. Densities of codes and thresholds are those of the images of the last call.
        """
        self._training = training = self._onward(X, sample_weight, noisy)
        training.run_epoch()
        self._learn(training)
        self.network_.eval()
        self._survey(training.images, self.network_.prior)
        return self

    @flush_denormals()
    def _onward(self, X: Any, sample_weight: Any, noisy: Any) -> Training:
        """The training to go on with, on these images."""
        if not self.__sklearn_is_fitted__():
            return self._prepare(X, sample_weight, noisy)
        array, layout = self._accept(X)
        validate_images(array, layout, ranged=self.scale_.name != "standard")
        validate_pairs(self, noisy)
        weights = validate_weights(sample_weight, len(array))
        pixels = with_noisy(ImageBatches(array, layout, self.scale_, self.device_, weights), noisy)
        training = self._training
        if training is None or training.network is not self.network_:
            return self._trainer(pixels, None, progress=Progress.of_fitted(self.epochs_, self.history_))
        training.continue_with(pixels)
        return training

    def _trainer(self, train: ImageBatches, held: ImageBatches | None, **hooks: Any) -> Training:
        """The training of the network as it is."""
        names = ("epochs", "batch_size", "optimiser", "schedule", "objective")
        settings = {name: getattr(self, name) for name in names}
        options = {**(self.training or {}), **hooks}
        return Training(self.network_, train, held, seed=self.seed_, **settings, **options)

    def __getstate__(self) -> dict[str, Any]:
        """A copy or a pickle has the model, not what its training holds."""
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_training"}
