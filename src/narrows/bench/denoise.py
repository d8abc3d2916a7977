"""How well and how fast pictures are denoised: each picture by each way in turn, in one process.

    x̃ = x + σ ε, not clipped, ε ~ N(0, 1) by NumPy's default generator with the seed (seed, picture)

PSNR is that of the result, clipped and rounded to 8 bits, averaged over the pictures of a set. Bias is the
largest difference between the mean of a channel and the true one, over all pictures. Seconds are those of
the wall clock, with all threads that the process may use; what a way has to load is loaded before. The
ways take turns at each picture, so that other work on the machine slows all of them, and their speed is
compared picture by picture: the median of the ratios.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from math import log10
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

import numpy as np
import torch

from narrows.bench.denoise_ways import Denoise
from narrows.data.readers.picture_stream import stream_pictures
from narrows.errors import DataError
from narrows.levels import unit_values
from narrows.measure import Table

SETS = ("bsd68", "set12", "cbsd68")  # in $NARROWS_DATA/photos
SIGMAS = (15, 25, 50)  # of 255
REFERENCE = "bm3d"  # whose speed the others' are compared with
PUBLISHED = {  # PSNR of BM3D and of CBM3D, dB
    ("bsd68", 15): 31.07,
    ("bsd68", 25): 28.57,
    ("bsd68", 50): 25.62,
    ("set12", 15): 32.37,
    ("set12", 25): 29.97,
    ("set12", 50): 26.72,
    ("cbsd68", 15): 33.52,
    ("cbsd68", 25): 30.71,
    ("cbsd68", 50): 27.38,
}
Say = Callable[[str], None]


class Result(NamedTuple):
    """Of one picture by one way: dB, seconds, and the largest difference of a mean, in 255ths."""

    psnr: float
    seconds: float
    bias: float


def pictures_of(name: str, most: int | None = None) -> list[np.ndarray]:
    """The pictures of a set, or of any folder, float32 `(H, W)` or `(H, W, 3)` on [0, 1]; most: evenly
    spaced ones. Raises `DataError`.
    """
    folder = Path(name).expanduser()
    if name in SETS:
        folder = Path(os.environ.get("NARROWS_DATA") or ".", "photos", name)
    if not folder.exists():
        cure = (
            "set NARROWS_DATA to the folder that has photos/, or name a folder of your own pictures"
        )
        raise DataError(f"there is no folder {folder}; {cure}")
    pictures = [unit_values(one.pixels, one.levels) for one in stream_pictures(folder)]
    if most is None or most >= len(pictures):
        return pictures
    return [pictures[place] for place in np.linspace(0, len(pictures) - 1, most).astype(int)]


def measure(
    sets: Sequence[str],
    sigmas: Sequence[int],
    ways: Mapping[str, Denoise],
    most: int | None,
    seed: int,
    say: Say,
) -> Table:
    """A row for each set, σ and way. ways: by name, of a picture and its σ on [0, 1]."""
    table = Table()
    for name in sets:
        pictures = pictures_of(name, most)
        for sigma in sigmas:
            say(f"{name}, σ = {sigma} of 255: {len(pictures)} pictures")
            table.extend(_rows(name, pictures, sigma, ways, seed))
    return table


def _rows(
    name: str, pictures: Sequence[np.ndarray], sigma: int, ways: Mapping[str, Denoise], seed: int
) -> list[dict[str, Any]]:
    """The rows of one set and σ."""
    results: dict[str, list[Result]] = {way: [] for way in ways}
    for number, clean in enumerate(pictures):
        noisy = noisy_picture(clean, sigma, (seed, number))
        for way, denoise in ways.items():
            results[way].append(_result(denoise, clean, noisy, sigma))
    start = {"set": name, "sigma": sigma, "pictures": len(pictures)}
    pixels = sum(clean.shape[0] * clean.shape[1] for clean in pictures)
    rows = []
    for way, of_way in results.items():
        numbers = _numbers(of_way, pixels) | _speed(of_way, results.get(REFERENCE))
        rows.append({**start, "way": way, **numbers})
    if (name, sigma) in PUBLISHED:
        rows.append({**start, "way": "BM3D, published", "psnr": PUBLISHED[name, sigma]})
    return rows


def _numbers(results: Sequence[Result], pixels: int) -> dict[str, float]:
    """What is reported of one way."""
    return {
        "psnr": fmean(one.psnr for one in results),
        "bias": max(one.bias for one in results),
        "seconds per megapixel": 1e6 * sum(one.seconds for one in results) / pixels,
    }


def _speed(results: Sequence[Result], reference: Sequence[Result] | None) -> dict[str, float]:
    """How many times as fast as the reference, if that was measured."""
    if not reference:
        return {}
    pairs = zip(reference, results)
    return {
        f"times as fast as {REFERENCE}": median(one.seconds / own.seconds for one, own in pairs)
    }


def noisy_picture(clean: np.ndarray, sigma: float, seed: Sequence[int]) -> np.ndarray:
    """A picture with white Gaussian noise of σ, in 255ths, float32, not clipped."""
    noise = np.random.default_rng(seed).standard_normal(clean.shape, dtype=np.float32)
    return clean + np.float32(sigma / 255) * noise


def _result(denoise: Denoise, clean: np.ndarray, noisy: np.ndarray, sigma: int) -> Result:
    start = time.perf_counter()
    found = denoise(noisy, sigma / 255)
    seconds = time.perf_counter() - start
    error = (found.clip(0, 1) * 255).round() / 255 - clean
    mean = np.atleast_1d(error.mean((0, 1), dtype=np.float64))
    psnr = -10 * log10(float(np.square(error, dtype=np.float64).mean()))
    return Result(psnr, seconds, 255 * float(np.abs(mean).max()))


def conditions(ways: Sequence[str], seed: int) -> str:
    """What the numbers depend on, in one sentence."""
    packages = ["torch", "numpy", *(way for way in ways if way == REFERENCE)]
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"seed {seed}, {torch.get_num_threads()} threads, {versions}"
