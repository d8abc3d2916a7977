"""What a code takes, in numbers, in bits of a side channel, and in bytes on the disk, against the image's
own bytes.

A ratio of numbers (784 pixels to 32 numbers: 24.5) says little: a pixel is one byte, a float32 is
four. So bytes are counted:

    archive            what `narrows compress --code` writes, divided by the images in it: integers, coded by
                       how often each unit has each, with their tables, names and checksums, without the
                       model; and the squared error, PSNR and SSIM of the images that it gives back
    float32, float16   4 and 2 bytes a number
    8 bits             1 byte a number: each unit as one of 256 values, evenly spaced from its lowest
                       to its highest over the images; the squared error that this leaves is in the
                       same row
    side channel       the bits that by-pass the code, in bytes

and for the image itself raw pixels, PNG (each image a file), and xz over all the images together,
all without loss. Archives and xz are files; numbers of a fixed width are what such a code takes in memory.
"""

import io
import lzma
from collections.abc import Callable, Iterable, Mapping
from math import ceil, log10
from typing import Any

import numpy as np
from PIL import Image

from narrows.codec.compress import compress
from narrows.codec.decompress import decompress
from narrows.data import ImageSet
from narrows.errors import ImageError
from narrows.measure import ssim
from narrows.model.use.evaluate import displayable, is_compared
from narrows.study.trained import Trained

COMPRESSED_LIMIT = 2_000_000  # bytes of images that are compressed to measure their size: 0.8 s
MEASURED_IMAGES = 2000  # images that errors and PNGs are averaged over
# of an archive: values of the widest layer of a model, over all images, and images at least
ARCHIVED_VALUES, ARCHIVED_IMAGES = 4_000_000, 100
WINDOW = 7  # pixels of the window of SSIM
LEVELS = 255
LARGEST_FLOAT16 = 65504
BYTES, ERROR, RATIO = "bytes an image", "squared error per pixel, on [0, 1]", "raw / bytes"
PSNR, SSIM = "PSNR, dB", "SSIM"


def byte_sizes(trained: Mapping[str, Trained]) -> list[dict[str, Any]]:
    """Rows: the images of each set as they are, then each run's code, in bytes an image."""
    runs = [run for run in trained.values() if not run.model.layout_.is_table]
    sets = {run.split.test.fingerprint: run.split.test for run in runs}
    rows = []
    for images in sets.values():
        source = f" ({images.source})" if len(sets) > 1 else ""
        rows += _with_ratios(_lossless_rows(images, source), images)
    for run in runs:
        rows += _with_ratios([*_archive_rows(run), *_code_rows(run)], run.split.test)
    return rows


def _with_ratios(rows: Iterable[dict[str, Any]], images: ImageSet) -> list[dict[str, Any]]:
    """The rows with the ratio of an image's own bytes to those of each."""
    raw = images.images[0].nbytes
    return [{**row, RATIO: raw / row[BYTES]} for row in rows]


def _code_rows(run: Trained) -> list[dict[str, Any]]:
    """A row for each number format of the code, with the error that it leaves unless there is a
    side channel, or the images are noisy.
    """
    size, side = run.model.code_size_, ceil(run.model.side_bits_ / 8)
    channel = f" + {side} in a side channel" if side else ""
    rows = []
    for name, (width, _) in NUMBER_FORMATS.items():
        label = f"{run.name}: {size} numbers as {name}{channel}"
        rows.append({"": label, BYTES: size * width + side})
    if not side and is_compared(run.model):
        for row, error in zip(rows, _code_errors(run)):
            row |= _error_cells(error)
    return rows


def _archive_rows(run: Trained) -> list[dict[str, Any]]:
    """A row for an archive of the codes of test images, with what comes back; none if there is a side
    channel, the images are noisy, or codes that no archive holds.
    """
    count = max(
        ARCHIVED_IMAGES, ARCHIVED_VALUES // max(run.model.n_features_in_, run.model._widest)
    )
    images = run.part("test")[0][: min(count, MEASURED_IMAGES)]
    if run.model.side_bits_ or not is_compared(run.model):
        return []
    try:
        blob = compress(run.model, images, "code")
    except ImageError:  # not finite, or too many values
        return []
    x, y = run.as_floats(images), run.as_floats(np.asarray(decompress(blob, run.model)))
    row = {
        "": f"{run.name}: an archive of {len(images):,} test images",
        BYTES: len(blob) / len(images),
        **_error_cells(float(np.square(y - x, dtype=np.float64).mean())),
    }
    image = run.model.layout_.image
    if min(image[:2]) >= WINDOW:
        x, y = x.reshape(-1, *image), y.reshape(-1, *image)
        row[SSIM] = float(ssim(x, y, data_range=1.0, window=WINDOW).mean())
    return [row]


def _error_cells(error: float) -> dict[str, float]:
    """The squared error, and its PSNR if there is one."""
    if not error > 0:
        return {ERROR: error}
    return {ERROR: error, PSNR: -10 * log10(error)}


def _code_errors(run: Trained) -> list[float]:
    """The squared error of the first test images after their codes went through each number format."""
    images = run.part("test")[0][:MEASURED_IMAGES]
    x, codes = run.as_floats(images), run.model.transform(images)
    errors = []
    for _, stored in NUMBER_FORMATS.values():
        y = run.as_floats(run.model.inverse_transform(stored(codes)))
        errors.append(float(np.square(y - x, dtype=np.float64).mean()))
    return errors


def rounded(codes: np.ndarray) -> np.ndarray:
    """Codes with each unit at the nearest of 256 values, evenly spaced from its lowest to its highest."""
    low = codes.min(0)
    span = np.maximum(np.ptp(codes, axis=0), 1e-12)
    steps = np.rint((codes - low) / span * LEVELS)
    return (steps / LEVELS * span + low).astype(np.float32)


def _as_float16(codes: np.ndarray) -> np.ndarray:
    return np.clip(codes, -LARGEST_FLOAT16, LARGEST_FLOAT16).astype(np.float16)


# bytes a number, the codes in it
NUMBER_FORMATS: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    "float32": (4, lambda codes: codes),
    "float16": (2, _as_float16),
    "8 bits": (1, rounded),
}


def _lossless_rows(images: ImageSet, source: str) -> list[dict[str, Any]]:
    sizes = _lossless_sizes(images)
    return [{"": name + source, BYTES: size, ERROR: 0.0} for name, size in sizes.items()]


def _lossless_sizes(images: ImageSet) -> dict[str, float]:
    """Bytes an image, without loss."""
    raw = images.images[0].nbytes
    pixels = images.images[: max(1, COMPRESSED_LIMIT // raw)]
    sizes = {"raw pixels": float(raw)}
    if pixels.dtype == np.uint8:
        png_sizes = [_png_size(image) for image in pixels[:MEASURED_IMAGES]]
        sizes["PNG, each a file"] = float(np.mean(png_sizes))
    together = f"xz, {len(pixels):,} test images together"
    sizes[together] = len(lzma.compress(pixels.tobytes())) / len(pixels)
    return sizes


def _png_size(image: np.ndarray) -> int:
    file = io.BytesIO()
    Image.fromarray(displayable(image[None])[0]).save(file, "png", optimize=True)
    return len(file.getvalue())
