"""Parquet, Feather and Arrow: columns of images, labels, shards, splits, rows that hold none."""

import json
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from narrows.data.readers import arrow_images, arrow_tables
from narrows.data.readers.recognise_stores import is_table
from narrows.data.readers.shards import shards_have_split
from narrows.data.share import Share
from narrows.errors import DataError

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
feather = pytest.importorskip("pyarrow.feather")
read_tables: Any = arrow_images.read_tables
IMAGES = np.random.default_rng(0).integers(0, 256, (23, 6, 5), np.uint8)
LABELS = list(np.arange(23) % 3)
CLASSES = ("a", "b", "c")


def png(image: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def structs(images=IMAGES) -> list[dict]:
    return [{"bytes": png(image), "path": None} for image in images]


def hugging_face(table, **features):
    features = {"image": {"_type": "Image"}, **features}
    return table.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )


def write_parquet(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=7)


def write_stream(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=7)


def write_feather(path, table):
    feather.write_feather(table, str(path), compression="zstd", chunksize=7)


WRITERS = {"x.parquet": write_parquet, "x.arrow": write_stream, "x.feather": write_feather}


@pytest.fixture(params=WRITERS)
def write(request, tmp_path):
    """Writes a table in one of the formats, and returns the path."""

    def written(table):
        path = tmp_path / request.param
        WRITERS[request.param](path, table)
        return path

    return written


def test_a_struct_of_bytes_as_hugging_face_writes_it(write):
    table = pa.table({"image": structs(), "label": LABELS})
    found = read_tables(
        write(hugging_face(table, label={"_type": "ClassLabel", "names": list(CLASSES)}))
    )
    assert np.array_equal(found.images, IMAGES)
    assert found.labels.tolist() == LABELS
    assert found.classes == CLASSES
    assert found.names[22].endswith("#22")
    assert not found.notes


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_bytes_and_words_as_labels(write, kind):
    words = [CLASSES[label] for label in LABELS]
    found = read_tables(write(pa.table({"png": pa.array(map(png, IMAGES), kind), "class": words})))
    assert np.array_equal(found.images, IMAGES)
    assert found.labels.tolist() == LABELS
    assert found.classes == CLASSES


LISTS = {
    "flat": (pa.array(list(IMAGES.reshape(23, 30))), (30,)),
    "nested": (pa.array(IMAGES.tolist()), (6, 5)),
    "nested uint8": (pa.array(IMAGES.tolist(), pa.list_(pa.list_(pa.uint8()))), (6, 5)),
    "large": (pa.array(IMAGES.tolist(), pa.large_list(pa.large_list(pa.uint8()))), (6, 5)),
    "fixed": (pa.FixedSizeListArray.from_arrays(pa.array(IMAGES.reshape(-1)), 30), (30,)),
    "tensor": (pa.FixedShapeTensorArray.from_numpy_ndarray(IMAGES), (6, 5)),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_numbers(write, name):
    column, shape = LISTS[name]
    path = write(pa.table({"pixels": column, "label": LABELS}))
    found = read_tables(path)
    assert np.array_equal(found.images, IMAGES.reshape(23, *shape))
    assert found.images.dtype == np.uint8
    assert found.labels.tolist() == LABELS
    assert np.array_equal(read_tables(path, shape=(6, 5)).images, IMAGES)
    with pytest.raises(DataError, match="30 numbers each, which is not shape=\\(6, 6\\)"):
        read_tables(path, shape=(6, 6))


@pytest.mark.parametrize("dtype", ["u2", "i2", "f4", "f8"])
def test_lists_keep_the_type_of_their_numbers(write, dtype):
    values = IMAGES.astype(dtype) * 100 if dtype != "i2" else IMAGES.astype(dtype) * -100
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), 30)
    found = read_tables(write(pa.table({"x": column}))).images
    assert np.array_equal(found.reshape(values.shape), values)
    assert found.dtype == dtype


def test_integers_of_64_bits_take_the_smallest_type_that_holds_all(write, monkeypatch):
    monkeypatch.setattr(arrow_tables, "MOST_ROWS", 4)
    values = IMAGES.astype(np.int64)
    values[20] = 60000
    found = read_tables(write(pa.table({"x": pa.array(values.tolist())}))).images
    assert found.dtype == np.uint16
    assert np.array_equal(found, values)


def test_lists_of_several_sizes_are_refused(write):
    with pytest.raises(DataError, match="several sizes"):
        read_tables(write(pa.table({"x": [[1, 2, 3], [1, 2]]})))


def test_rows_without_an_image_are_skipped_by_name(write):
    rows: list[Any] = structs()
    rows[3] = None
    rows[5] = {"bytes": None, "path": None}
    rows[6] = {"bytes": b"not a picture", "path": None}
    found = read_tables(write(pa.table({"image": rows, "label": LABELS})))
    kept = np.delete(np.arange(23), [3, 5, 6])
    assert np.array_equal(found.images, IMAGES[kept])
    assert found.labels.tolist() == [LABELS[row] for row in kept]
    assert [name.partition("#")[2] for name, _ in found.skipped] == ["3", "5", "6"]
    lists = [None if row == 3 else IMAGES[row].tolist() for row in range(23)]
    found = read_tables(write(pa.table({"x": lists, "label": LABELS})))
    assert np.array_equal(found.images, np.delete(IMAGES, 3, 0))
    assert len(found.labels) == 22
    assert found.skipped[0][0].endswith("#3")


