"""What a model puts out for a batch of images: for anomaly scores, and for measures."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from narrows.model.density import CodeDensity
from narrows.model.usual_error import UsualError


@dataclass
class Outputs:
    """All that an anomaly score is computed from.

    errors: squared errors of the reconstruction, `(n, C, H, W)`, see `narrows.model.estimator.anomaly`.
    codes: `(n, size)`.
    bound: the negative bound on the log-likelihood `(n,)`, of variational models.
    density: of the training codes, once it is known.
    usual: the usual size of the errors, once it is known.
    scores: of the kinds that this model alone has, `(n,)` each.
    """

    errors: Tensor
    codes: Tensor
    bound: Tensor | None = None
    density: CodeDensity | None = None
    usual: UsualError | None = None
    scores: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass
class Views:
    """The images of a batch as a model gives them back, in several ways.

    images: by the name of the view, "" for the reconstruction, "noisy", "denoised", "sampled"; on
        the working scale.
    terms: of the likelihood, one value an image `(n,)`.
    codes: without chance, `(n, size)`.
    """

    images: dict[str, Tensor]
    codes: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)

    def cpu(self) -> "Views":
        """The same on the CPU."""
        images = {name: image.cpu() for name, image in self.images.items()}
        terms = {name: values.cpu() for name, values in self.terms.items()}
        return Views(images, self.codes.cpu(), terms)
