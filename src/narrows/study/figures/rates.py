"""Rate and distortion: how many bytes an image takes, and how much of it comes back."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from narrows.codec.classical import LOSSY
from narrows.codec.rates import code_points, level_points, rate_points
from narrows.errors import ImageError
from narrows.study.record import Figure
from narrows.study.trained import Trained

LARGEST = 2_000_000  # bytes of the images that are coded
WINDOW = 7  # pixels of the window of SSIM
COLUMNS = ("bytes, no header", "bytes", "psnr", "ssim")
SAID = (
    "headers of files not counted (solid) and counted (dashed); "
    "archives of codes with their tables, without the model"
)


def rate_distortion(runs: Sequence[Trained], count: int = 300) -> Iterator[Figure]:
    """Bytes an image against PSNR and SSIM: the codes of each run at several steps, few grey levels, and
    every image format with loss that is installed here at several qualities.

    Of at most `count` test images of the first run, of 8 bits.
    """
    coded = [run for run in runs if not run.model.side_bits_ and not run.model.layout_.is_table]
    if not coded or (images := _images(coded[0], count)) is None:
        return
    lines: dict[str, list[dict[str, Any]]] = {}
    for run in coded:
        if run.shape == coded[0].shape:
            lines[f"code: {run.name}" if len(coded) > 1 else "code"] = _code_rows(run, images)
    lines["few grey levels"] = level_points(images)
    missing: list[str] = []
    for name in LOSSY:
        lines[name] = rate_points(images, [name], say=lambda words: missing.append(words))
    arrays = {name: _rows(rows) for name, rows in lines.items() if rows}
    note = f"{len(images):,} test images; {SAID}"
    left_out = [words for words in missing if "left out" in words]
    options = {
        "xlabel": "bytes an image",
        "panels": ["PSNR, dB", "SSIM"],
        "note": "; ".join([note, *left_out]),
    }
    yield Figure("all", "tradeoff", "", options, arrays)


def _images(run: Trained, count: int) -> np.ndarray | None:
    """The first test images, `(n, H, W)` or `(n, H, W, 3)`; None if no image format holds them."""
    images = run.part("test")[0]
    images = images[: min(count, max(1, LARGEST // images[0].nbytes))]
    if images.shape[-1] == 1 and images.ndim == 4:
        images = images[..., 0]
    is_picture = images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)
    if images.dtype != np.uint8 or not is_picture or min(images.shape[1:3]) < WINDOW:
        return None
    return images


def _code_rows(run: Trained, images: np.ndarray) -> list[dict[str, Any]]:
    try:
        return code_points(run.model, images.reshape(len(images), *run.shape))
    except ImageError:  # codes that are not finite
        return []


def _rows(rows: Sequence[dict[str, Any]]) -> np.ndarray:
    """The points of a line; of an archive, which has one header for all, no second x."""
    points = np.array([[row[name] for name in COLUMNS] for row in rows])
    points[points[:, 0] == points[:, 1], 1] = np.nan
    points[~np.isfinite(points[:, 2]), 2] = np.nan
    return points
