"""What a code takes: numbers, bits beside it, and bytes, beside the image's own bytes.

A ratio of numbers (784 pixels to 32 numbers: 24.5) says little: a pixel is one byte, a float32 is four. So bytes are
counted:

    float32, float16   4 and 2 bytes a number
    8 bits             1 byte a number: each unit as one of 256 values, evenly spaced from its least to its largest
                       over the images; what that does to the squared error stands beside it
    side               the bits that by-pass the code, in bytes

and for the image itself raw pixels, PNG (each image a file), and xz over all the images together, which lose nothing.
These are sizes of what would be stored; a codec would also use that some values are likelier than others.
"""

import io
import lzma
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from narrows.data import ImageSet
from narrows.model.use.evaluate import displayable
from narrows.study.trained import Trained, as_floats

LIMIT = 2_000_000  # bytes of images that are compressed to find what they take: 0.8 s
LEVELS = 255
LOOKED = 2000  # images that errors and PNGs are averaged over
HALF = 65504  # the largest number of a float16
BYTES, ERROR, RATIO = "bytes an image", "squared error per pixel", "raw / bytes"


def byte_sizes(done: dict[str, Trained]) -> list[dict[str, Any]]:
    """Rows: the images of each set as they are, then each run's code, in bytes an image."""
    runs = [run for run in done.values() if not run.model.layout_.is_table]
    sets = {run.shown.test.fingerprint: run.shown.test for run in runs}
    rows = [(images, row) for images in sets.values() for row in _lossless(images, len(sets) > 1)]
    rows += [(run.shown.test, row) for run in runs for row in _code(run)]
    return [{**row, RATIO: images.images[0].nbytes / row[BYTES]} for images, row in rows]


def _code(run: Trained) -> Iterator[dict[str, Any]]:
    """A row for each form of the code, with the error that it leaves, but where a side channel is needed."""
    model, images = run.model, run.of("test")[0][:LOOKED]
    codes, x, side = model.transform(images), as_floats(images), -(-model.side_bits_ // 8)
    beside = f" + {side} beside it" if side else ""
    for name, (width, form) in FORMS.items():
        label = f"{run.name}: {model.code_size_} numbers as {name}{beside}"
        row = {"": label, BYTES: model.code_size_ * width + side}
        yield row if side else {**row, ERROR: _error(x, model.inverse_transform(form(codes)))}


def rounded(codes: np.ndarray) -> np.ndarray:
    """Codes with each unit at the nearest of 256 values, evenly spaced from its least to its largest."""
    low, span = codes.min(0), np.maximum(np.ptp(codes, axis=0), 1e-12)
    return (np.rint((codes - low) / span * LEVELS) / LEVELS * span + low).astype(np.float32)


FORMS = {
    "float32": (4, lambda z: z),
    "float16": (2, lambda z: np.clip(z, -HALF, HALF).astype(np.float16)),
    "8 bits": (1, rounded),
}


def _error(x: np.ndarray, made: np.ndarray) -> float:
    return float(np.square(as_floats(made) - x, dtype=np.float64).mean())


def _compressed(images: ImageSet) -> dict[str, float]:
    part = images.images[: max(1, LIMIT // images.images[0].nbytes)]
    found = {"raw pixels": float(part[0].nbytes)}
    if part.dtype == np.uint8:
        found["PNG, each a file"] = float(np.mean([_png(image) for image in part[:LOOKED]]))
    found[f"xz, {len(part):,} test images together"] = len(lzma.compress(part.tobytes())) / len(part)
    return found


def _lossless(images: ImageSet, named: bool) -> list[dict[str, Any]]:
    """Bytes an image, without loss."""
    of = f" ({images.source})" if named else ""
    return [{"": name + of, BYTES: value, ERROR: 0.0} for name, value in _compressed(images).items()]


def _png(image: np.ndarray) -> int:
    file = io.BytesIO()
    Image.fromarray(displayable(image[None])[0]).save(file, "png", optimize=True)
    return len(file.getvalue())
