"""Examples of each form of each format that can be read, and what is true of them.

write    (folder, parts) -> path, see `format_writers`
depths   types that come back to the bit
place    where the values of a large set are: "mapped", the file itself; "temporary", a file on
         the disk; "memory"
"""

from typing import NamedTuple

from format_writers import (
    SIDES,
    Write,
    cifar,
    cifar_batch,
    csv,
    folder,
    gzipped_idx,
    gzipped_idx_folder,
    gzipped_norb,
    idx,
    idx_folder,
    index,
    keyed,
    lmdb,
    norb,
    npy,
    pickled_parts,
    picture,
    raw_tfrecord,
    save_chunked_hdf5,
    save_compressed_mat,
    save_compressed_npz,
    save_hdf5,
    save_mat,
    save_npz,
    save_torch,
    save_zarr,
    stl10,
    stl10_file,
    table,
    table_of_lists,
    tar,
    tfrecord,
)

EVERY = ("u1", "u2", "f4")
MAPPED, TEMPORARY, MEMORY = "mapped", "temporary", "memory"


class Example(NamedTuple):
    """See the module. labels, splits: whether the form has them; sides: of an image."""

    format: str
    write: Write
    depths: tuple[str, ...] = EVERY
    labels: bool = True
    splits: bool = True
    place: str = MEMORY
    sides: tuple[int, ...] = SIDES


EXAMPLES = {
    "folder": Example("folder", folder, place=TEMPORARY),
    "stack": Example("picture", picture, labels=False, splits=False, place=TEMPORARY),
    "tar": Example("pack", tar, place=TEMPORARY),
    "index": Example("pack", index, place=TEMPORARY),
    "npy": Example("npy", npy, labels=False, splits=False, place=MAPPED),
    "npz": Example("npz", keyed("a.npz", save_npz), place=MAPPED),
    "npz, compressed": Example("npz", keyed("a.npz", save_compressed_npz), place=TEMPORARY),
    "medmnist": Example(
        "npz", keyed("a.npz", save_npz, "{}_images", "{}_labels"), place=MAPPED
    ),
    "idx": Example("idx", idx, ("u1", "i1"), splits=False, place=MAPPED),
    "idx, big-endian": Example("idx", idx, ("i2", "i4", "f4", "f8"), splits=False, place=TEMPORARY),
    "idx, gzipped": Example("idx", gzipped_idx, ("u1", "i2", "f4"), splits=False),
    "idx-folder": Example("idx-folder", idx_folder, ("u1", "i1"), place=MAPPED),
    "idx-folder, big-endian": Example("idx-folder", idx_folder, ("i2", "f4"), place=TEMPORARY),
    "idx-folder, gzipped": Example("idx-folder", gzipped_idx_folder, ("u1", "i2")),
    "csv": Example("csv", csv, splits=False, place=TEMPORARY, sides=(5, 5)),
    "cifar": Example("cifar", cifar, ("u1",), place=MAPPED, sides=(32, 32, 3)),
    "cifar, a batch": Example(
        "cifar", cifar_batch, ("u1",), splits=False, place=MAPPED, sides=(32, 32, 3)
    ),
    "pickle": Example("pickle", pickled_parts),
    "stl10": Example("stl10", stl10, ("u1",), place=MAPPED, sides=(96, 96, 3)),
    "stl10, a file": Example(
        "stl10", stl10_file, ("u1",), splits=False, place=MAPPED, sides=(96, 96, 3)
    ),
    "norb": Example("norb", norb, ("u1", "i2", "i4", "f4"), splits=False, place=MAPPED),
    "norb, gzipped": Example("norb", gzipped_norb, ("u1", "i2", "f4"), splits=False),
    "mat": Example("mat", keyed("a.mat", save_mat), splits=False, place=MAPPED, sides=(5, 5)),
    "mat, compressed": Example(
        "mat", keyed("a.mat", save_compressed_mat), splits=False, place=TEMPORARY, sides=(5, 5)
    ),
    "tfrecord": Example("tfrecord", tfrecord, splits=False, place=TEMPORARY),
    "tfrecord, raw": Example(
        "tfrecord", raw_tfrecord, ("u1",), labels=False, splits=False, place=TEMPORARY
    ),
    "torch": Example("torch", keyed("a.pt", save_torch), splits=False, place=MAPPED),
    "table": Example("table", table, place=TEMPORARY),
    "table of lists": Example("table", table_of_lists, place=TEMPORARY),
    "hdf5": Example("hdf5", keyed("a.h5", save_hdf5), place=MAPPED),
    "hdf5, in chunks": Example("hdf5", keyed("a.h5", save_chunked_hdf5), place=TEMPORARY),
    "zarr": Example("zarr", keyed("a.zarr", save_zarr), place=TEMPORARY),
    "lmdb": Example("lmdb", lmdb, place=TEMPORARY),
}  # fmt: skip
