"""Images that can be read more than once, the same each time, and what is known of them."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Protocol

import numpy as np

from narrows.codec.extras import Extras
from narrows.codec.palette import Palette
from narrows.errors import ImageError
from narrows.mapped import in_parts


class Source(Protocol):
    """Images that can be read more than once, the same each time."""

    def __iter__(self) -> Iterator[np.ndarray]: ...

    @property
    def extras(self) -> Extras:
        """What is known of those that were read last."""
        ...


class Batch:
    """Images in memory, or in a map of a file."""

    def __init__(self, X: Any):
        self.images = _as_batch(X)
        self.extras = Extras(len(self.images), is_list=isinstance(self.images, list))
        if not self.extras.count:
            raise ImageError("there are no images to compress; at least 1 is needed")

    def __iter__(self) -> Iterator[np.ndarray]:
        if isinstance(self.images, list):
            return iter(self.images)
        return chain.from_iterable(rows for _, rows in in_parts(self.images))


def _as_batch(X: Any) -> np.ndarray | list[np.ndarray]:
    if isinstance(X, np.ndarray):
        return X
    if isinstance(X, (list, tuple)) and all(isinstance(image, np.ndarray) for image in X):
        return list(X)
    from narrows.image_inputs import as_images, image_of

    return [image_of(item) for item in X] if isinstance(X, (list, tuple)) else as_images(X)[0]


class Numbers:
    """Images as the numbers of the levels of a palette."""

    def __init__(self, source: Source, palette: Palette):
        self.source, self.palette = source, palette

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.palette.indices, self.source)
