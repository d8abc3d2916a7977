"""Rate and distortion: the bytes that an image takes, and how far it is from the original.

A point of a rate-distortion figure is a codec at a quality, measured on a set of N images:

    bytes              of all files / N
    bytes, no header   the same without the files of constant images (`classical.header_bytes`), which
                       hold nothing but a header
    bpd                8 x bytes of all files / D     bits per value of a pixel, D values in the set
    psnr               10 log₁₀ (R² / MSE), dB        MSE is the mean over all values of the set, R = 255
    ssim               the mean over the images       (`narrows.measure`)

The PSNR is that of the mean error, not the mean of the PSNRs of the images: some formats return a few
images exactly, whose PSNR is infinite. It is the lower one of the two.

What is a file, an image or all of them, is the arrangement (`arrangements`).
"""

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf, log10, prod
from typing import Any

import numpy as np

from narrows.codec.arrangements import Images, Shape, decode, encode, shapes_of
from narrows.codec.classical import LOSSY, Codec, header_bytes, why_missing
from narrows.codec.code_mode import SHARES, entropy
from narrows.codec.codes import are_integers, as_integers, steps_of
from narrows.codec.compress import compress
from narrows.codec.decompress import decompress
from narrows.errors import NarrowsWarning
from narrows.measure import mse, ssim

Say = Callable[[str], None]
RANGE = 255
COARSEST, FINEST = 2.0, 1 / 16  # steps of a code, in standard deviations of each unit
LEVELS = (2, 3, 4, 8, 16)


def rate_points(
    images: Images,
    names: Iterable[str] = tuple(LOSSY),
    arrangement: str = "each",
    say: Say = lambda words: None,
) -> list[dict[str, Any]]:
    """A row for each codec of `LOSSY` and each of its qualities: codec, quality, arrangement, and what
    `rate_point` measures. say: gets a sentence for each row, and for each codec that is not here.
    """
    rows = []
    for name in names:
        ladder = LOSSY[name]
        if why := why_missing(ladder.at(ladder.qualities[0])):
            say(f"{name} is left out: {why}")
            continue
        for quality in ladder.qualities:
            say(f"{name} at {quality:g}, {arrangement}")
            about = {"codec": name, "quality": quality, "arrangement": arrangement}
            rows.append({**about, **rate_point(ladder.at(quality), images, arrangement)})
    return rows


def rate_point(codec: Codec, images: Images, arrangement: str = "each") -> dict[str, Any]:
    """bytes, bytes without headers, bpd, psnr, ssim, images encoded and decoded a second, and the call.

    images: `(N, H, W)` or `(N, H, W, 3)` of uint8, or a list of such images of different sizes.
    """
    shapes = [image.shape for image in images]
    start = time.perf_counter()
    files = encode(codec, images, arrangement)
    middle = time.perf_counter()
    decoded = decode(codec, files, shapes, arrangement)
    end = time.perf_counter()
    total, count = sum(map(len, files)), len(images)
    header = header_bytes(codec, shapes_of(codec, shapes, arrangement))
    return {
        **rate(total, shapes, header),
        **distortion(images, decoded),
        "encoded a second": count / (middle - start),
        "decoded a second": count / (end - middle),
        "call": codec.call,
    }


def code_points(model: Any, images: np.ndarray) -> list[dict[str, Any]]:
    """A row for archives of the codes of images by an autoencoder, at several steps of its units, or one if
    they are integers: as `rate_points`, quality is the step in standard deviations.
    """
    codes = model.transform(images)
    codes = codes.reshape(len(codes), -1)
    shares = [share for share in SHARES[::2] if FINEST <= share <= COARSEST]
    if are_integers(codes):
        return [_archive_point("code", 0.0, compress(model, images), images, model)]
    rows = []
    for share in shares:
        step, offset = steps_of(codes, share)
        target = entropy(as_integers(codes, step, offset)) / 8
        if target > 0:
            blob = compress(model, images, target=target)
            rows.append(_archive_point("code", share, blob, images, model))
    return rows


def level_points(images: np.ndarray) -> list[dict[str, Any]]:
    """A row for archives of images at few grey levels; quality is their number."""
    rows = []
    for levels in LEVELS:
        with warnings.catch_warnings():  # that a general compressor does it
            warnings.simplefilter("ignore", NarrowsWarning)
            blob = compress(None, images, levels=levels)
        rows.append(_archive_point("grey levels", levels, blob, images))
    return rows


def _archive_point(
    name: str, quality: float, blob: bytes, images: np.ndarray, model: Any = None
) -> dict[str, Any]:
    return {
        "codec": name,
        "quality": quality,
        "arrangement": "archive",
        **rate(len(blob), [image.shape for image in images]),
        **distortion(images, decompress(blob, model)),
    }


def rate(total: int, shapes: Sequence[Shape], header: int = 0) -> dict[str, float]:
    """bytes and bytes without headers of an image, and bpd, of `total` bytes of images of these shapes,
    `header` of which hold no pixels.
    """
    count = len(shapes)
    return {
        "bytes": total / count,
        "bytes, no header": (total - header) / count,
        "bpd": 8 * total / sum(map(prod, shapes)),
    }


def distortion(images: Images, decoded: Images) -> dict[str, float]:
    """psnr in dB, infinite if all images are equal, and ssim, of two sets of images."""
    squares = values = similarity = 0.0
    for a, b in _stacks(images, decoded):
        squares += float(mse(a, b).sum(dtype=np.float64)) * prod(a.shape[1:])
        similarity += float(ssim(a, b).sum(dtype=np.float64))
        values += a.size
    psnr = 10 * log10(RANGE**2 * values / squares) if squares else inf
    return {"psnr": psnr, "ssim": similarity / len(images)}


def _stacks(images: Images, decoded: Images) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The images of each shape as one array, and what was decoded of them."""
    for shape in dict.fromkeys(image.shape for image in images):
        places = [place for place, image in enumerate(images) if image.shape == shape]
        a, b = ([part[place] for place in places] for part in (images, decoded))
        yield np.stack(a), np.stack(b)
