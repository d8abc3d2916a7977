"""The table of file formats: name -> its reader, and how a file of it is known.

A reader is `reader(path, split, **options) -> ImageSet`; `split` is "train", "val", "test" or
"all", and its own keyword arguments are its options. A format is known by its content: the first
whose `recognise` says yes is taken. Only if none does, an ending decides, so that an empty or
damaged file is refused by the reader that was meant. To add a format: one module, one entry here,
one line in `docs/images.md`. A reader is imported when its first file is met.
"""

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from narrows.choose import import_path, validate_spec
from narrows.data.image_set import ImageSet
from narrows.data.readers.format import Format, Reader, as_image_set
from narrows.data.readers.recognise import (
    Recognise,
    begins_with,
    head_of,
    is_cifar,
    is_csv,
    is_folder,
    is_idx,
    is_idx_folder,
    is_npz,
    is_pack_index,
    is_pickle,
    is_picture,
    is_stl10,
    is_tar,
    is_tfrecord,
    is_torch,
)
from narrows.data.readers.recognise_stores import is_hdf5, is_lmdb, is_table, is_zarr
from narrows.data.share import Share
from narrows.errors import DataError, wrong

PICTURES = ("folder", "picture")  # of which each file is one picture, or a few
SHOWN = 8  # bytes of a file of no known format


PICTURE_ENDINGS = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "gif", "dcm", "jxl")
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
        shares=True,
    ),
    "lmdb": Format(
        "LMDB",
        "readers.lmdb_images:read_lmdb",
        is_lmdb,
        ("*.lmdb", "*.mdb"),
        splits="readers.lmdb_images:lmdb_has_split",
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
        "readers.npz:read_npz",
        is_npz,
        ("*.npz",),
        splits="readers.npz:npz_has_split",
    ),
    "csv": Format(
        "a table of text (.csv)",
        "readers.csv_files:read_csv",
        is_csv,
        ("*.csv", "*.csv.gz", "*.tsv"),
    ),
    "hdf5": Format(
        "HDF5, and MATLAB's since 7.3",
        "readers.hdf5:read_hdf5",
        is_hdf5,
        ("*.h5", "*.hdf5"),
        splits="readers.hdf5:hdf5_has_split",
        shares=True,
    ),
    "idx": Format(
        "IDX, as MNIST has it",
        "readers.idx:read_idx",
        is_idx,
        ("*idx[1-9]-*", "*.idx", "*.idx.gz"),
    ),
    "idx-folder": Format(
        "a folder of IDX files",
        "readers.idx_folder:read_idx_folder",
        is_idx_folder,
        splits="readers.idx_folder:idx_folder_has_split",
    ),
    "norb": Format(
        "a matrix of smallNORB",
        "readers.norb:read_norb",
        begins_with(*(bytes([kind, 0x4C, 0x3D, 0x1E]) for kind in range(0x51, 0x57))),
    ),
    "cifar": Format(
        "CIFAR-10 and CIFAR-100",
        "readers.cifar:read_cifar",
        is_cifar,
        splits="readers.cifar:cifar_has_split",
    ),
    "stl10": Format(
        "STL-10",
        "readers.stl10:read_stl10",
        is_stl10,
        splits="readers.stl10:stl10_has_split",
    ),
    "pickle": Format(
        "a pickle of arrays",
        "readers.pickled:read_pickle",
        is_pickle,
        ("*.pkl", "*.pkl.gz", "*.pickle"),
        splits="readers.pickled:pickle_has_split",
    ),
    "mat": Format(
        "a MATLAB file (.mat)",
        "readers.matlab:read_mat",
        begins_with(b"MATLAB 5.0", b"MATLAB 7.3"),
        ("*.mat",),
    ),
    "tfrecord": Format(
        "a TFRecord of Examples",
        "readers.tfrecord:read_tfrecord",
        is_tfrecord,
        ("*.tfrecord", "*.tfrecords", "*.tfrecord-*"),
    ),
    "torch": Format(
        "tensors of torch (.pt)",
        "readers.torch_files:read_torch",
        is_torch,
        ("*.pt", "*.pth"),
    ),
    # the last: some of the above are folders too
    "folder": Format(
        "a folder of pictures",
        "readers.folder:read_folder",
        is_folder,
        splits="readers.folder:folder_has_split",
        shares=True,
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
