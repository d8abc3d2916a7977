"""Arrays and rows inside files, by `load_data`: found by content, an array inside named by `::`."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from narrows.data import load_data, read_data
from narrows.data.load import has_split
from narrows.data.readers.formats import format_of
from narrows.data.share import Share
from narrows.errors import BuildError, DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 6, 5), np.uint8)


def png(image: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def write_hdf5(path, arrays):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        for key, values in arrays.items():
            file[key] = values


def write_zarr(path, arrays):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(path, mode="w")
    for key, values in arrays.items():
        group.create_array(key, data=values)


def write_table(path, arrays):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path.mkdir()
    names = {key.rpartition("/")[2]: key.rpartition("/")[2] for key in arrays}
    for split in ("train", "test"):
        columns = {name: list(map(png, arrays[f"set/{split}/{name}"])) for name in names}
        parquet.write_table(pa.table(columns), path / f"{split}-00000-of-00001.parquet")


def write_lmdb(path, arrays):
    lmdb = pytest.importorskip("lmdb")
    for split in ("train", "test"):
        (path / split).mkdir(parents=True)
        with lmdb.open(str(path / split)) as env, env.begin(write=True) as txn:
            for k, image in enumerate(arrays[f"set/{split}/images"]):
                txn.put(b"%03d" % k, png(image))


ARRAYS = {
    "set/train/images": IMAGES[:8],
    "set/train/inverted": 255 - IMAGES[:8],
    "set/test/images": IMAGES[8:],
    "set/test/inverted": 255 - IMAGES[8:],
}
WRITERS = {"hdf5": write_hdf5, "zarr": write_zarr, "table": write_table, "lmdb": write_lmdb}
formats = pytest.mark.parametrize("name", WRITERS)


@pytest.fixture
def path(tmp_path, name):
    WRITERS[name](tmp_path / "renamed.dat", ARRAYS)
    return tmp_path / "renamed.dat"


@formats
def test_stores_are_known_by_content_and_read_by_split(path, name):
    assert format_of(path) == name
    assert has_split(path, "test")
    assert not has_split(path, "val")
    for split, rows in {"train": slice(8), "test": slice(8, 12), "all": slice(12)}.items():
        assert np.array_equal(load_data(path, split)[0], IMAGES[rows])


@pytest.mark.parametrize("name", ["hdf5", "zarr"])
def test_an_array_inside_is_one_set(path, name):
    inside = f"{path}::/set/test/inverted"
    assert np.array_equal(load_data(inside)[0], 255 - IMAGES[8:])
    assert not has_split(inside, "test")
    with pytest.raises(DataError, match="no test split, it is one set"):
        load_data(inside, "test")
    assert has_split(f"{path}::set", "test")
    assert np.array_equal(load_data(f"{path}::set/test")[0], IMAGES[8:])
    with pytest.raises(DataError, match="no array called 'set/tst'"):
        load_data(f"{path}::set/tst")


@pytest.mark.parametrize("name", ["table"])
def test_a_column_inside_has_the_splits_of_its_table(path, name):
    assert has_split(f"{path}::inverted", "test")
    assert np.array_equal(load_data(f"{path}::inverted", "test")[0], 255 - IMAGES[8:])
    with pytest.raises(BuildError, match="array: got 'images'"):
        load_data(f"{path}::inverted", array="images")


def test_a_file_whose_name_has_colons_is_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("a::b.npy", IMAGES)
    assert np.array_equal(load_data("a::b.npy")[0], IMAGES)
    with pytest.raises(DataError, match=r"there is no file or folder missing\.h5"):
        read_data("missing.h5::/x")


@pytest.mark.parametrize("kind", ["hdf5", "zarr"])
@pytest.mark.parametrize("split", ["all", "test"])
def test_shares_of_a_store_are_those_of_the_set(tmp_path, kind, split):
    values = np.random.default_rng(0).integers(0, 256, (20, 4, 3), np.uint8)
    arrays = {
        "x_train": values[:13],
        "y_train": np.arange(13),
        "x_test": values[13:],
        "y_test": np.arange(7),
    }
    if kind == "hdf5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "a", "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array, chunks=True, compression="gzip")
    else:
        pytest.importorskip("zarr").save_group(str(tmp_path / "a"), **arrays)
    every = read_data(tmp_path / "a", split)
    shares = [read_data(tmp_path / "a", split, share=Share(place, 3)) for place in (1, 2, 3)]
    np.testing.assert_array_equal(np.concatenate([one.images for one in shares]), every.images)
    np.testing.assert_array_equal(np.concatenate([one.labels for one in shares]), every.labels)
    assert [one.span for one in shares] == [Share(place, 3).take(every).span for place in (1, 2, 3)]
