"""Writers of small valid files, or folders, of each form of each format that can be read, by other
libraries where there are some: `write(folder, parts) -> path`.

parts: split -> (images, labels); "all" of a set without splits.
"""

import gzip
import pickle
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from narrows.data.packs.pack import pack
from small_files import norb_bytes, write_idx
from small_records import example, write_records

Parts = dict[str, tuple[np.ndarray, np.ndarray]]
Write = Callable[[Path, Parts], Path]

SIDES = (6, 4)


# -- pictures --------------------------------------------------------------------------------------


def encoded(image: np.ndarray) -> bytes:
    """A PNG, or of floats a TIFF."""
    file = BytesIO()
    Image.fromarray(image).save(file, "TIFF" if image.dtype.kind == "f" else "PNG")
    return file.getvalue()


def folder(root: Path, parts: Parts) -> Path:
    for split, (images, labels) in parts.items():
        below = root / "set" / ("" if split == "all" else split)
        for k, image in enumerate(images):
            file = below / f"class-{labels[k]}" / f"{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encoded(image))
    return root / "set"


def picture(root: Path, parts: Parts) -> Path:
    first, *others = (Image.fromarray(image) for image in parts["all"][0])
    first.save(root / "stack.tif", save_all=True, append_images=others)
    return root / "stack.tif"


def tar(root: Path, parts: Parts) -> Path:
    return pack(folder(root, parts), root / "set.tar")["path"]


def index(root: Path, parts: Parts) -> Path:
    return tar(root, parts).with_suffix(".index")


# -- arrays with names -----------------------------------------------------------------------------

Save = Callable[[Path, dict[str, np.ndarray]], Any]  # arrays by name, as one file


def keyed(name: str, save: Save, images: str = "x_{}", labels: str = "y_{}") -> Write:
    """A writer of arrays by their names, those of a split under names of its own."""

    def write(root: Path, parts: Parts) -> Path:
        arrays = {}
        for split, (values, classes) in parts.items():
            keys = ("x", "y") if split == "all" else (images.format(split), labels.format(split))
            arrays |= dict(zip(keys, (values, classes)))
        save(root / name, arrays)
        return root / name

    return write


def save_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(path, **arrays)


def save_compressed_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez_compressed(path, **arrays)


def save_pickle(path: Path, arrays: dict[str, np.ndarray]) -> None:
    path.write_bytes(pickle.dumps(arrays, 2))


def save_torch(path: Path, arrays: dict[str, np.ndarray]) -> None:
    torch.save({key: torch.tensor(array) for key, array in arrays.items()}, path)


def save_mat(path: Path, arrays: dict[str, np.ndarray], compressed: bool = False) -> None:
    rows = {key: np.reshape(array, (len(array), -1)) for key, array in arrays.items()}
    savemat(path, rows, do_compression=compressed)


def save_compressed_mat(path: Path, arrays: dict[str, np.ndarray]) -> None:
    save_mat(path, arrays, compressed=True)


def save_hdf5(path: Path, arrays: dict[str, np.ndarray], **options: Any) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            file.create_dataset(key, data=array, **options)


def save_chunked_hdf5(path: Path, arrays: dict[str, np.ndarray]) -> None:
    save_hdf5(path, arrays, chunks=True, compression="gzip")


def save_zarr(path: Path, arrays: dict[str, np.ndarray]) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(path, mode="w")
    for key, array in arrays.items():
        group.create_array(key, data=array)


def npy(root: Path, parts: Parts) -> Path:
    np.save(root / "a.npy", parts["all"][0])
    return root / "a.npy"


def pickled_parts(root: Path, parts: Parts) -> Path:
    """As mnist.pkl.gz has it."""
    if set(parts) == {"all"}:
        return keyed("a.pkl", save_pickle, "x", "y")(root, parts)
    (root / "a.pkl.gz").write_bytes(gzip.compress(pickle.dumps(tuple(parts.values()), 2)))
    return root / "a.pkl.gz"


# -- sets with a form of their own -----------------------------------------------------------------


def idx_folder(root: Path, parts: Parts, ending: str = "") -> Path:
    for split, (images, labels) in parts.items():
        word = {"test": "t10k", "all": "train"}.get(split, split)
        write_idx(root / "set" / f"{word}-images-idx3-ubyte{ending}", images)
        write_idx(root / "set" / f"{word}-labels-idx1-ubyte{ending}", labels.astype(np.uint8))
    return root / "set"


def gzipped_idx_folder(root: Path, parts: Parts) -> Path:
    return idx_folder(root, parts, ".gz")


def idx(root: Path, parts: Parts, ending: str = "") -> Path:
    path, (images, labels) = root / f"a-images-idx3-ubyte{ending}", parts["all"]
    write_idx(root / f"a-labels-idx1-ubyte{ending}", labels.astype(np.uint8))
    return write_idx(path, images)


