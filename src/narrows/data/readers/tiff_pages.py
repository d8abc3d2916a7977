"""TIFF that Pillow does not read, by tifffile: LZW and other compressions of any type, stacks of
ImageJ and OME, floats, planes of colours.

Every page is a picture, in the order of the file; copies of less resolution are not. A stack of
ImageJ may have a single page, after which its pictures follow one another. White is made the
greatest value where the file has it as 0; palettes become RGB. Black and white are
`SMinSampleValue` and `SMaxSampleValue` if the file has both, else those of its bits.
References: TIFF 6.0, https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf.
"""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from narrows.errors import DataError, extra
from narrows.layout import Levels
from narrows.reading import reading

WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
NOT_COMPRESSED, JPEG = 1, 7
MOST_TIMES = 5000  # a page may be larger than its file, if it is compressed
LEAST_TAG, GREATEST_TAG = 340, 341


def read_tiff(path: Path) -> Iterator[tuple[np.ndarray, Levels | None]]:
    """The pages of a file, `(H, W)` or `(H, W, C)`, and their values of black and white.

    Raises `DataError`, `MissingExtra` if a compression needs imagecodecs.
    """
    tifffile = extra("tifffile", "tiff")
    with reading(path, fault="cannot be read as TIFF"), tifffile.TiffFile(path) as file:
        pages = [page for page in file.pages if not file.pages[page.index].is_reduced]
        stack = file.series[0] if len(pages) == 1 else None
        if stack is not None and stack.size > pages[0].size and stack.dataoffset is not None:
            yield from _stack(path, stack, pages[0])
            return
        for page in pages:
            _refuse_size(path, page)
            yield _picture(page, page.asarray())


def _stack(path: Path, stack: Any, page: Any) -> Iterator[tuple[np.ndarray, Levels | None]]:
    """Pictures that follow one another in a file that has one page for all."""
    dtype = stack.dtype.newbyteorder(stack.parent.byteorder)
    shape = (stack.size // page.size, *page.shape)
    size = stack.dataoffset + prod(shape) * dtype.itemsize
    if size > path.stat().st_size:
        raise DataError(f"{path} is cut off: it has {path.stat().st_size:,} bytes of {size:,}")
    for values in np.memmap(path, dtype, "r", stack.dataoffset, shape):
        yield _picture(page, values)


def _refuse_size(path: Path, page: Any) -> None:
    times = 1 if page.compression == NOT_COMPRESSED else MOST_TIMES
    if page.size * page.bitspersample // 8 > times * path.stat().st_size:
        raise DataError(
            f"{path} says that it holds {' x '.join(map(str, page.shape))} values, but it has "
            f"{path.stat().st_size:,} bytes"
        )


def _picture(page: Any, values: np.ndarray) -> tuple[np.ndarray, Levels | None]:
    kind = page.photometric
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if page.axes.startswith("S"):  # planes of colours
        values = np.moveaxis(values, 0, -1)
    if kind == PALETTE:
        return _in_colours(page, values), None
    levels = _levels(page, values.dtype)
    if kind == WHITE_IS_0:
        return _inverted(page, values, levels)
    is_known = kind in (BLACK_IS_0, RGB) or (kind == YCBCR and page.compression == JPEG)
    if not is_known:
        raise DataError(f"its colours are {getattr(kind, 'name', kind)}; expected grey or RGB")
    return values, levels


def _levels(page: Any, dtype: np.dtype) -> Levels | None:
    tags = [page.tags.get(tag) for tag in (LEAST_TAG, GREATEST_TAG)]
    if all(tags):
        least, greatest = (float(np.ravel(tag.value)[0]) for tag in tags)
        if least < greatest:
            return Levels(least, greatest)
    if dtype.kind == "u" and page.bitspersample < 8 * dtype.itemsize:
        return Levels(0, 2**page.bitspersample - 1)
    return None


def _inverted(
    page: Any, values: np.ndarray, levels: Levels | None
) -> tuple[np.ndarray, Levels | None]:
    """Values whose greatest is white."""
    if values.dtype.kind == "b":
        return ~values, None
    if values.dtype.kind != "u":
        raise DataError(f"its white is 0, and its values are {values.dtype}; write black as 0")
    top = 2**page.bitspersample - 1
    if levels is not None:
        levels = Levels(top - levels.white, top - levels.black)
    return (top - values).astype(values.dtype), levels


def _in_colours(page: Any, values: np.ndarray) -> np.ndarray:
    """Places in a palette as RGB, of 8 bits if its colours have no more."""
    palette = np.asarray(page.colormap)
    if not (palette % 257).any() or not (palette % 256).any():
        palette = (palette >> 8).astype(np.uint8)
    return np.moveaxis(palette[:, values], 0, -1)
