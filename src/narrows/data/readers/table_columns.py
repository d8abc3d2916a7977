"""Which column of a table holds the images, and which the labels.

    Hugging Face         the schema says it: {"image": {"_type": "Image"}, "label": {"_type":
                         "ClassLabel", "names": [...]}}
    any other table      by the usual names, else the only column that can be one

A column of images is encoded files (bytes, or a struct of bytes and path) or lists of numbers, one
in another for each axis, or of one length.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from narrows.errors import DataError, did_you_mean, extra, several

IMAGE_NAMES = ("image", "img", "images", "picture", "pixel_values", "pixels", "png", "jpg", "jpeg")
LABEL_NAMES = ("label", "labels", "class", "target", "y", "fine_label", "cls", "category", "digit")
METADATA = b"huggingface"


class Columns(NamedTuple):
    """The column of images and whether they are encoded files; that of labels, the names of its
    classes if the schema has them, and notes.
    """

    images: str
    encoded: bool
    labels: str = ""
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def find_columns(path: Path, schema: Any, array: str = "") -> Columns:
    """The columns of a table. array: that of the images. Raises `DataError`."""
    features = _features(schema)
    types = {field.name: field.type for field in schema}
    images = array or _image_column(path, types, features)
    if images not in types:
        raise DataError(f"{path} has no column {images!r}; {did_you_mean(images, types)}")
    kind = types[images]
    if not (is_encoded(kind) or is_numbers(kind)):
        raise DataError(
            f"{path}: the column {images!r} is of type {kind}; expected images as bytes, as a "
            "struct of bytes and path, or as lists of numbers"
        )
    labels, notes = _label_column(path, types, features)
    classes = features.get(labels, {}).get("names")
    return Columns(images, is_encoded(kind), labels, tuple(classes) if classes else None, notes)


def is_encoded(kind: Any) -> bool:
    """Whether a column's type is that of encoded files."""
    types = extra("pyarrow.types", "parquet")
    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def is_numbers(kind: Any) -> bool:
    """Whether a column's type is lists of numbers, to any depth."""
    types = extra("pyarrow.types", "parquet")
    kind = getattr(kind, "storage_type", kind)
    depth = 0
    while is_list(kind):
        kind = kind.value_type
        depth += 1
    return depth > 0 and (
        types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    )


def is_list(kind: Any) -> bool:
    types = extra("pyarrow.types", "parquet")
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _features(schema: Any) -> dict[str, dict[str, Any]]:
    """What Hugging Face's metadata say of the columns; empty if there are none, or damaged."""
    try:
        features = json.loads((schema.metadata or {})[METADATA])["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _image_column(path: Path, types: dict[str, Any], features: dict[str, dict[str, Any]]) -> str:
    possible = [name for name, kind in types.items() if is_encoded(kind)]
    possible += [name for name, kind in types.items() if is_numbers(kind)]
    declared = [name for name in possible if features.get(name, {}).get("_type") == "Image"]
    named = [name for name in IMAGE_NAMES if name in possible]
    for found in (declared, named, possible):
        if len(found) == 1 or (found is named and found):
            return found[0]
    if not possible:
        raise DataError(f"{path} has no column of images; it has {several(list(types))}")
    raise DataError(
        f"{path} has several columns that may be images: {several(possible)}; say which with "
        f"array={possible[0]!r} (--array {possible[0]})"
    )


def _label_column(
    path: Path, types: dict[str, Any], features: dict[str, dict[str, Any]]
) -> tuple[str, tuple[str, ...]]:
    """The column of labels, empty if there is none, and notes about what is not taken."""
    declared = [name for name in types if features.get(name, {}).get("_type") == "ClassLabel"]
    named: Sequence[str] = [name for name in LABEL_NAMES if name in types]
    found = [name for name in named if name in declared] or declared or named
    if not found:
        return "", ()
    others = [name for name in [*declared, *named] if name != found[0]]
    if not others:
        return found[0], ()
    return found[0], (f"{path}: {found[0]} is taken for the labels, not {several(others)}",)
