"""What every model can do, told once.

A model is a scikit-learn transformer of images. It has a working scale, a way down and a way up; everything else
here follows from these:

    transform           images → codes                    _encode
    inverse_transform   codes → images                    _decode
    reconstruct         images → images                   _reconstruct (which may use more than the code)
    score_samples       images → how probable they are    _score
    anomaly_score       images → how odd they are         _see, see `narrows.model.estimator.anomaly`
    sample              nothing → images                  _sample_codes, _decode

Images come and go in the user's form; the methods with an underscore see tensors `(n, C, H, W)` on the working
scale, a batch at a time, and codes `(n, size)`.
"""

from collections.abc import Callable
from math import prod
from typing import Any, Self, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from torch import Tensor

from narrows.errors import BuildError, ImageError, NarrowsError, wrong
from narrows.image_batches import ImageBatches, inference_batch_size
from narrows.image_inputs import as_images
from narrows.layout import Layout, validate_images
from narrows.model.estimator.anomaly import AnomalyMixin, Outputs, error
from narrows.model.estimator.tables import checked, is_table
from narrows.model.trackers import Logger
from narrows.scale import Scale, to_user

T = TypeVar("T")
Function = Callable[[Tensor], Tensor]
Give = Callable[[Tensor], np.ndarray]


class NotFitted(NarrowsError, NotFittedError):
    """A model that must be fitted first."""


