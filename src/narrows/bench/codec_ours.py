"""Our codec among those that are compared: pixel models of all values, and of few grey levels.

What has loss here is the palette of Q grey levels; these are coded without loss by a pixel model of Q
values, so that a point of rate and distortion is a Q.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from narrows.codec.arrangements import Images
from narrows.codec.compress import compress
from narrows.codec.decompress import decompress
from narrows.codec.fitting import Training, train_pixel_model
from narrows.codec.model_files import load_pixel_model, save
from narrows.codec.palette import best_palette
from narrows.codec.sources import Batch, Numbers
from narrows.errors import BuildError

CALL = "nw.compress(model, X, apart=True)"
LEVELS = (2, 3, 4, 8, 16)


def train(images: Images, path: Path, levels: int | None = None) -> None:
    """Write the pixel model of training images. levels: of that many grey levels. Raises `BuildError`
    if there is none for images of their type.
    """
    source: Any = images if levels is None else Numbers(Batch(images), best_palette(images, levels))
    model = train_pixel_model(source, levels, Training())
    if model is None:
        raise BuildError("there is no pixel model for images of this type")
    save(model, path)


def points(
    images: Images, arrangement: str, training: Callable[[], Images], path: Path
) -> list[dict[str, Any]]:
    """A row for each number of levels, as `rates.rate_points` gives; `quality` is the number. Models
    that are there, at `path` with the number, are used again.
    """
    return [_point(images, levels, training, path) for levels in LEVELS]


def _point(
    images: Images, levels: int, training: Callable[[], Images], path: Path
) -> dict[str, Any]:
    from narrows.codec.rates import distortion, rate  # imports torch, which decoding does without

    file = path.with_name(f"{path.stem}-{levels}-levels{path.suffix}")
    if not file.exists():
        train(training(), file, levels)
    model = load_pixel_model(file)
    start = time.perf_counter()
    archive = compress(model, images, levels=levels, apart=True)
    middle = time.perf_counter()
    decoded = decompress(archive, model)
    end = time.perf_counter()
    return {
        "quality": levels,
        **rate(len(archive), [image.shape for image in images]),
        "bytes, model inside": (len(archive) + file.stat().st_size) / len(images),
        **distortion(images, decoded),
        "encoded a second": len(images) / (middle - start),
        "decoded a second": len(images) / (end - middle),
        "call": f"nw.compress(model, X, levels={levels}, apart=True)",
    }
