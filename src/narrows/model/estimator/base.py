"""The base class of all models.

A model is a scikit-learn transformer of images. It has a working scale, an encoder and a decoder;
everything else here follows from these:

    transform           images → codes                        _encode
    inverse_transform   codes → images                        _decode
    reconstruct         images → images                       _reconstruct (which may use more than the code)
    score_samples       images → how probable they are        _log_likelihood
    anomaly_score       images → how anomalous they are       _outputs, see `anomaly`
    flag                images → which are anomalous          anomaly_score, see `flagging`
    sample              nothing → images                      _sample_codes, _decode

Images come and go in the user's form; the methods with an underscore take tensors `(n, C, H, W)` on
the working scale, a batch at a time, and codes `(n, size)`.
"""

from dataclasses import replace
from math import prod
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from torch import Tensor

from narrows.image_batches import ImageBatches, inference_batch_size
from narrows.image_inputs import as_images
from narrows.layout import Layout, validate_images, warn_of_other_scale
from narrows.model.estimator import inference
from narrows.model.estimator.anomaly import error, find_score
from narrows.model.estimator.arguments import (
    NotFitted,
    check_integer,
    check_table,
    is_table,
    refuse_side_channel,
    validate_codes,
)
from narrows.model.estimator.defaults import DefaultAnswers
from narrows.model.estimator.flagging import Flagging
from narrows.model.outputs import Outputs, Views
from narrows.model.trackers import Logger
from narrows.scale import Scale, to_user


