"""The table of file formats: a pattern of the file's name -> its reader.

A reader is `reader(path, split, **options) -> ImageSet`; `split` is "train", "test" or "all", and its own
keyword arguments are its options. The first pattern that fits is taken. To add a format: one function, one entry.
"""

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from narrows.choose import validate_spec
from narrows.data.image_set import ImageSet
from narrows.data.packs.reader import read_pack
from narrows.data.readers.arrays import read_npy, read_npz
from narrows.data.readers.folder import read_folder, read_image
from narrows.data.readers.idx import read_idx
from narrows.data.readers.image_files import SUFFIXES
from narrows.data.share import Share
from narrows.errors import DataError

FOLDER = "folder"
FORMATS: dict[str, Callable[..., ImageSet]] = {
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
MANY = (read_folder, read_pack)  # readers of many files, that read a share of them alone


def read_path(
    path: Path, split: str, options: dict[str, Any], share: Share | None = None, mode: str = ""
) -> ImageSet:
    """The images of a file or a folder that exists; `share`, `mode`: as of `load.read`.

    Raises `DataError` for a format that is not known, `BuildError` for an option that the format does not have.
    """
    kind = FOLDER if path.is_dir() else _pattern(path)
    reader, options = validate_spec(
        "format", FORMATS, {"kind": kind, **options}, context=("path", "split", "share", "mode")
    )
    if reader in MANY:
        return reader(path, split, share=share, mode=mode, **options)
    found = reader(path, split, **options)
    return share.of_set(found) if share else found


def _pattern(path: Path) -> str:
    for pattern in FORMATS:
        if fnmatch(path.name.lower(), pattern):
            return pattern
    raise DataError(f"{path} is of no format that can be read; known: a {', '.join(FORMATS)}")
