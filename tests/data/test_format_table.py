"""The table of formats in docs/images.md: each cell is true of examples of the format.

read                    every form is recognised and read, and every kind of picture
depth kept              values and type come back to the bit
labels, splits          are there, under each name that the cell has; an empty cell: there are none
larger than memory      where the values of a large set are: read from /proc/self/maps
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from format_examples import EXAMPLES, MAPPED, MEMORY, TEMPORARY, Example
from format_writers import BY_NAME, with_name_of_labels
from narrows.data import FORMATS, has_split, read_data
from narrows.data.readers.formats import format_of
from narrows.errors import DataError
from pages import DOCS, table_rows
from picture_kinds import KINDS

READ, DEPTH, LABELS, SPLITS, LARGER = range(5)
TABLE = table_rows("## Formats", DOCS / "images.md")
COUNT = 5
CLASSES = np.array([0, 0, 1, 1, 2])
SPLIT = {"train": slice(0, 3), "test": slice(3, 5)}
# the words of the last column; what is gzipped is unpacked into memory
PLACES = {"mapped": MAPPED, "temporary file": TEMPORARY, "not gzipped": MEMORY}
NAMES_OF_LABELS = [
    (form, name)
    for form in (*BY_NAME, "tfrecord")
    for name in re.findall(r"`([a-z_/]+)`", TABLE[form][LABELS])
]
examples = pytest.mark.parametrize("example", EXAMPLES.values(), ids=list(EXAMPLES))
formats = pytest.mark.parametrize("name", TABLE)


def drawn(example: Example, dtype: str = "u1") -> np.ndarray:
    """Images that need all bits of their type."""
    shape = (COUNT, *example.sides)
    random = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return random.random(shape).astype(dtype)
    return np.frombuffer(random.bytes(int(np.prod(shape)) * int(dtype[1])), dtype).reshape(shape)


def kinds_in_the_table() -> list[str]:
    return re.split("[,;] ", TABLE["picture"][READ].removesuffix(" (extras)"))


def of_format(name: str) -> list[Example]:
    return [example for example in EXAMPLES.values() if example.format == name]


def test_the_table_has_every_format_and_each_has_an_example():
    assert set(TABLE) == {example.format for example in EXAMPLES.values()}
    assert set(TABLE) == {name for name, form in FORMATS.items() if isinstance(form.reader, str)}


# -- read, depth kept ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("example", "dtype"),
    [
        pytest.param(example, dtype, id=f"{name}-{dtype}")
        for name, example in EXAMPLES.items()
        for dtype in example.depths
    ],
)
def test_every_depth_comes_back_to_the_bit(example, dtype, tmp_path):
    images = drawn(example, dtype)
    path = example.write(tmp_path, {"all": (images, CLASSES)})
    assert format_of(path) == example.format
    found = read_data(path)
    assert found.images.dtype == dtype
    assert np.array_equal(found.images, images)


@formats
def test_a_format_is_of_8_bits_only_if_the_table_says_so(name):
    depths = {depth for example in of_format(name) for depth in example.depths}
    assert (depths == {"u1"}) == (TABLE[name][DEPTH] == "8 bits")


def test_the_table_has_every_kind_of_picture():
    assert set(kinds_in_the_table()) == set(KINDS)


@pytest.mark.parametrize("kind", kinds_in_the_table())
def test_every_kind_of_picture_in_the_table_is_read(kind, tmp_path):
    image = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 8
    path = tmp_path / "picture.dat"
    path.write_bytes(KINDS[kind](image))
    assert format_of(path) == "picture"
    found = read_data(path, grey=True).images
    assert found.shape == (1, 16, 16)
    scale = 255 if found.dtype.kind == "f" else 1
    assert np.abs(found[0].astype(float) * scale - image).max() < 20  # some lose a little


# -- labels, splits --------------------------------------------------------------------------------


@examples
def test_labels_are_read(example, tmp_path):
    path = example.write(tmp_path, {"all": (drawn(example), CLASSES)})
    labels = read_data(path).labels
    assert (None if labels is None else labels.tolist()) == (
        CLASSES.tolist() if example.labels else None
    )


@pytest.mark.parametrize(("form", "name"), NAMES_OF_LABELS)
def test_labels_are_read_under_each_name_in_the_table(form, name, tmp_path):
    images = drawn(EXAMPLES[form])
    found = read_data(with_name_of_labels(tmp_path, form, images, CLASSES, name), "all")
    assert found.labels is not None
    assert found.labels.tolist() == CLASSES.tolist()


@examples
def test_splits_are_read(example, tmp_path):
    images = drawn(example)
    parts = {split: (images[rows], CLASSES[rows]) for split, rows in SPLIT.items()}
    path = example.write(tmp_path, parts if example.splits else {"all": (images, CLASSES)})
    assert has_split(path, "test") == has_split(path, "train") == example.splits
    if not example.splits:
        with pytest.raises(DataError, match="test"):
            read_data(path, "test")
        return
    for split, rows in SPLIT.items():
        found = read_data(path, split)
        assert np.array_equal(found.images, images[rows])
        assert found.labels is not None  # numbers or places in the classes: one for each
        assert len({*zip(found.labels, CLASSES[rows], strict=True)}) == len({*CLASSES[rows]})


@formats
def test_a_cell_is_empty_if_the_format_has_no_labels_or_splits(name):
    has_labels = any(example.labels for example in of_format(name))
    has_splits = any(example.splits for example in of_format(name))
    assert (TABLE[name][LABELS] != "", TABLE[name][SPLITS] != "") == (has_labels, has_splits)


# -- larger than memory ----------------------------------------------------------------------------


def place_of(array: np.ndarray, path: Path) -> str:
    """Where the values of an array are, by the map of this process that has its first byte."""
    address = array.__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, *_, file = line.split(maxsplit=5) if len(line.split()) > 5 else [*line.split(), ""]
        first, stop = (int(end, 16) for end in span.split("-"))
        if first <= address < stop:
            is_map = file.startswith(str(path if path.is_file() else f"{path}/"))
            return MAPPED if is_map else TEMPORARY if file.endswith("(deleted)") else MEMORY
    raise AssertionError("the array is nowhere")


@pytest.fixture
def large(monkeypatch):
    """Every set counts as larger than what is kept in memory."""
    for module in ("scratch", "readers.reading", "readers.npy_stream"):
        monkeypatch.setattr(f"narrows.data.{module}.MOST_IN_MEMORY", 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/maps")
@examples
def test_a_large_set_is_mapped_or_in_a_temporary_file(example, tmp_path, large):
    images = drawn(example, example.depths[0])
    path = example.write(tmp_path, {"all": (images, CLASSES)})
    found = read_data(path).images
    assert np.array_equal(found, images)
    assert place_of(found, path) == example.place


@formats
def test_the_table_says_where_a_large_set_is(name):
    cell = TABLE[name][LARGER]
    if cell == "yes, as `idx`":
        cell = TABLE["idx"][LARGER]
    said = {place for words, place in PLACES.items() if words in cell} or {MEMORY}
    if cell != "no need":
        assert {example.place for example in of_format(name)} == said