def test_without_bytes_the_path_is_read(write, tmp_path):
    (tmp_path / "pictures").mkdir()
    Image.fromarray(IMAGES[0]).save(tmp_path / "pictures/a.png")
    rows = [{"bytes": None, "path": "pictures/a.png"}, {"bytes": png(IMAGES[1]), "path": "b.png"}]
    assert np.array_equal(read_tables(write(pa.table({"image": rows}))).images, IMAGES[:2])


def test_the_column_is_chosen_by_name(write):
    path = write(pa.table({"left": structs(), "right": structs(IMAGES[::-1])}))
    assert np.array_equal(read_tables(path, array="right").images, IMAGES[::-1])
    with pytest.raises(DataError, match=r"several columns.*left, right.*--array left"):
        read_tables(path)
    with pytest.raises(DataError, match="did you mean 'left'"):
        read_tables(path, array="lef")


def test_labels_that_are_not_one_a_row_are_left_out_with_a_note(write):
    table = pa.table({"image": structs(), "label": [[1, 2]] * 23})
    found = read_tables(write(table))
    assert found.labels is None
    assert "labels label are left out" in found.notes[0]
    table = pa.table({"image": structs(), "label": [-1] * 23})
    table = hugging_face(table, label={"_type": "ClassLabel", "names": list(CLASSES)})
    found = read_tables(write(table))
    assert found.labels is None
    assert "the first is -1" in found.notes[0]


def test_of_two_columns_of_labels_one_is_taken_with_a_note(write):
    table = pa.table({"image": structs(), "coarse_label": LABELS, "fine_label": LABELS[::-1]})
    names = {"_type": "ClassLabel", "names": list(CLASSES)}
    found = read_tables(write(hugging_face(table, coarse_label=names, fine_label=names)))
    assert found.labels.tolist() == LABELS[::-1]
    assert "not coarse_label" in found.notes[0]


LAYOUTS = {
    "repository": ["data/train-0000{}-of-00003.parquet", "data/test-00000-of-00001.parquet"],
    "converted": ["train/000{}.parquet", "test/0000.parquet"],
    "beside": ["train-{}.parquet", "test.parquet"],
    "saved": ["train/data-0000{}-of-00003.arrow", "test/data-00000-of-00001.arrow"],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_of_shards_is_one_set_in_order(tmp_path, layout):
    train, test = LAYOUTS[layout]
    write = write_stream if layout == "saved" else write_parquet
    table = pa.table({"image": structs(), "label": LABELS})
    for shard in range(3):
        write(tmp_path / train.format(shard), table.slice(shard * 5, 5))
    write(tmp_path / test, table.slice(15))
    (tmp_path / "README.md").write_text("A set.")
    assert is_table(tmp_path, b"")
    assert shards_have_split(tmp_path, "test")
    assert not shards_have_split(tmp_path, "val")
    for split, rows in {"train": slice(15), "test": slice(15, 23), "all": slice(None)}.items():
        found = read_tables(tmp_path, split)
        order = found.images if split != "all" else np.concatenate([found.images])
        assert np.array_equal(order, IMAGES[rows])
        assert found.labels.tolist() == LABELS[rows]
        assert len(set(found.names)) == len(found)
    with pytest.raises(DataError, match="no val split, only train and test"):
        read_tables(tmp_path, "val")
    (tmp_path / train.format(1)).unlink()
    assert bool(read_tables(tmp_path).notes) == ("-of-" in train)


def test_numbers_in_names_of_shards_count_as_numbers(tmp_path):
    for shard in range(12):
        write_parquet(
            tmp_path / f"part-{shard}.parquet", pa.table({"image": structs(IMAGES[[shard]])})
        )
    assert np.array_equal(read_tables(tmp_path).images, IMAGES[:12])


def test_a_folder_of_pictures_with_a_table_is_not_a_table(tmp_path):
    write_parquet(tmp_path / "codes.parquet", pa.table({"z": [1.0]}))
    assert is_table(tmp_path, b"")
    Image.fromarray(IMAGES[0]).save(tmp_path / "a.png")
    assert not is_table(tmp_path, b"")


@pytest.mark.parametrize("kind", ["encoded", "lists"])
def test_shares_of_a_table_are_the_complete_set(write, kind, monkeypatch):
    monkeypatch.setattr(arrow_tables, "MOST_ROWS", 3)
    column = structs() if kind == "encoded" else IMAGES.tolist()
    path = write(pa.table({"image": column, "label": LABELS}))
    shares = [read_tables(path, share=Share(place, 4)) for place in (1, 2, 3, 4)]
    assert np.array_equal(np.concatenate([share.images for share in shares]), IMAGES)
    assert np.concatenate([share.labels for share in shares]).tolist() == LABELS
    assert [share.span.first for share in shares] == [0, 5, 11, 17]


def test_a_damaged_table_is_refused_with_its_cause(write):
    path = write(pa.table({"image": structs(), "label": LABELS}))
    intact = path.read_bytes()
    path.write_bytes(intact[: len(intact) // 2])
    with pytest.raises(DataError, match=path.name):
        read_tables(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=path.name):
        read_tables(path)


@pytest.mark.parametrize("column", [structs(), IMAGES.tolist()], ids=["encoded", "lists"])
def test_mutated_tables_raise_nothing_else(write, column):
    path = write(pa.table({"image": column, "label": LABELS}))
    intact = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(intact)
        for place in random.integers(0, len(intact), 3):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        with suppress(DataError):
            read_tables(path)
