"""Where images go to: arrays, one picture, or a folder of them, by the ending of the name.

x.npy, x.npz       the array as it is
x.png, .jpg, ...   one image; several in one contact sheet
x                  a folder, an image a file, under the names that they came with
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from narrows.data.outputs import Place, any_place
from narrows.data.readers.picture_stream import Picture
from narrows.data.readers.pixels import Page, in_known_type
from narrows.data.save_picture import save_pages
from narrows.data.scratch import reserve
from narrows.errors import NarrowsWarning, OutputError
from narrows.files import atomic, refuse_overwrite
from narrows.layout import contact_sheet
from narrows.levels import Levels, from_unit_values, unit_values

FILE_NAME = "{:05d}.png"


def write_images(
    images: np.ndarray,
    path: Path,
    names: Sequence[str] | None = None,
    force: bool = False,
    first: int = 0,
    ending: str | None = None,
    levels: Levels | None = None,
) -> Path:
    """Write images `(N, H, W)` or `(N, H, W, C)` to `path` (see the module), as deep as they are if
    the format of the name holds that; a contact sheet has 8 bits.

    names: of the files in a folder; else they are counted from `first`. ending: that of the name, or
    "" for a folder whose name has a dot. levels: black and white, if they are not those of the
    type. Raises `OutputError` if something is there already, unless
    `force`.
    """
    path = refuse_overwrite(path, force)
    suffix = path.suffix.lower() if ending is None else ending
    if suffix in ARRAY_WRITERS:
        ARRAY_WRITERS[suffix](images, path)
    elif images.ndim == 2:
        raise OutputError(
            f"{path}: a table cannot be written as pictures; write it as .npy or .npz"
        )
    elif suffix in picture_endings():
        if len(images) > 1:
            unit = unit_values(contact_sheet(images), levels)
            images, levels = from_unit_values(unit, np.dtype(np.uint8))[None], None
        _write_picture(images[0], path, levels)
    elif suffix:
        raise OutputError(
            f"{path}: images are not written as {suffix}; use .png, .npy, .npz, or a folder's name"
        )
    else:
        _write_folder(images, path, names or _counted_names(first, len(images)), levels)
    return path


def image_place(output: str, many: bool = False) -> Place:
    """Where images are written. many: each is a file. Raises `OutputError`."""
    known = [".png", *ARRAY_WRITERS, *picture_endings()]
    return any_place(output, "images", dict.fromkeys(known), many)


def picture_endings() -> list[str]:
    """The endings that pictures can be written under."""
    formats = Image.registered_extensions()
    return sorted(ending for ending, name in formats.items() if name in Image.SAVE)


def _counted_names(first: int, count: int) -> list[str]:
    return [FILE_NAME.format(k) for k in range(first, first + count)]


def _write_folder(
    images: np.ndarray, folder: Path, names: Sequence[str], levels: Levels | None
) -> None:
    for image, name in zip(images, names, strict=True):
        _write_picture(image, path_below(folder, name), levels)


@contextmanager
def memory_mapped(
    path: Path, shape: tuple[int, ...], dtype: np.dtype, force: bool = False
) -> Iterator[np.ndarray]:
    """An `.npy` file to be filled: a memory map, for more than the memory holds.

    It takes its name when the block succeeds. Raises `OutputError` as `write_images`, and if the
    disk has no space for all of it: a map of a full disk would end the process.
    """
    with atomic(refuse_overwrite(path, force)) as temporary:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
        with open(temporary, "r+b") as file:
            reserve(file.fileno(), temporary.stat().st_size)
        yield array
        array.flush()


def path_below(folder: Path, name: str) -> Path:
    """A file's place in a folder. Raises `OutputError` for a name that leads out of it."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"{name!r} leads out of the folder {folder}; nothing was written there")
    return path


class PictureWriter:
    """Writes pictures as they come, each like the one that it was computed from: in its mode, its depth
    and with its colour profile, in the format of its name; the pages of a stack into one file.

    note: is called with the name of a picture and what was changed, where its format does not hold it.
    """

    def __init__(self, note: Callable[[str, str], None]):
        self.note = note
        self.pages: list[Page] = []
        self.place: Path | None = None
        self.name = ""

    def __enter__(self) -> "PictureWriter":
        return self

    def __exit__(self, kind: Any, *error: Any) -> None:
        if kind is None:
            self._finish()

    def add(self, picture: Picture, pixels: np.ndarray, place: Path) -> None:
        """One more, to be written at that place. Raises `OutputError`."""
        if picture.page <= 1 or place != self.place:
            self._finish()
        self.pages.append(Page(pixels, picture.levels, picture.mode, picture.profile))
        self.place, self.name = place, picture.file or picture.name
        if not picture.page:
            self._finish()

    def _finish(self) -> None:
        if self.place is not None and self.pages:
            words = save_pages(self.pages, self.place)
            if words:
                self.note(self.name, words)
        self.pages, self.place = [], None


def _write_picture(image: np.ndarray, path: Path, levels: Levels | None = None) -> None:
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if words := save_pages([Page(in_known_type(image), levels)], path):
        warnings.warn(f"{path}: {words}", NarrowsWarning, stacklevel=3)


def _write_npy(images: np.ndarray, path: Path) -> None:
    with atomic(path) as temporary, open(temporary, "wb") as file:
        np.save(file, images, allow_pickle=False)


def _write_npz(images: np.ndarray, path: Path) -> None:
    with atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, images=images)


ARRAY_WRITERS: dict[str, Callable[[np.ndarray, Path], None]] = {
    ".npy": _write_npy,
    ".npz": _write_npz,
}
