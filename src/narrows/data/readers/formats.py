"""The table of file formats: name -> its reader, and how a file of it is known.

A reader is `reader(path, split, **options) -> ImageSet`; `split` is "train", "val", "test" or
"all", and its own keyword arguments are its options. A format is known by its content: the first
whose `recognise` says yes is taken. Only if none does, an ending decides, so that an empty or
damaged file is refused by the reader that was meant. To add a format: one module, one entry here,
one line in `docs/images.md`. A reader is imported when its first file is met.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from narrows.choose import import_path, validate_spec
from narrows.data.image_set import ImageSet, check_images, check_labels
from narrows.data.readers.recognise import (
    Recognise,
    begins_with,
    head_of,
    is_folder,
    is_idx,
    is_npz,
    is_pack_index,
    is_picture,
    is_tar,
)
from narrows.data.readers.recognise_stores import is_hdf5, is_lmdb, is_table, is_zarr
from narrows.data.share import Share
from narrows.errors import DataError, wrong

Reader = Callable[..., ImageSet]
HasSplit = Callable[[Path, str], bool]
PICTURES = ("folder", "picture")  # of which each file is one picture, or a few
SHOWN = 8  # bytes of a file of no known format


@dataclass(frozen=True)
class Format:
    """One format of files.

    title: what it is, for a message.
    reader: the function that reads it, or where it is: "readers.arrays:read_npz", below
        `narrows.data`.
    recognise: whether a file or a folder is of this format, by its path and its first bytes (see
        `recognise`).
    endings: patterns of names that files of this format usually have; they decide only about files
        that nothing recognises.
    splits: whether a file has the split "train", "val" or "test", a function of path and split, or
        where that is; None: a file is one set.
    shares: whether the reader can read a share of many files alone (`share`, `mode`: see
        `load.read_data`).
    """

    title: str
    reader: Reader | str
    recognise: Recognise
    endings: tuple[str, ...] = ()
    splits: HasSplit | str | None = None
    shares: bool = False

    @property
    def read(self) -> Reader:
        return _resolve(self.reader)

    def has_split(self, path: Path, split: str, array: str = "") -> bool:
        """Whether a file has a split. An array that is named inside of one is one set, unless
        `splits` says otherwise.
        """
        if self.splits is None:
            return False
        has_split = _resolve(self.splits)
        if not array:
            return has_split(path, split)
        return "array" in signature(has_split).parameters and has_split(path, split, array=array)


def _resolve(function: Callable[..., Any] | str) -> Callable[..., Any]:
    if not isinstance(function, str):
        return function
    module, name = function.split(":")
    return getattr(import_module(f"narrows.data.{module}"), name)


PICTURE_ENDINGS = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "gif")
FORMATS: dict[str, Format] = {
    "table": Format(
        "a table (.parquet, .arrow, .feather) or a folder of tables",
        "readers.arrow_images:read_tables",
        is_table,
        ("*.parquet", "*.arrow", "*.feather"),
        splits="readers.shards:shards_have_split",
        shares=True,
    ),
    "zarr": Format(
        "Zarr",
        "readers.zarr_arrays:read_zarr",
        is_zarr,
        ("*.zarr",),
        splits="readers.zarr_arrays:zarr_has_split",
    ),
    "lmdb": Format(
        "LMDB",
        "readers.lmdb_images:read_lmdb",
        is_lmdb,
        ("*.lmdb", "*.mdb"),
        splits="readers.lmdb_images:lmdb_has_split",
    ),
    "folder": Format(
        "a folder of pictures",
        "readers.folder:read_folder",
        is_folder,
        splits="readers.folder:folder_has_split",
        shares=True,
    ),
    "picture": Format(
        "a picture",
        "readers.folder:read_image",
        is_picture,
        tuple(f"*.{ending}" for ending in PICTURE_ENDINGS),
    ),
    "npy": Format(
        "a NumPy array (.npy)", "readers.arrays:read_npy", begins_with(b"\x93NUMPY"), ("*.npy",)
    ),
    "pack": Format(
        "a pack (.tar, .index)",
        "packs.reader:read_pack",
        lambda path, head: is_tar(path, head) or is_pack_index(path, head),
        ("*.tar", "*.index"),
        splits="packs.reader:pack_has_split",
        shares=True,
    ),
    "npz": Format(
        "NumPy arrays with names (.npz)",
        "readers.arrays:read_npz",
        is_npz,
        ("*.npz",),
        splits="readers.arrays:npz_has_split",
    ),
    "hdf5": Format(
        "HDF5, and MATLAB's since 7.3",
        "readers.hdf5:read_hdf5",
        is_hdf5,
        ("*.h5", "*.hdf5"),
        splits="readers.hdf5:hdf5_has_split",
    ),
    "idx": Format(
        "IDX, as MNIST has it",
        "readers.idx:read_idx",
        is_idx,
        ("*idx[1-9]-*", "*.idx", "*.idx.gz"),
    ),
}


def read_path(
    path: Path, split: str, options: dict[str, Any], share: Share | None = None, mode: str = ""
) -> ImageSet:
    """The images of a file or a folder that exists; `share`, `mode`: see `load.read_data`.

    Raises `DataError` for a format that is not known, `BuildError` for an option that the format
    does not have.
    """
    name = format_of(path)
    given = ("path", "split", "share", "mode")
    reader, options = validate_spec(
        "format", {name: FORMATS[name].read}, {"kind": name, **options}, context=given
    )
    if FORMATS[name].shares:
        return reader(path, split, share=share, mode=mode, **options)
    images = as_image_set(reader(path, split, **options), path)
    return share.take(images) if share else images


def path_has_split(path: Path, split: str, array: str = "") -> bool:
    """Whether a file or a folder that exists has that split: "train", "val" or "test"; `array`:
    the path inside of it.

    Raises `DataError` if it cannot be read to find out.
    """
    return FORMATS[format_of(path)].has_split(path, split, array)


def format_of(path: Path) -> str:
    """The name in `FORMATS` of a file or folder that exists. Raises `DataError`."""
    try:
        head = head_of(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    for name, form in FORMATS.items():
        if form.recognise(path, head):
            return name
    for name, form in FORMATS.items():
        if any(fnmatch(path.name.lower(), pattern) for pattern in form.endings):
            return name
    raise DataError(
        f"{path} has no format that can be read: {_beginning(head)}; known: {known_formats()}"
    )


def known_formats() -> str:
    """The formats that can be read, for a message."""
    return ", ".join(form.title for form in FORMATS.values())


def _beginning(head: bytes) -> str:
    """The first bytes of a file, as a message has them: in hex, and as text if they are that."""
    if not head:
        return "it is empty"
    shown = head[:SHOWN]
    words = f"it begins with {shown.hex(' ')}"
    return f"{words} ({shown.decode()!r})" if shown.isascii() else words


def as_image_set(result: Any, path: Path) -> ImageSet:
    """What a reader returned as a set. A registered one may return images alone, or images and
    labels. Raises `DataError`.
    """
    if isinstance(result, ImageSet):
        return result
    images, labels = result if isinstance(result, tuple) else (result, None)
    images = np.asarray(images)
    check_images(images, path)
    if labels is None:
        return ImageSet(images, source=f"the file {path}")
    labels, classes = check_labels(np.asarray(labels), len(images), path)
    return ImageSet(images, labels, classes=classes, source=f"the file {path}")


def register_reader(
    kind: str, make: Reader, *, name: str | None = None, recognise: Recognise | None = None
) -> Reader:
    """Enter a reader of your own in `FORMATS`, before all others; the reader itself is returned.

    recognise: by default the attribute of that name of the reader. See `narrows.registry`.
    """
    name = name or str(getattr(make, "__name__", ""))
    recognise = recognise or getattr(make, "recognise", None)
    if not callable(make) or recognise is None:
        raise wrong(
            f"a {kind} to register",
            make,
            "a function (path, split, **options) with recognise(path, head)",
            "see docs/images.md",
        )
    old = FORMATS.get(name)
    if old is not None and not (
        callable(old.reader) and import_path(old.reader) == import_path(make)
    ):
        raise wrong("name", name, "one that no other format has", "give name=")
    others = {key: form for key, form in FORMATS.items() if key != name}
    FORMATS.clear()
    FORMATS.update({name: Format(name, make, recognise), **others})
    return make
