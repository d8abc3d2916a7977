"""What holds arrays or rows of many images, by its content: HDF5, Zarr, LMDB, tables. See
`recognise`.

Some are folders. They differ from a folder of pictures by files that they must have.
"""

from pathlib import Path

from narrows.data.readers.recognise import zip_names
from narrows.data.readers.shards import find_shards, split_of

HDF5 = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512, 1024, 2048)  # of the signature: a block of the user's own may come first
TABLES = (b"PAR1", b"ARROW1", b"FEA1")
ZARR = ("zarr.json", ".zgroup", ".zarray")
LMDB, LMDB_AT = b"\xde\xc0\xef\xbe", 16
LMDB_FILE = "data.mdb"


def is_hdf5(path: Path, head: bytes) -> bool:
    return any(head[place:].startswith(HDF5) for place in HDF5_PLACES)


def is_table(path: Path, head: bytes) -> bool:
    """Whether a file is a table; or a folder has tables, and no pictures next to them."""
    if not path.is_dir():
        return head.startswith(TABLES)
    if not find_shards(path):
        return False
    from narrows.data.readers.image_files import SUFFIXES  # which imports Pillow

    return not any(file.name.lower().endswith(SUFFIXES) for file in path.iterdir())


def is_zarr(path: Path, head: bytes) -> bool:
    """Whether a folder, or a zip, has Zarr's metadata at its root."""
    if path.is_dir():
        return any((path / name).is_file() for name in ZARR)
    return not set(zip_names(path, head)).isdisjoint(ZARR)


def is_lmdb(path: Path, head: bytes) -> bool:
    return head[LMDB_AT:].startswith(LMDB) or bool(lmdb_files(path))


def lmdb_files(path: Path) -> dict[str, Path]:
    """The file of each split that a folder has; under "" that of a set without splits."""
    if not path.is_dir():
        return {}
    if (path / LMDB_FILE).is_file():
        return {"": path / LMDB_FILE}
    files = {split_of(file.parent.name): file for file in sorted(path.glob(f"*/{LMDB_FILE}"))}
    return {part: files[part] for part in ("train", "val", "test") if part in files}