class ImageModel(AnomalyMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The contract of a model. Fitted, it has these and those of its own:

    layout_: the form of the images it was fitted on. scale_: the working scale. seed_: what `random_state` came to.
    code_size_: numbers in a code. n_features_in_: values in an image. image_shape_: `(H, W)` or `(H, W, C)`; `(D,)`
    for a table. threshold_, thresholds_: of anomaly scores, see `FindsOdd`.
    """

    image_shape: tuple[int, ...] | None
    random_state: Any
    layout_: Layout
    scale_: Scale
    code_size_: int
    n_features_in_: int
    seed_: int
    side_bits_ = 0
    even = 0  # images in every batch that is looked at, where the last bit counts: see `Pixels.looks`

    # -- what a model defines ---------------------------------------------------------------------------------

    @property
    def n_parameters_(self) -> int:
        """How many numbers were learnt."""
        raise NotImplementedError

    def _encode(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _decode(self, z: Tensor) -> Tensor:
        raise NotImplementedError

    def _reconstruct(self, x: Tensor) -> Tensor:
        return self._decode(self._encode(x))

    def _sample_codes(self, count: int, seed: int) -> Tensor:
        raise NotImplementedError

    def _see(self, x: Tensor) -> Outputs:
        """What there is to say of how odd images are."""
        codes = self._encode(x)
        return Outputs(self._squared(x, self._decode(codes)), codes, cloud=getattr(self, "cloud_", None))

    def _surveyed(self, x: Tensor, seen: Outputs) -> Tensor:
        """The codes that a density is fitted to."""
        return seen.codes

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What was learnt, for a model file: tensors, and facts that JSON can hold."""
        raise NotImplementedError

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over the tensors of a model file; layout, scale and facts are there already."""
        raise NotImplementedError

    def _score(self, x: Tensor, samples: int, seed: int) -> Tensor:
        """Higher is more probable, one an image."""
        return -error(self._see(x))

    # -- what follows -----------------------------------------------------------------------------------------

    def transform(self, X: Any, *, out: np.ndarray | None = None) -> np.ndarray:
        """Codes of images, `(N, size)` float32; of a variational model, the mean of q(z|x).

        out: an array to write them into, such as a memory map, where they are more than the memory holds.
        """
        return self._each(*self._accept(X), self._encode, out=out)

    def inverse_transform(self, Z: Any) -> np.ndarray:
        """Images of codes `(N, size)`, in the form of the images that the model was fitted on."""
        self._by_code_alone("inverse_transform")
        try:
            Z = np.asarray(Z, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise ImageError(f"the codes make no array of numbers: {error}") from error
        size = (self.code_size_,)
        if Z.ndim != 2 or Z.shape[1:] != size:
            raise wrong("codes", Z.shape, f"an array (N, {self.code_size_})")
        if not bool(np.isfinite(Z).all()):
            raise wrong("codes", "NaN or infinity", "finite numbers")
        few = inference_batch_size(max(self._widest, prod(self.layout_.image)), getattr(self, "device_", "cpu"))
        parts = [self.scale_.unit(self._quietly(self._decode, z).cpu()) for z in torch.from_numpy(Z).split(few)]
        return to_user(torch.cat(parts), self.layout_)

    def reconstruct(self, X: Any, *, exact: bool = False, out: np.ndarray | None = None) -> np.ndarray:
        """Images, through the code and back, in the form that they came in. Any finite floats are taken.

        exact: floats on [0, 1] as the model puts them out, neither clipped nor rounded. out: as in `transform`.
        """
        array, layout = self._accept(X)

        def give(working: Tensor) -> np.ndarray:
            return to_user(self.scale_.unit(working), layout, exact)

        return self._each(array, layout, self._reconstruct, give, out)

    def denoise(self, X: Any, *, exact: bool = False, out: np.ndarray | None = None) -> np.ndarray:
        """The model's estimate of the clean images behind noisy ones: `reconstruct`, by its name for this use."""
        return self.reconstruct(X, exact=exact, out=out)

    def score_samples(self, X: Any, samples: int = 1, random_state: int = 0) -> np.ndarray:
        """How probable each image is, `(N,)` float32; higher is better.

        For variational models a bound on log p(x) in nats an image, from `samples` sampled codes that belong to
        the image and `random_state`: it repeats, whatever images stand beside it. For others minus the squared
        error summed over the image, on [0, 1] (on the working scale for tables).
        """
        check_integer("samples", samples)
        check_integer("random_state", random_state, least=0)
        return self._each(*self._accept(X), lambda x: self._score(x, samples, random_state))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(X).mean(dtype=np.float64))

    def sample(self, count: int = 16, random_state: int = 0) -> np.ndarray:
        """New images, from codes drawn from the prior or from the density fitted to the training codes."""
        self._by_code_alone("sample")
        check_integer("count", count)
        check_integer("random_state", random_state, least=0)
        return self.inverse_transform(self._quietly(self._sample_codes, count, random_state).cpu().numpy())

    # -- help -------------------------------------------------------------------------------------------------

    @property
    def _n_features_out(self) -> int:
        return self.code_size_

    def _look(self, X: Any, reset: bool) -> tuple[np.ndarray, Layout]:
        """An array and its layout; tables go through scikit-learn's own checks of names, sparseness and types."""
        if is_table(X):
            X = checked(self, X, reset)
            flat_images = None if reset or self.layout_.is_table else self.layout_.image
            return as_images(X, self.image_shape if reset else flat_images)
        return as_images(X, self.image_shape if reset else None)

    def _accept(self, X: Any) -> tuple[np.ndarray, Layout]:
        """Images for a fitted model, checked against what it was fitted on."""
        if not self.__sklearn_is_fitted__():
            raise NotFitted(f"this {type(self).__name__} is not fitted yet; call fit(X) first")
        array, layout = self._look(X, reset=False)
        validate_images(array, layout, ranged=False, expected=self.layout_)
        return array, layout

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "code_size_")

    def _each(
        self, array: np.ndarray, layout: Layout, function: Function, give: Give = Tensor.numpy, out: Any = None
    ) -> np.ndarray:
        """`function` of the images on the working scale, a batch at a time, given as arrays in one array, `out`."""
        pixels = ImageBatches(array, layout, self.scale_)
        for rows, x in pixels.inference_batches(self._widest, self.even):
            part = give(self._quietly(function, x).cpu()[: rows.stop - rows.start])
            shape = (len(pixels), *part.shape[1:])
            out = np.empty(shape, part.dtype) if out is None else out
            forms = ((out.dtype, out.shape), (part.dtype, shape))
            got, wanted = (f"{dtype} of shape {size}" for dtype, size in forms)
            if got != wanted:
                raise wrong("out", got, wanted)
            out[rows] = part
        return out

    @property
    def _widest(self) -> int:
        """Values of an image in the widest layer that it goes through."""
        return 0

    def _quietly(self, function: Callable[..., T], *arguments: Any) -> T:
        """A call that keeps no gradients, on the model's device."""
        with torch.no_grad():
            device = getattr(self, "device_", torch.device("cpu"))
            return function(*(a.to(device) if isinstance(a, Tensor) else a for a in arguments))

    def _squared(self, x: Tensor, made: Tensor) -> Tensor:
        """Squared errors, `(n, C, H, W)`: on [0, 1], and for tables on the working scale."""
        error = made - x
        if not self.layout_.is_table:
            error = error / self.scale_.to(error.device).gain
        return error.square()

    def _by_code_alone(self, verb: str) -> None:
        """Refuse what a side channel makes impossible."""
        if not self.__sklearn_is_fitted__():
            raise NotFitted(f"this {type(self).__name__} is not fitted yet; call fit(X) first")
        if self.side_bits_:
            raise BuildError(
                f"{verb} needs images that follow from the code alone: got a model whose way up also uses "
                f"{self.side_bits_} bits of switches or skips an image; use up='resize' or 'deconv' instead, "
                "with body='conv'"
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def fit(self, X: Any, y: Any = None, *, logger: Logger | None = None) -> Self:
        """Learn from images; `y` is not used. logger: is told of it, see `narrows.model.trackers`."""
        raise NotImplementedError


def check_integer(what: str, value: Any, least: int = 1) -> None:
    """Refuse what is no whole number ≥ `least`."""
    fine = isinstance(value, (int, np.integer)) and value >= least
    if not fine:
        raise wrong(what, value, f"a whole number ≥ {least}")
