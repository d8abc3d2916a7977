"""A folder of IDX files, as MNIST and its kin are published, whatever the folder is called.

    train-images-idx3-ubyte   train-labels-idx1-ubyte   t10k-images-idx3-ubyte   t10k-labels-idx1-ubyte

with dots for hyphens, in a folder of the same name each (as Kaggle's zip unpacks), gzipped or not. The
splits are known by the words train, val, test or t10k in a name; images are known by their dimensions, of
which labels have one.
"""

from collections.abc import Iterator
from pathlib import Path

from narrows.data.image_set import ImageSet, join_sets
from narrows.data.readers.idx import header_of, read_idx
from narrows.data.readers.inside import split_of, wanted_splits
from narrows.data.readers.recognise import is_idx_name
from narrows.errors import DataError, several

TEST_WORD = "t10k"  # of MNIST


def read_idx_folder(path: Path, split: str = "all") -> ImageSet:
    """The images of a split, with the labels next to them. Raises `DataError`."""
    by_split = _by_split(path)
    return join_sets([read_idx(by_split[part]) for part in wanted_splits(path, by_split, split)])


def idx_folder_has_split(path: Path, split: str) -> bool:
    """Whether there are images of that split. Raises `DataError`."""
    return split in _by_split(path)


def _by_split(path: Path) -> dict[str, Path]:
    """The file of images of each split; "" if its name says none. Raises `DataError`."""
    found: dict[str, Path] = {}
    for file in _files(path):
        if len(header_of(file)[1]) < 2:
            continue
        split = "test" if TEST_WORD in file.name.lower() else split_of(file.name)
        if split in found:
            names = several([found[split].name, file.name])
            words = f"several files of images{f' to {split} with' if split else ''}"
            raise DataError(f"{path} has {words}: {names}; give the path of one of them")
        found[split] = file
    if not found:
        raise DataError(f"{path} holds IDX files of labels and none of images")
    return found


def _files(path: Path) -> Iterator[Path]:
    """The IDX files of a folder, in the order of their names; of one that is gzipped and unpacked the
    latter.
    """
    for entry in sorted(path.iterdir()):
        is_packed_copy = entry.suffix == ".gz" and entry.with_suffix("").exists()
        if is_idx_name(entry.name) and not is_packed_copy:
            yield entry / entry.name if entry.is_dir() else entry
