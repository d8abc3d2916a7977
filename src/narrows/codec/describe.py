"""What an archive, and a pixel model, say of themselves: names and values. No block is unpacked."""

import os
from collections import Counter
from math import log10, prod
from pathlib import Path
from typing import Any

import numpy as np

from narrows.codec import archive, general, model_bytes
from narrows.codec.extras import Extras, read_extras
from narrows.codec.index import APART, INSIDE, MODES, PIXEL_MODEL, Form, Index
from narrows.codec.model_files import load_pixel_model
from narrows.codec.palette import COUNTS
from narrows.errors import several
from narrows.reading import reading

FORMS_NAMED, NAMES_NAMED, LEVELS_NAMED = 4, 3, 8
METHODS = {PIXEL_MODEL: "pixel model"}


def describe_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a file says of itself, as plain values by name: an archive, a pixel model or any other model.
    Raises `DataError`.
    """
    head = b""
    if Path(path).is_file():
        with reading(path), open(path, "rb") as file:
            head = file.read(len(archive.MAGIC))
    if head in DESCRIBERS:
        return DESCRIBERS[head](path)
    from narrows.model.files.describe import describe_file as describe_model

    return describe_model(path)


def describe_archive(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What an archive says of itself. Raises `DataError`."""
    with reading(path), open(path, "rb") as file:
        return describe_index(archive.index_of(file), path)


def describe_index(index: Index, path: str | os.PathLike[str]) -> dict[str, Any]:
    """What the index of an archive says, which is at that path. Raises `DataError`."""
    extras = read_extras(index.extras, index.count)
    return {
        "file": str(path),
        "mode": MODES[index.mode],
        **_levels(extras),
        "images": index.count,
        **_names(extras),
        "shapes": _shapes(index, extras),
        **_sizes(index, Path(path).stat().st_size, extras),
        "pixel model": _model(index),
        "blocks": _blocks(index),
    }


def _sizes(index: Index, size: int, extras: Extras) -> dict[str, Any]:
    """Bytes of an archive of that size and of its images, and what they are of one another."""
    forms = [_form_of_images(form, extras) for form in index.forms]
    raw = sum(form.images * prod(form.shape) * np.dtype(form.dtype).itemsize for form in forms)
    pixels = sum(form.images * prod(form.image[:2]) for form in forms)
    values = sum(form.images * prod(form.image) for form in forms)
    return {
        "bytes": size,
        "bytes of the images": raw,
        "ratio": round(raw / size, 3),
        "bits per pixel": round(8 * size / max(1, pixels), 4),
        "bits per value": round(8 * size / max(1, values), 4),
    }


def _form_of_images(form: Form, extras: Extras) -> Form:
    """The type and shape of images that are kept as numbers of levels, or as codes."""
    if extras.code is not None:
        return Form(form.images, extras.code.dtype, extras.code.shape)
    return form if extras.palette is None else form._replace(dtype=extras.palette.dtype)


def _levels(extras: Extras) -> dict[str, Any]:
    """The grey levels, if there are any, and how well they stand for all values."""
    palette = extras.palette
    if palette is None:
        return {}
    facts: dict[str, Any] = {
        "grey levels": f"{len(palette)} ({several(palette.values, LEVELS_NAMED)})"
    }
    if not palette.error:
        return {**facts, "PSNR": "the images are exact"}
    return {**facts, "PSNR": round(10 * log10((COUNTS[palette.dtype] - 1) ** 2 / palette.error), 2)}


def _names(extras: Extras) -> dict[str, Any]:
    if not extras.names:
        return {}
    return {"files": extras.files, "names": several(extras.names, NAMES_NAMED)}


def _shapes(index: Index, extras: Extras) -> str:
    """Shapes and types of the images, the most frequent first."""
    counts: Counter[str] = Counter()
    for form in [_form_of_images(form, extras) for form in index.forms]:
        counts[f"{' x '.join(map(str, form.shape))} {form.dtype}"] += form.images
    listed = [f"{count:,} of {form}" for form, count in counts.most_common() if count]
    return several(listed, FORMS_NAMED) or "none"


def _model(index: Index) -> str:
    if index.model == INSIDE:
        return f"inside, {index.model_length:,} bytes"
    if index.model == APART:
        return f"apart, SHA-256 {index.model_digest.hex()}..."
    return "none"


def _blocks(index: Index) -> str:
    """How many blocks are packed by each method."""
    names = {**dict(enumerate(method.name for method in general.METHODS)), **METHODS}
    counts = Counter(names[entry.method] for entry in index.blocks)
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common()) or "none"


def describe_pixel_model(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a pixel model says of itself. Raises `DataError`."""
    model = load_pixel_model(path)
    integers = sum(tensor.size for tensor in model.tensors.values())
    plain = {
        name: value for name, value in model.options.items() if isinstance(value, (str, int, float))
    }
    return {
        "file": str(path),
        "bytes": Path(path).stat().st_size,
        "what": "a pixel model, for narrows compress",
        **plain,
        "types": ", ".join(model.types),
        "integers": integers,
        "SHA-256": model.digest.hex(),
    }


DESCRIBERS = {archive.MAGIC: describe_archive, model_bytes.MAGIC: describe_pixel_model}
