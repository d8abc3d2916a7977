"""Files of models: pixel models (`.nrwm`), and those of `narrows.model.files` under the same two names."""

import os
from pathlib import Path
from typing import Any

from narrows.codec.model_bytes import LARGEST, MAGIC
from narrows.codec.pixel_model import PixelModel, read_model
from narrows.errors import DataError
from narrows.files import write_file
from narrows.reading import reading

ENDING = ".nrwm"


def save(model: Any, path: str | os.PathLike[str], about: dict[str, Any] | None = None) -> Path:
    """Write a fitted model to `path`, atomically: a pixel model as `.nrwm`, any other as
    `.safetensors`.

    about: further JSON to keep in the file of a model that is not a pixel model. Raises `OutputError`.
    """
    if isinstance(model, PixelModel):
        return write_file(path, model.to_bytes())
    from narrows.model.files import store

    return store.save(model, path, about)


def load(path: str | os.PathLike[str]) -> Any:
    """Read a model that `save` wrote, the `model.safetensors` of a run folder, or a pixel model.

    Raises `DataError`.
    """
    if is_pixel_model(path) or Path(path).suffix == ENDING:
        return load_pixel_model(path)
    from narrows.model.files import store

    return store.load(path)


def is_pixel_model(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file that begins as a pixel model does."""
    if not Path(path).is_file():
        return False
    with reading(path), open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def load_pixel_model(path: str | os.PathLike[str]) -> PixelModel:
    """Read a pixel model. Raises `DataError`."""
    if not Path(path).is_file():
        raise DataError(f"there is no pixel model {path}; `narrows codec train` writes one")
    with reading(path), open(path, "rb") as file:
        return read_model(file.read(LARGEST))
