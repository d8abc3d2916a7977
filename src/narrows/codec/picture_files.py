"""Images of an archive -> picture files, each with the very pixels that it had.

A picture goes into the format of its name if that holds it exactly: the file is read again before it
is written. Else it is written as .png or .tif, whichever holds it first, and reported: photo.jpg, of which
the archive has the decoded pixels, becomes photo.png. Another name than its own is never that of another
picture.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from pathlib import Path, PurePosixPath

import numpy as np

from narrows.codec.extras import Extras, Origin
from narrows.data.readers.image_files import open_pages
from narrows.data.readers.pixels import KEPT_TYPES, Page
from narrows.data.save_picture import can_save, encode_pages
from narrows.data.write import path_below
from narrows.errors import NarrowsError, OutputError
from narrows.files import write_file
from narrows.levels import LEVELS, Levels

EXACT = (".png", ".tif")  # formats that hold all pixels of one type or another
STACKED = (".tif",)  # those of stacks
WIDENED = {"bool": ("uint8", 255), "float16": ("float32", 1)}  # type of the file, and factor

Note = Callable[[str, str], None]


def write_folder(images: Iterable[np.ndarray], extras: Extras, folder: Path, note: Note) -> int:
    """Each picture under its name in a folder; returns how many files were written.

    note: is called with the name of a picture and what was changed. Raises `OutputError`.
    """
    names = Names(extras.names)
    written = 0
    for name, pages in _files(images, extras):
        place = names.places(name, EXACT if len(pages) == 1 else STACKED)
        kept = _write_exactly(pages, folder, place)
        if kept is None:
            raise OutputError(f"{name}: no format of pictures holds it; write .npy or .npz")
        names.take(kept)
        if kept != name and extras.names:
            note(name, f"written as {kept}, which keeps its pixels as they are")
        written += 1
    return written


def write_picture(images: Iterable[np.ndarray], extras: Extras, path: Path) -> None:
    """The only picture, or stack, of an archive. Raises `OutputError` if there are several, or if the
    format of the name would change its pixels.
    """
    if extras.files != 1:
        raise OutputError(
            f"{path}: this archive holds several pictures; write a folder, .npy or .npz"
        )
    for _, pages in _files(images, extras):
        if _write_exactly(pages, path.parent, [path.name]) is None:
            raise OutputError(
                f"{path}: {path.suffix} would not keep the pixels as they are; use .png, .tif or .npy"
            )


def _files(images: Iterable[np.ndarray], extras: Extras) -> Iterator[tuple[str, list[Page]]]:
    """The name of each file, and its pages."""
    name, pages = "", []
    for origin, image in zip(extras.origins(), images):
        if pages and origin.page <= 1:
            yield name, pages
            pages = []
        name = origin.name
        pages.append(_page(image, origin))
    if pages:
        yield name, pages


def _page(image: np.ndarray, origin: Origin) -> Page:
    """An image as files hold it. Raises `OutputError`."""
    pixels, kind = image, origin.kind
    if pixels.dtype.name in WIDENED:
        dtype, factor = WIDENED[pixels.dtype.name]
        pixels = pixels.astype(dtype) * np.array(factor, dtype)
    if pixels.ndim == 1 or pixels.dtype.name not in KEPT_TYPES or not pixels.size:
        raise OutputError(
            f"{origin.name}: an array of shape {image.shape} and type {image.dtype} is in no format of "
            "pictures; write .npy or .npz"
        )
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    levels = None if kind.levels is None else Levels(*kind.levels)
    return Page(pixels, levels, kind.mode, kind.profile)


def _write_exactly(pages: list[Page], folder: Path, names: Iterable[str]) -> str | None:
    """Write under the first of the names whose format holds the pixels, and return it; None if there is
    none.
    """
    for name in names:
        path = path_below(folder, name)
        if not can_save(path):
            continue
        try:
            content, _ = encode_pages(pages, path)
            is_exact = _holds(content, pages)
        except NarrowsError:  # of what the format cannot hold
            continue
        if is_exact:
            write_file(path, content)
            return name
    return None


def _holds(content: bytes, pages: list[Page]) -> bool:
    """Whether the bytes of a file have these pages."""
    again = list(open_pages(content))
    return len(again) == len(pages) and all(map(_is_same, again, pages))


def _is_same(page: Page, other: Page) -> bool:
    return (
        page.pixels.dtype == other.pixels.dtype
        and page.pixels.shape == other.pixels.shape
        and page.pixels.tobytes() == other.pixels.tobytes()
        and _levels(page) == _levels(other)
    )


def _levels(page: Page) -> Levels:
    return Levels(*(page.levels or LEVELS[page.pixels.dtype.name]))


class Names:
    """The names of files in one folder; those of the archive are taken from the start."""

    def __init__(self, names: Iterable[str]):
        self.taken = {name.casefold() for name in names}

    def places(self, name: str, endings: Iterable[str]) -> Iterator[str]:
        """Where a picture may be written: its own name, then others that nothing else has."""
        if PurePosixPath(name).suffix:
            yield name
        for ending in endings:
            others = chain(
                [f"{PurePosixPath(name).with_suffix(ending)}"],
                (name + ending * k for k in count(1)),
            )
            yield next(other for other in others if other.casefold() not in self.taken)

    def take(self, name: str) -> None:
        self.taken.add(name.casefold())
