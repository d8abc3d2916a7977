"""The images of a live figure: one PNG with a small image for every point.

What travels in a page has to be small, so images have at most THUMB pixels a side and few shades
(5,000 digits of MNIST: 0.7 MB, where all 256 greys take 1.1). They are for a look; the arrays stay
whole.
"""

import io
from base64 import b64encode
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from narrows.draw.canvas import as_unit
from narrows.layout import contact_sheet

THUMB = 32  # pixels: larger images are made smaller by an integer
GREYS, COLOURS = 16, 64  # shades of a sheet of images


@lru_cache(maxsize=4)
def thumbnail_sheet(values: bytes, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """A sheet of images; those of one set stand in a figure for each model, and are drawn once: 1 s
    of lab F's 8.
    """
    small = _small(as_unit(np.frombuffer(values, dtype).reshape(shape)))
    columns, (height, width) = ceil(len(small) ** 0.5), small.shape[1:3]
    png = _png(contact_sheet(small, columns, gap=0, fill=0))
    sheet = f"data:image/png;base64,{b64encode(png).decode()}"
    return {"sheet": sheet, "columns": columns, "width": width, "height": height}


def _small(images: np.ndarray) -> np.ndarray:
    """Images in [0, 1] of at most THUMB pixels a side, averaged; transparent ones are on white."""
    times = ceil(max(images.shape[1:3]) / THUMB)
    height, width = (max(side // times, 1) for side in images.shape[1:3])
    images = _on_white(images[:, : height * times, : width * times])
    n, high, wide = images.shape[:3]
    blocks = images.reshape(n, height, high // height, width, wide // width, *images.shape[3:])
    return blocks.mean(axis=(2, 4))


def _on_white(images: np.ndarray) -> np.ndarray:
    """Images with a transparent channel, laid on white; others as they are."""
    if images.shape[3:] != (4,):
        return images
    alpha = images[..., 3:]
    return images[..., :3] * alpha + 1 - alpha


def _png(sheet: np.ndarray) -> bytes:
    """A sheet in [0, 1] as PNG: GREYS in 4 bits a pixel, or the COLOURS that fit it best."""
    if sheet.ndim == 2:
        return _png_in_greys(sheet)
    return _png_in_colours(sheet)


def _png_in_greys(sheet: np.ndarray) -> bytes:
    from PIL import Image

    shades = np.round(sheet * (GREYS - 1)).astype(np.uint8)
    height, width = shades.shape
    image = Image.frombytes("P", (width, height), shades.tobytes())
    image.putpalette([k * 255 // (GREYS - 1) for k in range(GREYS) for _ in "rgb"])
    file = io.BytesIO()
    image.save(file, "PNG", bits=4)
    return file.getvalue()


def _png_in_colours(sheet: np.ndarray) -> bytes:
    from PIL import Image

    image = Image.fromarray(np.round(sheet * 255).astype(np.uint8))
    method = Image.Quantize.FASTOCTREE  # nearer than the median cut, and quicker
    file = io.BytesIO()
    image.quantize(COLOURS, method).save(file, "PNG")
    return file.getvalue()