def gzipped_idx(root: Path, parts: Parts) -> Path:
    return idx(root, parts, ".gz")


def csv(root: Path, parts: Parts) -> Path:
    images, labels = parts["all"]
    rows = images.reshape(len(images), -1).tolist()
    names = ["label", *(f"pixel{k}" for k in range(len(rows[0])))]
    lines = [names, *([label, *row] for label, row in zip(labels, rows))]
    (root / "a.csv").write_text("\n".join(",".join(map(str, line)) for line in lines))
    return root / "a.csv"


def cifar(root: Path, parts: Parts) -> Path:
    (root / "set").mkdir()
    for split, (images, labels) in parts.items():
        planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        name = "test_batch" if split == "test" else "data_batch_1"
        np.column_stack([labels, planes]).astype(np.uint8).tofile(root / "set" / f"{name}.bin")
    return root / "set"


def cifar_batch(root: Path, parts: Parts) -> Path:
    return cifar(root, parts) / "data_batch_1.bin"


def stl10(root: Path, parts: Parts) -> Path:
    (root / "set").mkdir()
    for split, (images, labels) in parts.items():
        name = "train" if split == "all" else split
        images.transpose(0, 3, 2, 1).tofile(root / "set" / f"{name}_X.bin")
        (labels + 1).astype(np.uint8).tofile(root / "set" / f"{name}_y.bin")
    return root / "set"


def stl10_file(root: Path, parts: Parts) -> Path:
    return stl10(root, parts) / "train_X.bin"


def norb(root: Path, parts: Parts, ending: str = "", compress: Callable = bytes) -> Path:
    images, labels = parts["all"]
    for name, array in {"dat": images, "cat": labels.astype(np.int32)}.items():
        (root / f"a-{name}.mat{ending}").write_bytes(compress(norb_bytes(array)))
    return root / f"a-dat.mat{ending}"


def gzipped_norb(root: Path, parts: Parts) -> Path:
    return norb(root, parts, ".gz", gzip.compress)


# -- records and tables ----------------------------------------------------------------------------


def tfrecord(root: Path, parts: Parts, name: str = "label") -> Path:
    """name: that of the labels."""
    name = name.replace("/", "__")
    contents = [
        example(image__encoded=encoded(image), **{name: int(label)})
        for image, label in zip(*parts["all"])
    ]
    return write_records(root / "a.tfrecord", *contents)


def raw_tfrecord(root: Path, parts: Parts) -> Path:
    height, width = SIDES
    contents = [example(image_raw=x.tobytes(), height=height, width=width) for x in parts["all"][0]]
    return write_records(root / "a.tfrecord", *contents)


def table(root: Path, parts: Parts, as_cell: Callable[[np.ndarray], Any] = encoded) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for split, (images, labels) in parts.items():
        columns = {"image": [as_cell(image) for image in images], "label": labels.tolist()}
        kinds = {"u1": pyarrow.uint8(), "u2": pyarrow.uint16(), "f4": pyarrow.float32()}
        if as_cell is not encoded:
            numbers = pyarrow.list_(pyarrow.list_(kinds[images.dtype.str[1:]]))
            columns["image"] = pyarrow.array(columns["image"], numbers)
        name = "a.parquet" if split == "all" else f"{split}-00000-of-00001.parquet"
        parquet.write_table(pyarrow.table(columns), root / name)
    return root / "a.parquet" if "all" in parts else root


def table_of_lists(root: Path, parts: Parts) -> Path:
    return table(root, parts, np.ndarray.tolist)


def lmdb(root: Path, parts: Parts) -> Path:
    """Encoded images with their texts; a folder a split."""
    library = pytest.importorskip("lmdb")
    for split, (images, labels) in parts.items():
        path = root / "set" / ("" if split == "all" else f"x_{split}_lmdb")
        path.mkdir(parents=True)
        with library.open(str(path), map_size=1 << 20) as env, env.begin(write=True) as entries:
            for k, image in enumerate(images, start=1):
                entries.put(b"image-%09d" % k, encoded(image))
                entries.put(b"label-%09d" % k, b"class-%d" % labels[k - 1])
    return root / "set"


def with_name_of_labels(
    root: Path, form: str, images: np.ndarray, labels: np.ndarray, name: str
) -> Path:
    """A file of a format that has names, its labels under this one."""
    if form == "tfrecord":
        return tfrecord(root, {"all": (images, labels)}, name)
    images_name = "train_images" if name == "train_labels" else "x"
    BY_NAME[form](root / f"a.{form}", {images_name: images, name: labels})
    return root / f"a.{form}"


BY_NAME: dict[str, Save] = {
    "npz": save_npz,
    "pickle": save_pickle,
    "mat": save_mat,
    "torch": save_torch,
    "hdf5": save_hdf5,
    "zarr": save_zarr,
}
