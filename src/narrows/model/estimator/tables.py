"""Tables `(N, D)`, which scikit-learn has checks of its own for: names of columns, sparse matrices, types."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from narrows.errors import ImageError
from narrows.image_inputs import is_image_object


class NotNumbers(ImageError, TypeError):
    """An input that holds something else than numbers."""


def is_table(X: Any) -> bool:
    """Whether scikit-learn's own checks apply: a data frame, a sparse matrix, or an array of 2 dimensions or less."""
    if hasattr(X, "columns") or hasattr(X, "toarray"):
        return True
    if is_image_object(X):
        return False
    try:
        return np.asarray(X).ndim < 3
    except ValueError:  # images of different shapes
        return False


def checked(model: BaseEstimator, X: Any, reset: bool) -> np.ndarray:
    """The table as an array, once scikit-learn has nothing to say against it. Raises `ImageError`, `NotNumbers`.

    reset: whether the model learns the names and number of columns from it, or compares them.
    """
    try:
        return np.asarray(validate_data(model, X, reset=reset, dtype="numeric", ensure_all_finite=False))
    except TypeError as error:
        raise NotNumbers(str(error)) from error
    except ValueError as error:
        raise ImageError(str(error)) from error
