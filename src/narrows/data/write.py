"""Where images go to: arrays, one picture, or a folder of them, by the ending of the name.

x.npy, x.npz       the array as it is
x.png, .jpg, ...   one image; several in one contact sheet
x                  a folder, an image a file, under the names that they came with
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from narrows.data.outputs import Place, any_place
from narrows.data.readers.picture_stream import Picture, in_mode_of
from narrows.data.scratch import reserve
from narrows.errors import OutputError
from narrows.files import atomic, refuse_overwrite
from narrows.layout import contact_sheet

FILE_NAME = "{:05d}.png"
MAP_ENDING = ".png"
LONGEST_NAME = 255  # bytes of a file's name
SAVE_OPTIONS = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}


def write_images(
    images: np.ndarray,
    path: Path,
    names: Sequence[str] | None = None,
    force: bool = False,
    first: int = 0,
    ending: str | None = None,
) -> Path:
    """Write images `(N, H, W)` or `(N, H, W, C)`, uint8 or floats in [0, 1], to `path` (see the
    module).

    names: of the files in a folder; else they are counted from `first`. ending: that of the name, or
    "" for a folder whose name has a dot. Raises `OutputError` if something is there already, unless
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
        _write_picture(contact_sheet(images) if len(images) > 1 else images[0], path)
    elif suffix:
        raise OutputError(
            f"{path}: images are not written as {suffix}; use .png, .npy, .npz, or a folder's name"
        )
    else:
        _write_folder(images, path, names or _counted_names(first, len(images)))
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


def _write_folder(images: np.ndarray, folder: Path, names: Sequence[str]) -> None:
    for image, name in zip(images, names, strict=True):
        _write_picture(image, path_below(folder, name))


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


def map_name(name: str) -> str:
    """The name of the map of a picture: a.jpg.png, or a.png where a longer name is not possible."""
    if len(os.fsencode(PurePosixPath(name).name)) + len(MAP_ENDING) <= LONGEST_NAME:
        return name + MAP_ENDING
    return str(PurePosixPath(name).with_suffix(MAP_ENDING))


def write_like(picture: Picture, pixels: np.ndarray, path: Path) -> None:
    """Write pixels computed from a picture's, in its mode and with its colour profile, in the
    name's format.

    JPEG at a quality of 95, WebP without loss. Raises `OutputError`.
    """
    options = {}
    if picture.profile is not None:
        options["icc_profile"] = picture.profile
    _save_picture(in_mode_of(picture, pixels), path, **options)


def _write_picture(image: np.ndarray, path: Path) -> None:
    pixels = _as_uint8(image)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    _save_picture(Image.fromarray(pixels), path)


def _as_uint8(image: np.ndarray) -> np.ndarray:
    """Pixels as uint8."""
    if image.dtype == np.uint8:
        return image
    white = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1.0
    return np.rint(np.clip(image / white, 0, 1) * 255).astype(np.uint8)


def _save_picture(picture: Image.Image, path: Path, **options: Any) -> None:
    pillow_format = Image.registered_extensions().get(path.suffix.lower(), "")
    options |= SAVE_OPTIONS.get(pillow_format, {})
    with atomic(path) as temporary:
        try:
            picture.save(temporary, **options)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:  # the disk's, not the encoder's
                raise
            raise OutputError(f"{path} cannot be written: {error}; .png takes any image") from error


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
