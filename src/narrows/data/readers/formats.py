"""The table of file formats: a pattern of the file's name -> its reader.

A reader is `reader(path, split, **options) -> ImageSet`; `split` is "train", "test" or "all", and
its own keyword arguments are its options. The first pattern that fits is taken. To add a format:
one function, one entry.
"""

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from narrows.choose import validate_spec
from narrows.data.image_set import ImageSet
from narrows.data.packs.reader import pack_has_split, read_pack
from narrows.data.readers.arrays import npz_has_split, read_npy, read_npz
from narrows.data.readers.folder import folder_has_splits, read_folder, read_image
from narrows.data.readers.idx import read_idx
from narrows.data.readers.image_files import SUFFIXES
from narrows.data.share import Share
from narrows.errors import DataError

FOLDER = "folder"
Reader = Callable[..., ImageSet]
FORMATS: dict[str, Reader] = {
    FOLDER: read_folder,
    "*.npy": read_npy,
    "*.npz": read_npz,
    "*.tar": read_pack,
    "*.index": read_pack,
    **{f"*{ending}": read_image for ending in SUFFIXES},
    "*idx[1-9]-*": read_idx,
    "*.idx": read_idx,
    "*.idx.gz": read_idx,
}
SHARED_READERS = (read_folder, read_pack)  # of many files, of which they can read a share alone
HAS_SPLIT: dict[Reader, Callable[[Path, str], bool]] = {  # files of all other formats are one set
    read_folder: folder_has_splits,
    read_npz: npz_has_split,
    read_pack: pack_has_split,
}


def read_path(
    path: Path, split: str, options: dict[str, Any], share: Share | None = None, mode: str = ""
) -> ImageSet:
    """The images of a file or a folder that exists; `share`, `mode`: see `load.read_data`.

    Raises `DataError` for a format that is not known, `BuildError` for an option that the format
    does not have.
    """
    given = ("path", "split", "share", "mode")
    spec = {"kind": format_of(path), **options}
    reader, options = validate_spec("format", FORMATS, spec, context=given)
    if reader in SHARED_READERS:
        return reader(path, split, share=share, mode=mode, **options)
    images = reader(path, split, **options)
    return share.take(images) if share else images


def path_has_split(path: Path, split: str) -> bool:
    """Whether a file or a folder that exists has that split: "train" or "test".

    Raises `DataError` if it cannot be read to find out.
    """
    has_split = HAS_SPLIT.get(FORMATS[format_of(path)])
    return has_split is not None and has_split(path, split)


def format_of(path: Path) -> str:
    """The pattern in `FORMATS` that fits. Raises `DataError`."""
    if path.is_dir():
        return FOLDER
    for pattern in FORMATS:
        if fnmatch(path.name.lower(), pattern):
            return pattern
    raise DataError(f"{path} has no format that can be read; known: a {', '.join(FORMATS)}")