class ImageModel(
    Flagging, DefaultAnswers, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """What every model can do; `narrows.model.protocol.Model` lists what it answers.

    Fitted: layout_ and scale_ of the images, code_size_ (numbers in a code), n_features_in_ (values
    in an image), image_shape_ (`(H, W)` or `(H, W, C)`; `(D,)` for a table), seed_ (what
    `random_state` came to), thresholds_ (of each kind of anomaly score, for the share `false_alarms`
    of normal images), threshold_ (that of the default kind, which `flag` uses; it may be set to a
    number of your own, and is kept in the model file), calibration_ (the scores of normal images
    that they come from, see `narrows.model.calibration`).
    """

    image_shape: tuple[int, ...] | None
    levels: tuple[float, float] | str | None = None
    random_state: Any
    layout_: Layout
    scale_: Scale
    code_size_: int
    n_features_in_: int
    image_shape_: tuple[int, ...]
    seed_: int
    # images in every inference batch, if the last bit matters: see `inference_batches`
    batch_size_fixed = 0

    # -- what a model defines -----------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, *, logger: Logger | None = None) -> Self:
        """Learn from images; `y` is not used. logger: hears of it, see `narrows.model.trackers`."""
        raise NotImplementedError

    @property
    def n_parameters_(self) -> int:
        """How many numbers were learnt."""
        raise NotImplementedError

    @property
    def prior_is_fitted_(self) -> bool:
        """Whether `sample` draws codes from a density fitted to the training codes, not from N(0, I)."""
        return True

    def _encode(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _decode(self, z: Tensor) -> Tensor:
        raise NotImplementedError

    def _sample_codes(self, count: int, seed: int) -> Tensor:
        raise NotImplementedError

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What was learnt, for a model file: tensors, and facts that JSON can hold."""
        raise NotImplementedError

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over the tensors of a model file; layout, scale and facts are set already."""
        raise NotImplementedError

    def views(self, x: Tensor, seed: int = 0, noisy: Tensor | None = None) -> Views:
        """A batch as the model gives it back, see `narrows.model.use.evaluate`."""
        return self._without_gradients(self._views, x, seed, noisy).cpu()

    def _views(self, x: Tensor, seed: int, noisy: Tensor | None) -> Views:
        images = {"": self._reconstruct(x), **self._denoised_views(noisy)}
        return Views(images, self._encode(x))

    def _denoised_views(self, noisy: Tensor | None) -> dict[str, Tensor]:
        if noisy is None:
            return {}
        return {"noisy": noisy, "denoised": self._reconstruct(noisy)}

    def _reconstruct(self, x: Tensor) -> Tensor:
        return self._decode(self._encode(x))

    def reconstructor(self, picture: Tensor) -> inference.Function:
        """What reconstructs tiles of a picture `(1, C, H, W)`, or all of it; the picture may decide how."""
        return self._reconstruct

    def _outputs(self, x: Tensor) -> Outputs:
        """What anomaly scores are computed from."""
        codes = self._encode(x)
        errors = self._squared_error(x, self._decode(codes))
        return Outputs(errors, codes, density=self.density_, usual=self.usual_error_)

    def _score(self, x: Tensor, kind: str | None) -> Tensor:
        """The anomaly score of that kind, `(n,)`."""
        return find_score(self, kind).compute(self._outputs(x))

    def _codes_for_prior(self, x: Tensor, outputs: Outputs) -> Tensor:
        """The codes that a density is fitted to, for sampling."""
        return outputs.codes

    def _log_likelihood(self, x: Tensor, samples: int, seed: int) -> Tensor:
        """Higher is more probable, one value an image."""
        return -error(self._outputs(x))

    @property
    def _widest(self) -> int:
        """Values of an image in the widest layer that it goes through."""
        return 0

    def transform(self, X: Any, *, out: np.ndarray | None = None) -> np.ndarray:
        """Codes of images, `(N, size)` float32; of a variational model, the mean of q(z|x).

        out: an array to write them into, such as a memory map, if they are more than the memory
        holds.
        """
        return self._map(*self._accept(X), self._encode, out=out)

    def inverse_transform(self, Z: Any) -> np.ndarray:
        """Images of codes `(N, size)`, in the form of the images that the model was fitted on; with
        the brightness and contrast of a typical one if the scale is per image.
        """
        self._require_no_side_channel("inverse_transform")
        codes = torch.from_numpy(validate_codes(Z, self.code_size_))
        values = max(self._widest, prod(self.layout_.image))
        batches = codes.split(inference_batch_size(values, self.device_))
        images = [self.scale_.unit(self._without_gradients(self._decode, z).cpu()) for z in batches]
        return to_user(torch.cat(images), self.layout_)

    def reconstruct(
        self, X: Any, *, exact: bool = False, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Images, encoded and decoded, in the form in which they were given. Any finite floats are
        taken.

        exact: floats on [0, 1] as the model puts them out, neither clipped nor rounded. out: as in
        `transform`.
        """
        array, layout = self._accept(X)

        def to_array(working: Tensor, scale: Scale) -> np.ndarray:
            return to_user(scale.unit(working), layout, exact)

        return self._map(array, layout, self._reconstruct, to_array, out)

    def denoise(self, X: Any, *, exact: bool = False, out: np.ndarray | None = None) -> np.ndarray:
        """The model's estimate of the clean images behind noisy ones: `reconstruct`, by its name
        for this use.
        """
        return self.reconstruct(X, exact=exact, out=out)

    def score_samples(self, X: Any, samples: int = 1, random_state: int = 0) -> np.ndarray:
        """How probable each image is, `(N,)` float32; higher is better.

        For variational models a bound on log p(x) in nats an image, from `samples` sampled codes
        that belong to the image and `random_state`: it is the same at every call, whatever the
        other images. For others minus the squared error summed over the image, on the scale of
        `anomaly_score`.
        """
        check_integer("samples", samples)
        check_integer("random_state", random_state, least=0)
        return self._map(*self._accept(X), lambda x: self._log_likelihood(x, samples, random_state))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(X).mean(dtype=np.float64))

    def sample(self, count: int = 16, random_state: int = 0) -> np.ndarray:
        """New images, from codes drawn from the prior or from the density fitted to the training
        codes.
        """
        self._require_no_side_channel("sample")
        check_integer("count", count)
        check_integer("random_state", random_state, least=0)
        codes = self._without_gradients(self._sample_codes, count, random_state)
        return self.inverse_transform(codes.cpu().numpy())

    def anomaly_score(self, X: Any, kind: str | None = None) -> np.ndarray:
        """How anomalous each image is, `(N,)` float32; higher is more anomalous, the same at every
        call.

        kind: "error" (the squared error, summed over the image), "patch" (its mean in the worst
        window), "relative" (the same, divided by its usual size at each pixel), "bound" (the negative
        bound at the mean code, in nats, of variational models), "code" (the distance of the code
        from the training codes), one that this model alone has, or None for the default: the
        model's own, else "patch" of images, "error" of tables. The squared error is on [0, 1]; of
        tables and under a scale that is per image on the working scale, so that low contrast does
        not look normal.
        """
        images = self._accept(X)
        find_score(self, kind)  # refuses a kind that this model cannot give
        return self._map(*images, lambda x: self._score(x, kind))

    def error_map(self, X: Any) -> np.ndarray:
        """Where the error is: squared errors, on the scale of `anomaly_score`, summed over channels,
        `(N, H, W)` float32; of a table `(N, 1, D)`.
        """
        return self._map(*self._accept(X), lambda x: self._outputs(x).errors.sum(1))

    @property
    def _n_features_out(self) -> int:
        return self.code_size_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "code_size_")

    def _require_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFitted(f"this {type(self).__name__} is not fitted yet; call fit(X) first")

    def _accept(self, X: Any, ranged: bool = False) -> tuple[np.ndarray, Layout]:
        """Images for a fitted model, checked. ranged: refuse floats on another scale, not only warn."""
        self._require_fitted()
        if is_table(X):
            flat_images = None if self.layout_.is_table else self.layout_.image
            array, layout = as_images(check_table(self, X, reset=False), flat_images)
        else:
            array, layout = as_images(X)
        layout = replace(layout, levels=self.levels_for(array.dtype))
        values = validate_images(array, layout, ranged, expected=self.layout_)
        if values and not ranged and not layout.is_table and self.scale_.name != "standard":
            warn_of_other_scale(values, layout.levels)
        return array, layout

    def _map(
        self,
        array: np.ndarray,
        layout: Layout,
        function: inference.Function,
        to_array: inference.ToArray = inference.as_numbers,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """`function` of the images on the working scale, batch by batch, as one array."""
        return inference.map_batches(
            ImageBatches(array, layout, self.scale_),
            function,
            to_array,
            device=self.device_,
            widest=self._widest,
            fixed_size=self.batch_size_fixed,
            out=out,
        )

    def _without_gradients(self, function: Any, *arguments: Any) -> Any:
        """A call on the model's device that keeps no gradients."""
        return inference.without_gradients(function, *arguments, device=self.device_)

    def _squared_error(self, x: Tensor, reconstruction: Tensor) -> Tensor:
        """Squared errors, `(n, C, H, W)`, on the scale of `anomaly_score`."""
        difference = reconstruction - x
        if not (self.layout_.is_table or self.scale_.is_per_image):
            difference = difference / self.scale_.to(difference.device).gain
        return difference.square()

    def _require_no_side_channel(self, verb: str) -> None:
        """Refuse what a side channel makes impossible."""
        self._require_fitted()
        refuse_side_channel(verb, self.side_bits_)
