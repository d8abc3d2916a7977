"""Checks of what the methods of a model are given: numbers, and tables `(N, D)`, which scikit-learn
checks itself.
"""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data

from narrows.errors import ImageError, NarrowsError, wrong
from narrows.image_inputs import is_image_object


class NotNumbers(ImageError, TypeError):
    """An input that holds something other than numbers."""


class NotFitted(NarrowsError, NotFittedError):
    """A model that must be fitted first."""


def check_integer(what: str, value: Any, least: int = 1) -> None:
    """Refuse a value that is not an integer of at least `least`."""
    if not isinstance(value, (int, np.integer)) or value < least:
        raise wrong(what, value, f"a whole number ≥ {least}")


def is_table(X: Any) -> bool:
    """Whether scikit-learn's own checks apply: a data frame, a sparse matrix, or an array of 2
    dimensions or less.
    """
    if hasattr(X, "columns") or hasattr(X, "toarray"):
        return True
    if is_image_object(X):
        return False
    try:
        return np.asarray(X).ndim < 3
    except ValueError:  # images of different shapes
        return False


def check_table(model: BaseEstimator, X: Any, reset: bool) -> np.ndarray:
    """The table as an array, after scikit-learn's own checks. Raises `ImageError`, `NotNumbers`.

    reset: whether the model learns the names and number of columns from it, or compares them.
    """
    try:
        return np.asarray(
            validate_data(model, X, reset=reset, dtype="numeric", ensure_all_finite=False)
        )
    except TypeError as error:
        raise NotNumbers(str(error)) from error
    except ValueError as error:
        raise ImageError(str(error)) from error
