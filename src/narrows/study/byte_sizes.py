"""What a code takes, in numbers, in bits of a side channel, and in bytes, against the image's own
bytes.

A ratio of numbers (784 pixels to 32 numbers: 24.5) says little: a pixel is one byte, a float32 is
four. So bytes are counted:

    float32, float16   4 and 2 bytes a number
    8 bits             1 byte a number: each unit as one of 256 values, evenly spaced from its lowest
                       to its highest over the images; the squared error that this leaves is in the
                       same row
    side channel       the bits that by-pass the code, in bytes

and for the image itself raw pixels, PNG (each image a file), and xz over all the images together,
all without loss. These are sizes of what would be stored; a codec would also use that some values
are likelier than others.
"""

import io
import lzma
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image

from narrows.data import ImageSet
from narrows.model.use.evaluate import displayable
from narrows.study.trained import Trained, as_floats

COMPRESSED_LIMIT = 2_000_000  # bytes of images that are compressed to measure their size: 0.8 s
MEASURED_IMAGES = 2000  # images that errors and PNGs are averaged over
LEVELS = 255
LARGEST_FLOAT16 = 65504
BYTES, ERROR, RATIO = "bytes an image", "squared error per pixel, on [0, 1]", "raw / bytes"


def byte_sizes(trained: Mapping[str, Trained]) -> list[dict[str, Any]]:
    """Rows: the images of each set as they are, then each run's code, in bytes an image."""
    runs = [run for run in trained.values() if not run.model.layout_.is_table]
    sets = {run.split.test.fingerprint: run.split.test for run in runs}
    rows = []
    for images in sets.values():
        source = f" ({images.source})" if len(sets) > 1 else ""
        rows += [_with_ratio(row, images) for row in _lossless_rows(images, source)]
    for run in runs:
        rows += [_with_ratio(row, run.split.test) for row in _code_rows(run)]
    return rows


def _with_ratio(row: dict[str, Any], images: ImageSet) -> dict[str, Any]:
    return {**row, RATIO: images.images[0].nbytes / row[BYTES]}


def _code_rows(run: Trained) -> Iterator[dict[str, Any]]:
    """A row for each number format of the code, with the error that it leaves unless there is a
    side channel.
    """
    side = -(-run.model.side_bits_ // 8)
    errors = {} if side else _code_errors(run)
    channel = f" + {side} in a side channel" if side else ""
    for name, (width, _) in NUMBER_FORMATS.items():
        label = f"{run.name}: {run.model.code_size_} numbers as {name}{channel}"
        row: dict[str, Any] = {"": label, BYTES: run.model.code_size_ * width + side}
        if name in errors:
            row[ERROR] = errors[name]
        yield row


def _code_errors(run: Trained) -> dict[str, float]:
    """The squared error of the first test images after their codes went through each number format."""
    images = run.part("test")[0][:MEASURED_IMAGES]
    x, codes = as_floats(images), run.model.transform(images)
    errors = {}
    for name, (_, stored) in NUMBER_FORMATS.items():
        y = as_floats(run.model.inverse_transform(stored(codes)))
        errors[name] = float(np.square(y - x, dtype=np.float64).mean())
    return errors


def rounded(codes: np.ndarray) -> np.ndarray:
    """Codes with each unit at the nearest of 256 values, evenly spaced from its lowest to its highest."""
    low = codes.min(0)
    span = np.maximum(np.ptp(codes, axis=0), 1e-12)
    return (np.rint((codes - low) / span * LEVELS) / LEVELS * span + low).astype(np.float32)


def _as_float16(codes: np.ndarray) -> np.ndarray:
    return np.clip(codes, -LARGEST_FLOAT16, LARGEST_FLOAT16).astype(np.float16)


# bytes a number, the codes in it
NUMBER_FORMATS: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    "float32": (4, lambda codes: codes),
    "float16": (2, _as_float16),
    "8 bits": (1, rounded),
}


def _lossless_rows(images: ImageSet, source: str) -> list[dict[str, Any]]:
    return [
        {"": name + source, BYTES: value, ERROR: 0.0}
        for name, value in _lossless_sizes(images).items()
    ]


def _lossless_sizes(images: ImageSet) -> dict[str, float]:
    """Bytes an image, without loss."""
    pixels = images.images[: max(1, COMPRESSED_LIMIT // images.images[0].nbytes)]
    sizes = {"raw pixels": float(pixels[0].nbytes)}
    if pixels.dtype == np.uint8:
        sizes["PNG, each a file"] = float(
            np.mean([_png_size(image) for image in pixels[:MEASURED_IMAGES]])
        )
    together = f"xz, {len(pixels):,} test images together"
    sizes[together] = len(lzma.compress(pixels.tobytes())) / len(pixels)
    return sizes


def _png_size(image: np.ndarray) -> int:
    file = io.BytesIO()
    Image.fromarray(displayable(image[None])[0]).save(file, "png", optimize=True)
    return len(file.getvalue())
