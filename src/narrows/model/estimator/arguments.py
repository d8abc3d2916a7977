"""Checks of what the methods of a model are given: numbers, and tables `(N, D)`, which scikit-learn
checks itself.
"""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data

from narrows.errors import BuildError, ImageError, NarrowsError, wrong
from narrows.image_inputs import NUMBERS, is_image_object
from narrows.tensors import without_tensors


class NotNumbers(ImageError, TypeError):
    """An input that holds something other than numbers."""


class NotFitted(NarrowsError, NotFittedError):
    """A model that must be fitted first."""


def check_integer(what: str, value: Any, least: int = 1) -> None:
    """Refuse a value that is not an integer of at least `least`."""
    if not isinstance(value, (int, np.integer)) or value < least:
        raise wrong(what, value, f"an integer ≥ {least}")


def check_seed(what: str, value: Any) -> None:
    """Refuse a number or a text that is not a seed; generators are scikit-learn's to judge."""
    if isinstance(value, (Real, str)):
        check_integer(what, value, least=0)


def is_table(X: Any) -> bool:
    """Whether scikit-learn's own checks apply: a data frame, a sparse matrix, an array of 2
    dimensions, or of numbers in fewer.
    """
    if hasattr(X, "columns") or hasattr(X, "toarray"):
        return True
    if is_image_object(X):
        return False
    try:
        array = np.asarray(without_tensors(X))
    except (TypeError, ValueError, RuntimeError):  # no array, which `as_images` explains
        return False
    return array.ndim == 2 or (array.ndim < 2 and array.dtype.kind in NUMBERS)


def check_table(model: BaseEstimator, X: Any, reset: bool) -> np.ndarray:
    """The table as an array, after scikit-learn's own checks. Raises `ImageError`, `NotNumbers`.

    reset: whether the model learns the names and number of columns from it, or compares them.
    """
    try:
        return np.asarray(
            validate_data(
                model, without_tensors(X), reset=reset, dtype="numeric", ensure_all_finite=False
            )
        )
    except TypeError as error:
        raise NotNumbers(str(error)) from error
    except ValueError as error:
        raise ImageError(str(error)) from error


def validate_codes(Z: Any, size: int) -> np.ndarray:
    """Codes `(N, size)` as float32."""
    try:
        codes = np.asarray(without_tensors(Z), dtype=np.float32)
    except (TypeError, ValueError) as problem:
        raise ImageError(f"the codes make no array of numbers: {problem}") from problem
    if codes.ndim != 2 or codes.shape[1] != size:
        raise wrong("codes", codes.shape, f"an array (N, {size})")
    if not np.isfinite(codes).all():
        raise wrong("codes", "NaN or infinity", "finite numbers")
    return codes


def refuse_side_channel(verb: str, side_bits: int) -> None:
    """Refuse what needs images that follow from the code alone, if a model has a side channel."""
    if side_bits:
        raise BuildError(
            f"{verb} needs images that follow from the code alone: got a model whose way up also uses "
            f"{side_bits} bits of switches or skips an image; use up='resize' or 'deconv' instead, "
            "with body='conv'"
        )
