"""Where images go to: arrays, one picture, or a folder of them, by the ending of the name.

x.npy, x.npz       the array as it is
x.png, .jpg, ...   one image; of several, a sheet of them side by side
x                  a folder, an image a file, under the names that they came with
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from narrows.data.readers.picture_stream import Picture, record_written
from narrows.errors import OutputError
from narrows.files import atomic, refuse_overwrite
from narrows.layout import contact_sheet

NAME = "{:05d}.png"
KEEPING = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}  # as much of a picture as goes in


def write_images(
    images: np.ndarray, path: Path, names: Sequence[str] | None = None, force: bool = False, first: int = 0
) -> Path:
    """Write images `(N, H, W)` or `(N, H, W, C)`, uint8 or floats in [0, 1], to `path` (see the module).

    names: of the files in a folder; else they are counted from `first`. Raises `OutputError` where something is there
    already, unless `force`.
    """
    path = refuse_overwrite(path, force)
    suffix = path.suffix.lower()
    if suffix in ARRAYS:
        ARRAYS[suffix](images, path)
    elif images.ndim == 2:
        raise OutputError(f"{path}: a table has no pictures; write it as .npy or .npz")
    elif Image.registered_extensions().get(suffix) in Image.SAVE:
        _write_one(contact_sheet(images) if len(images) > 1 else images[0], path)
    elif suffix:
        raise OutputError(f"{path}: images are not written as {suffix}; use .png, .npy, .npz, or a folder's name")
    else:
        for image, name in zip(images, names or map(NAME.format, range(first, first + len(images))), strict=True):
            _write_one(image, below(path, name))
    return path


@contextmanager
def memory_mapped(path: Path, shape: tuple[int, ...], dtype: np.dtype, force: bool = False) -> Iterator[np.ndarray]:
    """An `.npy` file to be filled: a memory map, for more than the memory holds.

    It takes its name when the block ends well. Raises `OutputError` as `write_images`.
    """
    with atomic(refuse_overwrite(path, force)) as aside:
        array = np.lib.format.open_memmap(aside, mode="w+", dtype=dtype, shape=shape)
        yield array
        array.flush()


def below(folder: Path, name: str) -> Path:
    """A file's place in a folder. Raises `OutputError` for a name that leads out of it."""
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"{name!r} leads out of the folder {folder}; nothing was written there")
    return folder / name


def write_like(picture: Picture, made: np.ndarray, path: Path) -> None:
    """Write pixels made from a picture's, in its mode and with its colour profile, in the format of the name.

    JPEG at a quality of 95, WebP without loss. Raises `OutputError`.
    """
    profile = {} if picture.profile is None else {"icc_profile": picture.profile}
    _save(record_written(picture, made), path, **profile)


def _write_one(image: np.ndarray, path: Path) -> None:
    pixels = image if image.dtype == np.uint8 else np.rint(np.clip(image / _peak(image), 0, 1) * 255).astype(np.uint8)
    _save(Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels), path)


def _save(image: Image.Image, path: Path, **options: Any) -> None:
    kind = Image.registered_extensions().get(path.suffix.lower(), "")
    with atomic(path) as aside:
        try:
            image.save(aside, **KEEPING.get(kind, {}), **options)
        except (OSError, ValueError) as error:
            raise OutputError(f"{path} cannot be written: {error}; .png takes any image") from error


def _peak(image: np.ndarray) -> float:
    return np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1.0


def _npy(images: np.ndarray, path: Path) -> None:
    with atomic(path) as aside, open(aside, "wb") as file:
        np.save(file, images, allow_pickle=False)


def _npz(images: np.ndarray, path: Path) -> None:
    with atomic(path) as aside, open(aside, "wb") as file:
        np.savez_compressed(file, images=images)


ARRAYS: dict[str, Callable[[np.ndarray, Path], None]] = {".npy": _npy, ".npz": _npz}
