"""One array of NumPy, `.npy`: a header that says type, shape and order, then the values.

It is read as a memory map, whatever its size: only what is used is in memory. Nothing is ever
unpickled, so an array of Python objects is refused.

Reference: NEP 1, https://numpy.org/neps/nep-0001-npy-format.html
"""

from pathlib import Path

import numpy as np

from narrows.data.image_set import ImageSet, check_images, refuse_parts
from narrows.data.numpy_files import load_npy
from narrows.data.readers.reading import readable


def read_npy(path: Path, split: str = "all") -> ImageSet:
    """The images of an `.npy` file: a read-only memory map. Raises `DataError`."""
    refuse_parts(path, split)
    with readable(path, "NumPy arrays", "write it again with np.save or np.savez"):
        images = _mapped(path)
    check_images(images, path)
    return ImageSet(images, source=f"the array in {path}")


def _mapped(path: Path) -> np.ndarray:
    try:
        return load_npy(path, mapped=True)
    except ValueError as error:
        if "pickle" in str(error) or "Python objects" in str(error):
            raise ValueError("it holds pickled objects, or no array") from error
        raise
