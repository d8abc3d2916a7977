"""The files of a table that is kept in several: which belong together, to which split, in order.

    data/train-00000-of-00002.parquet  data/test-00000-of-00001.parquet      Hugging Face's repositories
    train/0000.parquet  test/0000.parquet                                    the same, converted
    train/data-00000-of-00001.arrow  train/state.json                        `save_to_disk`
    train.parquet  test.parquet                                              files next to each other

Numbers in names count as numbers: part-2 comes before part-10.
"""

import re
from pathlib import Path

from narrows.data.image_set import refuse_parts
from narrows.data.readers.inside import PARTS, SPLIT_WORDS, split_of
from narrows.errors import DataError, several

ENDINGS = (".parquet", ".arrow", ".feather")
FOLDERS = ("data", "default", *SPLIT_WORDS)  # below the folder in which tables are looked for
LEFT_OUT = re.compile(
    r"\.|cache-|metadata\."
)  # of the library's cache, or next to a folder of images
OF_HOW_MANY = re.compile(r"(.*?)-\d{5}-of-(\d{5})")


def find_shards(path: Path) -> list[Path]:
    """The tables in a folder and in those below it that usually hold some, in order."""
    folders = [path, *(path / name for name in FOLDERS)]
    folders += [path / "data" / name for name in SPLIT_WORDS]
    files = {
        file
        for folder in folders
        if folder.is_dir()
        for file in folder.iterdir()
        if file.suffix in ENDINGS and not LEFT_OUT.match(file.name)
    }
    return sorted(files, key=lambda file: _in_order(file.relative_to(path).as_posix()))


def shards_have_split(path: Path, split: str, array: str = "") -> bool:
    """Whether a folder of tables is divided into splits, of which this is one."""
    return path.is_dir() and split in _by_split(path, find_shards(path))


def chosen_shards(path: Path, split: str) -> tuple[list[Path], tuple[str, ...]]:
    """The files of a split, in order, and notes about those that are missing or left out. A file is
    one set. Raises `DataError`.
    """
    if path.is_file():
        refuse_parts(path, split)
        return [path], ()
    files = find_shards(path)
    by_split = _by_split(path, files)
    splits = [part for part in PARTS if part in by_split]
    if not splits:
        refuse_parts(path, split)
        return files, _missing(files)
    if split != "all" and split not in splits:
        raise DataError(f"{path} has no {split} split, only {' and '.join(splits)}")
    chosen = [file for part in splits if split in ("all", part) for file in by_split[part]]
    notes = _missing(chosen)
    if "" in by_split:
        names = several([file.name for file in by_split[""]])
        notes += (f"{path}: left out, since they name no split: {names}",)
    return chosen, notes


def _by_split(path: Path, files: list[Path]) -> dict[str, list[Path]]:
    by_split: dict[str, list[Path]] = {}
    for file in files:
        split = split_of(file.relative_to(path).as_posix())
        by_split.setdefault(split, []).append(file)
    return by_split


def _missing(files: list[Path]) -> tuple[str, ...]:
    """A note for each set of shards, `name-00003-of-00007`, that is not complete."""
    sets: dict[tuple[Path, str, str], int] = {}
    for file in files:
        if match := OF_HOW_MANY.match(file.name):
            key = (file.parent, match[1], match[2])
            sets[key] = sets.get(key, 0) + 1
    return tuple(
        f"{folder}: {count} of the {int(of)} shards of {name} are there"
        for (folder, name, of), count in sets.items()
        if count != int(of)
    )


def _in_order(name: str) -> list[tuple[int, int, str]]:
    """A key for sorting, in which a run of digits counts as a number."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in re.split(r"(\d+)", name, flags=re.ASCII)
    ]
