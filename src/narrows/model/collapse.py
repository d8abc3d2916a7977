"""Collapse: a code that says nothing, or an output that does not depend on the image. It is told, with a cure."""

import warnings

from torch import Tensor

from narrows.errors import NarrowsWarning
from narrows.measure import dead_units
from narrows.model.base import ImageModel
from narrows.model.network import Network
from narrows.pixels import Pixels

DEAD = 0.95  # of its units: then a code is called dead


class Collapses(ImageModel):
    """What a model made of a network says of itself once it is trained."""

    network_: Network

    def _say_if_collapsed(self, pixels: Pixels, codes: Tensor) -> None:
        """Say so where the code has died, or the output has come to be a constant."""
        dead = dead_units(codes).sum() if self.network_.bottleneck.rectified else 0
        if dead > DEAD * self.code_size_:
            warnings.warn(
                f"the code is dead: {dead} of its {self.code_size_} units are active for no image; "
                "lower the weight of its penalty, or the rate",
                NarrowsWarning,
                stacklevel=4,
            )
        elif len(pixels) > 1 and self._is_constant(pixels.batch(slice(0, max(2, pixels.step(self._widest))))):
            warnings.warn(
                "the model predicts a constant: its output does not depend on the image; train longer, "
                "lower the rate, β or the weight of a penalty, or use batch_norm=True; where the output is a sigmoid "
                "under squared error, likelihood='bernoulli' starts sooner",
                NarrowsWarning,
                stacklevel=4,
            )

    def _is_constant(self, x: Tensor) -> bool:
        """Whether reconstructions vary by less than a thousandth of what the images do (as variances)."""
        put_out = self._quietly(self._reconstruct, x).cpu()
        return bool(put_out.var(0).sum() < 1e-3 * x.cpu().var(0).sum())
