"""Our codec among those that are compared: pixel models of all values, and two ways with loss.

levels    a palette of Q grey levels, which a pixel model of Q values codes without loss; a point of rate
          and distortion is a Q
code      the code of an autoencoder whose code is integers at a price (recipe compression-mlp); a
          point is a price: the squared error of an image that one more bit must save
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from narrows.codec.arrangements import Images
from narrows.codec.compress import compress
from narrows.codec.decompress import decompress
from narrows.codec.fitting import fit_pixel_model
from narrows.codec.model_files import load, save

CALL = "nw.compress(model, X, apart=True)"
LEVELS = (2, 3, 4, 8, 16)
WEIGHTS = (0.06, 0.03)


def train(images: Images, path: Path, levels: int | None = None, best: bool = False) -> None:
    """Write the pixel model of training images. levels: of that many grey levels. best: a larger one.
    Raises `ImageError` if there is none for images of their type.
    """
    save(fit_pixel_model(images, levels, best=best), path)


def level_points(
    images: Images, arrangement: str, training: Callable[[], Images], path: Path
) -> list[dict[str, Any]]:
    """A row for each number of levels, as `rates.rate_points` gives; `quality` is the number. Models
    that are there, at `path` with the number, are used again.
    """
    rows = []
    for levels in LEVELS:
        file = path.with_name(f"{path.stem}-{levels}{path.suffix}")
        if not file.exists():
            train(training(), file, levels)
        rows.append(
            _point(levels, images, file, f"levels={levels}, apart=True", levels=levels, apart=True)
        )
    return rows


def code_points(
    images: Images, arrangement: str, training: Callable[[], Images], path: Path
) -> list[dict[str, Any]]:
    """A row for each weight of the bits in the loss of an autoencoder; `quality` is the weight. Models
    that are there, at `path` with the weight, are used again.
    """
    rows = []
    for weight in WEIGHTS:
        file = path.with_name(f"{path.stem}-{weight}.safetensors")
        if not file.exists():
            save(_autoencoder(weight).fit(training()), file)
        rows.append(_point(weight, images, file, "mode='code'", mode="code"))
    return rows


def _autoencoder(weight: float) -> Any:
    from narrows.model.recipes import (
        recipe,  # imports torch, which the processes of others do without
    )

    return recipe("compression-mlp", bottleneck={"weight": weight})


def _point(
    quality: float, images: Images, file: Path, words: str, **options: Any
) -> dict[str, Any]:
    """The archive of images by the model of a file. words: the options of `compress` as text."""
    from narrows.codec.rates import distortion, rate  # as above

    model = load(file)
    start = time.perf_counter()
    archive = compress(model, images, **options)
    middle = time.perf_counter()
    decoded = decompress(archive, model)
    end = time.perf_counter()
    return {
        "quality": quality,
        **rate(len(archive), [image.shape for image in images]),
        "bytes, model inside": (len(archive) + file.stat().st_size) / len(images),
        **distortion(images, decoded),
        "encoded a second": len(images) / (middle - start),
        "decoded a second": len(images) / (end - middle),
        "call": f"nw.compress(model, X, {words})",
    }
