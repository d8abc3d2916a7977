"""The mode "code": of each image the code of an autoencoder, as integers; its decoder makes the images.

The archive's own images are the rows of symbols, and its pixel model, inside, is their tables (`codes`). The
autoencoder is kept apart: the archive has the first 16 bytes of the SHA-256 of its file, the shape and the
type of the images.

A code of real numbers is quantised: unit j in steps of w s_j, with its standard deviation s_j. The largest
w = 2^(-k/2) is taken that raises the squared error of the reconstructions by at most 5 %, of up to 2,000
of the images, or that takes no more than the asked bytes an image (`quantisation`).
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from math import prod
from typing import Any, BinaryIO

import numpy as np

from narrows.codec.archive import Archive, Writer
from narrows.codec.codes import CodesHead, are_integers, as_integers, code_tables, steps_of
from narrows.codec.extras import CodeOf
from narrows.codec.index import DIGEST
from narrows.codec.pixel_model import PixelModel
from narrows.errors import DataError, ImageError, NarrowsError, wrong
from narrows.levels import unit_values

BATCH = 1000  # images that are encoded or decoded at once
LOOKED_AT = 2000  # images from which the steps are chosen
MORE_ERROR = 1.05  # times the squared error of the model, that steps may make
SHARES = [2.0 ** (-k / 2) for k in range(-2, 17)]  # 2 to 1/256
TILE, AREA = 11, 22  # logarithms


def encode_images(
    model: Any, images: Iterable[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, CodeOf]:
    """The codes `(N, D)` of images, the first of the images, and what is said of them.

    Raises `ImageError` for images of several sizes or types, `BuildError` for a model without a code.
    """
    _require_code(model)
    codes, first, dtype = [], [], ""
    images = iter(images)
    while batch := list(islice(images, BATCH)):
        forms = {(image.dtype.name, image.shape) for image in [*first[:1], *batch]}
        if len(forms) > 1:
            raise ImageError(
                "codes are of images of one size and type, these have several: "
                + ", ".join(f"{shape} of {dtype}" for dtype, shape in sorted(forms, key=str)[:4])
            )
        codes.append(model.transform(np.array(batch)).reshape(len(batch), -1))
        first += batch[: LOOKED_AT - len(first)]
    dtype, shape = first[0].dtype.name, first[0].shape
    return np.concatenate(codes), np.array(first), CodeOf(dtype, shape, _digest(model))


def _require_code(model: Any) -> None:
    if model.side_bits_:
        cure = "train one whose code is all that its decoder sees, such as compression-mlp"
        expected = "one without a side channel"
        raise wrong(
            "the model", f"one with {model.side_bits_:,} bits that by-pass its code", expected, cure
        )


def quantisation(
    model: Any, codes: np.ndarray, images: np.ndarray, target: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Step and offset of each unit; see the module. target: bytes an image.

    Raises `BuildError` if no steps take so few bytes, or for a target of codes that are integers.
    """
    if are_integers(codes):
        if target is not None:
            expected = "none, since the code of this model is of integers already"
            raise wrong("bytes", target, expected)
        return steps_of(codes, 1.0)
    if target is not None:
        return _steps_of_size(codes, target)
    few = codes[: len(images)]
    most = MORE_ERROR * _error(model, few, images)
    for share in SHARES[:-1]:
        step, offset = steps_of(codes, share)
        if _error(model, offset + step * as_integers(few, step, offset), images) <= most:
            return step, offset
    return steps_of(codes, SHARES[-1])


def _steps_of_size(codes: np.ndarray, target: float) -> tuple[np.ndarray, np.ndarray]:
    """The finest steps that take at most that many bytes an image."""
    sizes = {}
    for share in reversed(SHARES):
        step, offset = steps_of(codes, share)
        sizes[share] = entropy(as_integers(codes, step, offset)) / 8
        if sizes[share] <= target:
            return step, offset
    least = sizes[SHARES[0]]
    raise wrong("bytes", target, f"at least {least:.3g} for the codes of this model")


def entropy(integers: np.ndarray) -> float:
    """Bits of a row `(D,)`, each unit by its frequencies among all rows."""
    bits = 0.0
    for unit in integers.T:
        p = np.unique(unit, return_counts=True)[1] / len(unit)
        bits -= float((p * np.log2(p)).sum())
    return bits


def _error(model: Any, codes: np.ndarray, images: np.ndarray) -> float:
    made = model.inverse_transform(codes.astype(np.float32))
    levels = model.levels_for(images.dtype)
    made = made.reshape(images.shape).astype(images.dtype, copy=False)
    difference = unit_values(made, levels) - unit_values(images, levels)
    return float(np.square(difference, dtype=np.float64).mean())


def write_codes(
    file: BinaryIO, integers: np.ndarray, step: np.ndarray, offset: np.ndarray, extras: Any
) -> Writer:
    """An archive of integers `(N, D)`. extras: gives what else is to be said, JSON."""
    tensors, said = code_tables(integers, step, offset)
    options = {"head": "codes", "types": ["uint16"], "channels": 1, "values": 1 << 16}
    model = PixelModel({**options, "tile": TILE, "area": AREA, **said}, tensors)
    writer = Writer(file, model, mode="code")
    writer.write((integers - tensors["low"]).astype(np.uint16), extras)
    return writer


def images_of_codes(archive: Archive, code: CodeOf, model: Any) -> Iterator[np.ndarray]:
    """The images that the autoencoder's decoder makes. Raises `DataError` if it is another model."""
    if model is None or isinstance(model, PixelModel) or _digest(model) != code.model:
        raise DataError(
            f"this archive has codes of an autoencoder, that of SHA-256 {code.model[:16]}...; "
            + ("give it as the model" if model is None else "another model was given")
        )
    for codes in codes_of(archive):
        try:
            made = model.inverse_transform(codes)
        except NarrowsError as error:
            raise DataError(f"this archive is damaged: its {error}") from error
        if made[0].size != prod(code.shape):
            raise DataError(f"this archive is damaged: its images are not of shape {code.shape}")
        for image in made:
            yield image.reshape(code.shape).astype(code.dtype, copy=False)


def codes_of(archive: Archive) -> Iterator[np.ndarray]:
    """The codes `(n, D)` in batches. Raises `DataError`."""
    head = archive.model.head if archive.model else None
    if archive.index.count and not isinstance(head, CodesHead):
        raise DataError("this archive is damaged: the tables of its codes are missing")
    rows = archive.images()
    while batch := list(islice(rows, BATCH)):
        if not isinstance(head, CodesHead) or {row.shape for row in batch} != {head.low.shape}:
            raise DataError("this archive is damaged: its codes are not those of its tables")
        yield head.codes(np.array(batch))


def _digest(model: Any) -> str:
    """What identifies an autoencoder, whether it is in memory or was loaded."""
    from narrows.model.files.store import weights_digest

    return weights_digest(model)[:DIGEST].hex()
