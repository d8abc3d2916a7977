"""An archive -> its images. numpy and the standard library are all that is needed.

lossless   the images
levels     the numbers of grey levels, and the palette that gives the levels
code       the codes of an autoencoder, whose decoder (alone needs torch) makes the images
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from narrows.codec.archive import Archive
from narrows.codec.code_mode import images_of_codes
from narrows.codec.extras import Extras, read_extras
from narrows.codec.index import MODES, Form
from narrows.codec.model_files import load
from narrows.codec.pixel_model import PixelModel
from narrows.errors import DataError


def decompress(blob: bytes, model: Any = None) -> np.ndarray | list[np.ndarray]:
    """The images of an archive that `compress` made, to the last bit as they came (of the mode
    "levels": with the levels that they were given; of the mode "code": as the decoder makes them).

    blob: the bytes of the archive.
    model: what was left apart, or its path: the pixel model (`.nrwm`), or the autoencoder whose codes
        these are.

    Returns an array `(N, D)`, `(N, H, W)` or `(N, H, W, C)` if an array came, or if all images are
    files of one shape and type; else a list. Raises `DataError` for what is not an archive, is damaged,
    or needs another model.
    """
    model = model_of(model)
    archive = open_archive(BytesIO(bytes(blob)), model)
    extras = extras_of(archive)
    images = list(images_of(archive, extras, model))
    form = common_form(archive, extras)
    if extras.is_list or form is None:
        return images
    return np.array(images, form.dtype).reshape(len(images), *form.shape)


def model_of(model: Any) -> Any:
    """A model that is given as such, or by its path. Raises `DataError`."""
    return load(model) if isinstance(model, (str, PathLike)) else model


def open_archive(file: BinaryIO, model: Any = None) -> Archive:
    """An archive, with what was left apart, as `model_of` gives it. Raises `DataError`."""
    return Archive(file, model if isinstance(model, PixelModel) else None)


def extras_of(archive: Archive) -> Extras:
    """What an archive says next to its images. Raises `DataError`."""
    extras, mode = read_extras(archive.index.extras, archive.index.count), MODES[archive.index.mode]
    if (mode == "levels", mode == "code") != (extras.palette is not None, extras.code is not None):
        raise DataError(
            f"this archive is damaged: it is of the mode {mode!r}, and what it says of its images is not"
        )
    return extras


def images_of(archive: Archive, extras: Extras, model: Any = None) -> Iterator[np.ndarray]:
    """The images of an archive, one after another. model: the autoencoder of codes. Raises `DataError`."""
    mode = MODES[archive.index.mode]
    if mode not in READERS:
        raise DataError(f"this archive has images in the mode {mode!r}, which is not read here")
    return READERS[mode](archive, extras, model)


def common_form(archive: Archive, extras: Extras) -> Form | None:
    """The shape and type that all images have, and how many there are; None if they differ."""
    forms = archive.index.forms
    kinds = {form[1:] for form in forms if form.images} or {form[1:] for form in forms}
    if len(kinds) != 1:
        return None
    dtype, shape = kinds.pop()
    if extras.palette is not None:
        dtype = extras.palette.dtype
    if extras.code is not None:
        dtype, shape = extras.code.dtype, extras.code.shape
    return Form(archive.index.count, dtype, shape)


def _as_they_are(archive: Archive, extras: Extras, model: Any) -> Iterator[np.ndarray]:
    return archive.images()


def _from_palette(archive: Archive, extras: Extras, model: Any) -> Iterator[np.ndarray]:
    assert extras.palette is not None
    return map(extras.palette.image, archive.images())


def _from_codes(archive: Archive, extras: Extras, model: Any) -> Iterator[np.ndarray]:
    assert extras.code is not None
    return images_of_codes(archive, extras.code, model)


READERS: dict[str, Callable[[Archive, Extras, Any], Iterator[np.ndarray]]] = {
    "lossless": _as_they_are,
    "levels": _from_palette,
    "code": _from_codes,
}
