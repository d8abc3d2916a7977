"""Arrays of MATLAB up to version 7, `.mat`: variables with names, in MATLAB's order.

MATLAB keeps images with their number last, and so do the files of the field:

    (H, W, C, N)   X of SVHN             -> (N, H, W, C)
    (H, W, N)      a stack               -> (N, H, W)
    (D, N)         ff of Frey faces      -> (N, D), a column an image
    (N, D)         fea, data             -> (N, D), a row an image
    (N, H, W)      a stack of square images, as Python writes it

Which axis counts the images is known by the option `axis`, from 0, or by the labels, a variable of N
values; else see `matlab_order`, and of a matrix an axis that makes square images is taken for D, else
the longer one for N. Rows become square images, or of the option `shape`; Frey faces are 28 x 20.
SVHN's label 10 is the digit 0.

The images are the largest variable, or the one named by the option `array`. Version 7.3 is HDF5.

Reference: MAT-File Format, The MathWorks, R2024a; Y. Netzer et al., Reading Digits in Natural Images,
2011 (SVHN).
"""

from math import isqrt, prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrows.data.image_set import ImageSet, refuse_parts
from narrows.data.readers.mat_variables import read_variable, variables_in
from narrows.data.readers.matlab_order import matlab_order, order_by
from narrows.data.readers.reading import (
    Labels,
    Shape,
    images_of_rows,
    labels_or_note,
    readable,
    set_of,
    settled,
)
from narrows.errors import DataError, did_you_mean

HDF5 = b"MATLAB 7.3"
LABEL_NAMES = ("y", "label", "labels", "gnd", "target", "targets", "class")
KNOWN_SHAPES = {"ff": (28, 20)}  # variables of the field whose images are no squares
EITHER = (
    "The rows as well as the columns of {name} in {path} could be square images; it is read as "
    "{count}. The shape of an image decides: shape (--shape), or axis (--axis)."
)
TAKEN = "{path}: {name} {shape}: the first axis is taken for that of the images; axis (--axis) says another"
SVHN_ZERO = "SVHN's label 10 became the digit 0."


class How(NamedTuple):
    """What the user says of the images: the shape of a row, and the axis that counts them."""

    shape: Shape
    axis: int | None


def read_mat(
    path: Path,
    split: str = "all",
    array: str = "",
    shape: Shape = None,
    axis: int | None = None,
) -> ImageSet:
    """The images of a MATLAB file. array: the name of their variable. shape: (H, W) or (H, W, C), if
    images are rows or columns. axis: that of the images, from 0. Raises `DataError`.
    """
    refuse_parts(path, split)
    _refuse_hdf5(path)
    with readable(path, "a MATLAB file"):
        variables = variables_in(path)
        name = array or max(variables, key=lambda key: prod(variables[key].shape), default="")
        if name not in variables:
            raise DataError(f"{path} has no array {name!r}; {did_you_mean(name, variables)}")
        label = next((key for key in variables if key.lower() in LABEL_NAMES and key != name), "")
        images = read_variable(path, variables[name])
        labels = read_variable(path, variables[label]).reshape(-1) if label else None
    how = How(shape, axis)
    return _as_set(images, labels, name, label, how, path)


def _refuse_hdf5(path: Path) -> None:
    with open(path, "rb") as file:
        if file.read(len(HDF5)) == HDF5:
            raise DataError(
                f"{path} is a MATLAB file of version 7.3, which is HDF5, and is damaged or cut short"
            )


def _as_set(
    values: np.ndarray, labels: Any, name: str, label: str, how: How, path: Path
) -> ImageSet:
    count = None if labels is None else len(labels)
    images, notes = _images_of(values, count, name, how, path)
    found = Labels()
    if labels is not None:
        found = labels_or_note(labels, len(images), label, path)
    if images.shape[1:] == (32, 32, 3) and found.values is not None and _is_svhn(found.values):
        found = found._replace(values=found.values % 10)
        notes = (*notes, SVHN_ZERO)
    return set_of(images, found, path, f"{name} in {path}", notes)


def _images_of(
    values: np.ndarray, count: int | None, name: str, how: How, path: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The images in MATLAB's array, and what is to be said of it. count: of the labels."""
    if values.ndim in (3, 4):
        return _stack(values, count, name, how, path)
    if values.ndim != 2:
        raise DataError(
            f"{path}: {name} has the shape {values.shape}; expected (H, W, C, N), (H, W, N) or rows "
            "of values; choose another variable by array (--array)"
        )
    shape = how.shape or KNOWN_SHAPES.get(name)
    rows = values.transpose(_matrix_order(values.shape, count, shape, how.axis))
    images, notes = images_of_rows(settled(rows), shape, path)
    is_known = count in values.shape or shape is not None or how.axis is not None
    if not is_known and all(map(_is_square, values.shape)):
        notes = (EITHER.format(name=name, path=path, count=len(images)),)
    return images, notes


def _stack(
    values: np.ndarray, count: int | None, name: str, how: How, path: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """A stack of images, and what is to be said of it."""
    if how.axis is not None:
        return settled(values.transpose(order_by(how.axis, values.ndim))), ()
    order = matlab_order(values.shape, count or 0)
    is_guessed = order[0] == 0 and count is None
    words = TAKEN.format(path=path, name=name, shape=values.shape)
    return settled(values.transpose(order)), (words,) if is_guessed else ()


def _matrix_order(
    sides: tuple[int, ...], labels: int | None, shape: Shape, axis: int | None
) -> tuple[int, ...]:
    """The axes of a matrix, that of the images first."""
    if axis is not None:
        return order_by(axis, 2)
    return (0, 1) if _rows_are_images(sides, labels, shape) else (1, 0)


def _rows_are_images(sides: tuple[int, ...], labels: int | None, shape: Shape) -> bool:
    """Whether the images are the rows of a matrix, not its columns."""
    rows, columns = sides
    if labels is not None and labels in sides:
        return rows == labels
    if shape is not None:
        return columns == prod(shape)
    if _is_square(rows) != _is_square(columns):
        return _is_square(columns)
    return rows >= columns


def _is_square(width: int) -> bool:
    return width > 1 and isqrt(width) ** 2 == width


def _is_svhn(labels: np.ndarray) -> bool:
    return bool(labels.min() == 1 and labels.max() == 10)
