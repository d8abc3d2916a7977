"""A name, a spec or a path -> images.

    "mnist"                                            a named set
    {"kind": "coloured-mnist", "colour": "image"}      a named set with options
    "photos"   {"kind": "photos", "size": [64, 64]}    a folder or a file, with or without options
    "a.h5::/group/x"                                   an array, or a column, inside a file
    "a.nii::axis=0"   "a.csv::shape=28x20"             options behind the path; also several
    loader                                             your own function, `loader(split, ...) -> ImageSet`

A name of the table wins over a folder of the same name; `./mnist` is always the folder.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from narrows.choose import choose
from narrows.data.image_set import ImageSet, join_sets
from narrows.data.named_sets.named import NAMED_SETS
from narrows.data.readers.formats import path_has_split, read_path
from narrows.data.readers.parts import PARTS
from narrows.data.share import Share
from narrows.errors import DataError, NarrowsError, did_you_mean, unknown, wrong

SPLITS = (*PARTS, "all")
MARK = "::"  # between a path and the array in it, or options
INTEGERS = re.compile(r"-?\d+(x\d+)*")

Data = str | os.PathLike[str] | Mapping[str, Any] | Callable[..., ImageSet]
DataKind = str | os.PathLike[str] | Callable[..., ImageSet]


def load_data(
    data: Data, split: str = "train", **options: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images and labels of a named set, a file or a folder: the first two fields of what
    `read_data` gives.

    >>> X, y = load_data("digits", split="test")
    >>> X.shape, X.dtype.name, y.dtype.name
    ((360, 8, 8), 'uint8', 'int64')

    Returns X, `(N, H, W)` or `(N, H, W, C)`, uint8 0..255 (or the file's own type), and y, int64
    `(N,)` or None. Arguments and errors are those of `read_data`.
    """
    images = read_data(data, split, **options)
    return images.images, images.labels


def read_data(
    data: Data, split: str = "train", *, share: Share | None = None, mode: str = "", **options: Any
) -> ImageSet:
    """Images with all that is known about them.

    data: a name in `NAMED_SETS`, a path, or a dict with either as "kind" and options next to it.
    split: "train" (default), "val" (validation), "test" or "all". A file, or a folder that is
        not divided (`readers.parts`), is one set: "train" and "all" give all of it, the others are
        refused.
    share: read this share of the images only; other files of a folder or a pack are not read. It
        may be empty.
    mode: of image files: L, RGB or RGBA, if all that go with it are to be brought to it, as a model
        needs them.
    options: those of the set (see `named`) or of the format (folders: `size`, `fit`, `strict`);
        they override those in the dict.

    Raises `UnknownName` for a name that is not known, `DataError` for a file that is missing or is
    not what it should be, `BuildError` for an option that is not known.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    kind, options = _kind_and_options(data, options)
    if _is_named(kind):
        images = _read_named({"kind": kind, **options}, split)
        return share.take(images) if share else images
    return read_path(_existing_path(kind), split, options, share, mode)


def has_split(data: Data, split: str) -> bool:
    """Whether there are images of that split alone: "train", "val" or "test".

    Named sets and functions have "train" and "test"; of a pair ("noisy") both sides must have it. Only a
    folder's names, a pack's index or an .npz file's list are read. Raises what `read_data` raises
    if it cannot be known.
    """
    if split not in PARTS:
        raise unknown("split", split, PARTS)
    kind, options = _kind_and_options(data, {})
    array = options.get("array", "")
    if "noisy" in options:
        return has_split(kind, split) and has_split(options["noisy"], split)
    if _is_named(kind):
        return split != "val"
    return path_has_split(_existing_path(kind), split, array)


def _kind_and_options(data: Data, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What is asked for (a name, a path or a function), and its options."""
    spec: dict[str, Any] = {"kind": data, **options}
    if isinstance(data, Mapping):
        spec = {**data, **options}
    kind = spec.pop("kind", None)
    if not (callable(kind) or isinstance(kind, (str, os.PathLike))):
        got = repr(dict(data)) if isinstance(data, Mapping) else f"a {type(data).__name__}"
        raise DataError(
            f"data: got {got}, expected a path, the name of a set ({', '.join(NAMED_SETS)}), "
            "or a dict with either as its 'kind'"
        )
    if not callable(kind):
        kind = _without_options(kind, spec)
    return kind, spec


def _without_options(kind: str | os.PathLike[str], spec: dict[str, Any]) -> str | os.PathLike[str]:
    """The path of `path::array` or `path::name=value`, whose options go to `spec`; a file of that
    very name wins.
    """
    path, *words = os.fspath(kind).split(MARK)
    if not words or Path(kind).expanduser().exists():
        return kind
    for word in words:
        name, value = _option(word)
        if spec.setdefault(name, value) != value:
            raise wrong(name, spec[name], f"the one in {os.fspath(kind)!r}", "give one of them")
    return path


def _option(word: str) -> tuple[str, Any]:
    """The option that stands behind a path: "axis=0", "shape=28x20", or the name of an array."""
    name, mark, value = word.partition("=")
    if not (mark and name.isidentifier()):
        return "array", word
    if not INTEGERS.fullmatch(value):
        return name, value
    integers = [int(part) for part in value.split("x")]
    return name, integers if len(integers) > 1 else integers[0]


def _is_named(kind: DataKind) -> bool:
    return callable(kind) or kind in NAMED_SETS


def _read_named(spec: dict[str, Any], split: str) -> ImageSet:
    if split == "val" and not callable(spec["kind"]):
        raise DataError(f"{spec['kind']} has no val split, only train and test; read one of these")
    splits = ("train", "test") if split == "all" else (split,)
    return join_sets([choose("data set", NAMED_SETS, spec, split=part) for part in splits])


def _existing_path(kind: str | os.PathLike[str]) -> Path:
    """The file or folder of that name. Raises `DataError` or `UnknownName`."""
    path = Path(kind).expanduser()
    if not path.exists():
        raise _nothing_there(str(kind), path)
    return path


def _nothing_there(kind: str, path: Path) -> NarrowsError:
    """The error for a name that is neither in the table nor a path."""
    if path.suffix or len(path.parts) > 1:
        return DataError(
            f"there is no file or folder {path}; of named sets, {did_you_mean(kind, NAMED_SETS)}"
        )
    error = unknown("data set", kind, NAMED_SETS)
    return type(error)(f"{error}; nor is there a file or folder {kind} here")
