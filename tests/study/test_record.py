"""What is kept of a study comes back as it was."""

import json

import numpy as np
import pytest

from narrows.errors import DataError
from narrows.study.record import Figure, Record, read_record

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "labels": np.array([1, 2]),
    "empty": np.zeros((0, 2)),
}
RECORD = Record(
    title="π & <b>",
    question="?",
    text=["one"],
    facts={"seed": "0", "seconds": 1.5},
    tables=[{"title": "t", "caption": "", "rows": [{"": "psnr", "x": None, "y": 1 / 3}]}],
    models=[{"name": "m", "options": {"body": {"kind": "mlp", "widths": [3]}}}],
    figures=[Figure("f", "curves", "F", {"log": True, "of": ["a"]}, ARRAYS, "section", "caption")],
)


@pytest.fixture
def saved(tmp_path):
    RECORD.save(tmp_path)
    return tmp_path


def test_a_record_comes_back_as_it_was(saved):
    again = read_record(saved)
    assert again._plain() == RECORD._plain()
    assert again.figures[0].arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert again.figures[0].arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(again.figures[0].arrays[name], array)


def test_the_record_of_a_study_comes_back_as_it_was(several):
    again = read_record(several.folder)
    assert again.tables == json.loads(json.dumps(several.record.tables))
    assert again.facts == several.record.facts
    assert [f.name for f in again.figures] == [f.name for f in several.record.figures]
    for ours, theirs in zip(again.figures, several.record.figures):
        assert {k: v.tolist() for k, v in ours.arrays.items()} == {
            k: v.tolist() for k, v in theirs.arrays.items()
        }


def test_saving_leaves_the_record_as_it_is(saved):
    assert RECORD.figures[0].arrays is ARRAYS
    assert read_record(saved).figures[0].options == {"log": True, "of": ["a"]}


def spoilt_text(text):
    return lambda folder: (folder / "run.json").write_bytes(text)


def spoilt_arrays(change):
    def spoil(folder):
        path = folder / "figures" / "f.npz"
        path.write_bytes(change(path.read_bytes()))

    return spoil


BROKEN = {
    "no-text": (lambda folder: (folder / "run.json").unlink(), "holds no run.json"),
    "cut": (spoilt_text(b"{"), "run.json is no complete record"),
    "a-list": (spoilt_text(b"[]"), "run.json is no complete record"),
    "a-word": (spoilt_text(b'"word"'), "run.json is no complete record"),
    "bytes": (spoilt_text(b"\xff\xfe"), "run.json is no complete record"),
    "empty": (spoilt_text(b"{}"), "run.json is no complete record"),
    "no-title": (spoilt_text(b'{"format": 1, "figures": []}'), "run.json is no complete record"),
    "no-figure": (
        spoilt_text(b'{"format": 1, "title": "t", "figures": [{}]}'),
        "run.json is no complete record",
    ),
    "format": (spoilt_text(b'{"format": 99}'), "another version"),
    "no-arrays": (
        lambda folder: (folder / "figures" / "f.npz").unlink(),
        "f.npz, .* is missing or broken",
    ),
    "no-archive": (
        spoilt_arrays(lambda blob: b"PK\x03\x04 no archive"),
        "f.npz, .* is missing or broken",
    ),
    "a-pickle": (spoilt_arrays(lambda blob: b"nothing at all"), "f.npz, .* is missing or broken"),
    "arrays-cut": (spoilt_arrays(lambda blob: blob[:200]), "f.npz, .* is missing or broken"),
    "arrays-changed": (
        spoilt_arrays(lambda blob: blob[:60] + b"\xff" * 60 + blob[120:]),
        "f.npz, .* is missing or broken",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_missing_or_broken_is_refused_with_its_name(saved, name):
    spoil, said = BROKEN[name]
    spoil(saved)
    with pytest.raises(DataError, match=said) as caught:
        read_record(saved)
    assert str(saved) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_figures_that_a_new_record_has_not_are_removed_and_nothing_else(tmp_path):
    def record(*names: str) -> Record:
        return Record(
            "t", figures=[Figure(name, "curves", "", {}, {"a": np.ones(2)}) for name in names]
        )

    record("one", "two").save(tmp_path)
    (tmp_path / "figures" / "one.png").write_bytes(b"")
    (tmp_path / "figures" / "mine.png").write_bytes(b"")
    record("two", "three").save(tmp_path)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "two.npz",
        "three.npz",
        "mine.png",
    }
    assert [figure.name for figure in read_record(tmp_path).figures] == ["two", "three"]
