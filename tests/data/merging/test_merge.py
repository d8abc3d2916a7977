"""Parts are joined if they are complete, all there, and of one job; else all that is wrong is
reported.
"""

import json
import shutil
import tracemalloc
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from narrows.data.code_files import write_codes
from narrows.data.merging.joins import JOINS
from narrows.data.merging.manifest import (
    Manifest,
    manifest_path,
    model_digest,
    read_manifest,
    write_manifest,
)
from narrows.data.merging.merge import merge
from narrows.data.share import Share, part_path
from narrows.errors import DataError, OutputError
from narrows.files import write_csv

CODES = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
NAMES = [f"{'long' * k}.png" for k in range(10)]
FACTS = {"work": "encode", "model": "m", "total": 10, "inputs": "i"}


def make(path: Path, place: int, of: int = 4, **facts) -> Path:
    """A part of ten codes, and its manifest."""
    span = Share(place, of).span(10, "i")
    part = part_path(path, Share(place, of))
    write_codes(CODES[span.rows], part, NAMES[span.rows], np.arange(10)[span.rows], force=True)
    rows = span.stop - span.first
    facts = {
        **FACTS,
        "shard": place,
        "of": of,
        "first": span.first,
        "stop": span.stop,
        "rows": rows,
        **facts,
    }
    write_manifest(part, Manifest(**facts))
    return part


@pytest.fixture
def parts(tmp_path) -> list[Path]:
    """Four parts of codes.npz."""
    return [make(tmp_path / "codes.npz", place) for place in range(1, 5)]


def test_codes_names_and_labels_are_to_the_byte_those_of_one_file(tmp_path, parts):
    whole = write_codes(CODES, tmp_path / "whole.npz", NAMES, np.arange(10))
    assert merge(tmp_path / "codes.npz") == (10, [])
    assert (tmp_path / "codes.npz").read_bytes() == whole.read_bytes()
    assert all(part.exists() and manifest_path(part).exists() for part in parts)


def test_parts_may_be_named_in_any_order_and_be_anywhere(tmp_path, parts):
    merge(tmp_path / "codes.npz")
    for k, part in enumerate(parts):
        for file in (manifest_path(part), part):
            file.rename(_made(tmp_path / str(k) / file.name.replace(part.stem, "renamed")))
    merge(tmp_path / "again.npz", [tmp_path / str(k) / "renamed.npz" for k in (2, 0, 3, 1)])
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "codes.npz").read_bytes()


@pytest.mark.parametrize("ending", [".npz", ".npy"])
def test_a_single_part_of_codes_alone_is_the_output_also_over_an_earlier_one(tmp_path, ending):
    output = tmp_path / f"codes{ending}"
    part = make(output, 1, 1)
    whole = write_codes(CODES, part, force=True).read_bytes()
    output.write_bytes(b"earlier")
    with pytest.raises(OutputError, match="exists already"):
        merge(output)
    assert output.read_bytes() == b"earlier"
    assert merge(output, force=True) == (10, [])
    assert output.read_bytes() == whole


def test_a_model_is_identified_by_16_digits_of_its_file_also_in_a_run_folder(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    assert model_digest(file) == sha256(b"weights").hexdigest()[:16]
    assert model_digest(tmp_path) == model_digest(file)


def _made(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    return path


def test_parts_are_removed_on_request(tmp_path, parts):
    merge(tmp_path / "codes.npz", remove=True)
    assert [path.name for path in tmp_path.iterdir()] == ["codes.npz"]


def test_skipped_files_are_reported_in_order(tmp_path):
    for place in (2, 1):
        make(tmp_path / "codes.npz", place, 2, skipped=[(f"{place}.png", "why")])
    assert merge(tmp_path / "codes.npz")[1] == [("1.png", "why"), ("2.png", "why")]


def missing(parts):
    for part in (parts[1], parts[3]):
        part.unlink()
        manifest_path(part).unlink()


def cut(parts):
    parts[2].write_bytes(parts[2].read_bytes()[:100])


def short(parts):
    write_codes(CODES[:1], parts[2], NAMES[:1], np.arange(1), force=True)


def doubled(parts):
    for of in (parts[1], manifest_path(parts[1])):
        shutil.copy(of, of.with_name(of.name.replace("2-of", "02-of")))


def changed(field, value):
    return lambda parts: make(parts[0].with_name("codes.npz"), 3, **{field: value})


FAULTS = [
    (missing, "shares 2, 4 of 4 are missing; run with --shard 2/4"),
    (
        lambda parts: manifest_path(parts[2]).unlink(),
        "has no manifest .*part.json: it was not written to its end; run that sh",
    ),
    (lambda parts: manifest_path(parts[2]).write_text("{}"), "the manifest .* cannot be read"),
    (
        lambda parts: parts[2].unlink(),
        r"there is no .*codes-3-of-4\.npz, only its manifest; run that share again",
    ),
    (cut, r"codes-3-of-4\.npz cannot be read"),
    (short, r"codes-3-of-4\.npz holds 1 results, and its manifest says 2; remove it and run"),
    (doubled, r"share 2 of 4 is there 2 times: codes-02-of-4\.npz, codes-2-of-4\.npz"),
    (
        changed("model", "n"),
        r"codes-3-of-4\.npz has another model than codes-1-of-4\.npz \(n against m\)",
    ),
    (changed("inputs", "j"), r"another list of inputs than codes-1-of-4\.npz"),
    (changed("total", 11), r"another number of inputs than codes-1-of-4\.npz \(11 against 10\)"),
    (
        changed("work", "encode grey=True"),
        r"another verb or options than .* \(encode grey=True against encode\)",
    ),
    (
        changed("form", "(2, 2, 3)"),
        "another form of its images than .* read all of them with --grey, or with one",
    ),
    (changed("format", 2), "has format 2, and this version reads 1"),
    (
        lambda parts: make(parts[0].with_name("codes.npz"), 1, 2),
        r"codes-1-of-2\.npz has another number of shares",
    ),
]


@pytest.mark.parametrize(("spoil", "said"), FAULTS, ids=[said for _, said in FAULTS])
def test_a_fault_is_reported_and_nothing_is_written(tmp_path, parts, spoil, said):
    spoil(parts)
    with pytest.raises(DataError, match=said):
        merge(tmp_path / "codes.npz")
    assert not (tmp_path / "codes.npz").exists()


def test_all_faults_are_reported_at_once_and_each_once(tmp_path, parts):
    changed("model", "n")(parts)
    manifest_path(parts[1]).unlink()
    parts[3].unlink()
    manifest_path(parts[3]).unlink()
    (tmp_path / "codes.npz").write_bytes(b"mine")
    with pytest.raises(DataError, match="for 4 reasons") as found:
        merge(tmp_path / "codes.npz")
    for said in (
        "exists already",
        "another model",
        "2-of-4.npz has no manifest",
        "share 4 of 4 is missing",
    ):
        assert str(found.value).count(said) == 1
    assert (tmp_path / "codes.npz").read_bytes() == b"mine"


def test_a_part_named_twice_is_refused(tmp_path, parts):
    with pytest.raises(DataError, match=r"codes-1-of-4\.npz is given 2 times"):
        merge(tmp_path / "codes.npz", [*parts, parts[0]])


def test_two_parts_of_one_share_are_refused(tmp_path, parts):
    copy = tmp_path / "copy.npz"
    copy.write_bytes(parts[0].read_bytes())
    write_manifest(copy, read_manifest(parts[0]))
    with pytest.raises(
        DataError, match=r"share 1 of 4 is there 2 times: codes-1-of-4\.npz, copy\.npz$"
    ):
        merge(tmp_path / "codes.npz", [*parts, copy])


def test_what_has_no_parts_or_cannot_be_joined_is_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"with --shard 2/4, a verb that writes it writes x-2-of-4\.npz"
    ):
        merge(tmp_path / "x.npz")
    with pytest.raises(
        OutputError,
        match=r"not written as \.png; use \.csv, \.npy, \.npz, \.parquet, (\.nrw, )?or end the name",
    ):
        merge(tmp_path / "x.png")


def test_parts_without_any_result_are_refused(tmp_path):
    for place in (1, 2):
        part = part_path(tmp_path / "x.csv", Share(place, 2))
        write_csv(part, ("file", "score"), [])
        write_manifest(part, Manifest(**FACTS, shard=place, of=2, first=0, stop=0, rows=0))
    with pytest.raises(DataError, match="none of the 10 inputs could be used"):
        merge(tmp_path / "x.csv")


def test_an_output_is_replaced_if_so_wished(tmp_path, parts):
    (tmp_path / "codes.npz").write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        merge(tmp_path / "codes.npz")
    assert merge(tmp_path / "codes.npz", force=True)[0] == 10


def test_arrays_of_different_forms_make_none(tmp_path):
    parts = [tmp_path / f"{k}.npy" for k in (1, 2)]
    for k, part in enumerate(parts):
        np.save(part, np.zeros((2, 3 + k)))
    with pytest.raises(
        DataError, match=r"shape \(3,\), .*2\.npy of shape \(4,\): they make no array"
    ):
        JOINS[".npy"].join(parts, tmp_path / "x.npy")


def test_columns_are_those_of_all_parts_and_words_are_kept(tmp_path):
    words = 'a "quoted", name\nof two lines é'
    parts = [tmp_path / "1.csv", tmp_path / "2.csv"]
    write_csv(parts[0], ("file", "class", "score"), [(words, "a", 0.1), ("b", "", 1e-30)])
    write_csv(parts[1], ("file", "score"), [("c", np.float32(0.1).item())])
    assert [JOINS[".csv"].count_results(part) for part in parts] == [2, 1]
    JOINS[".csv"].join(parts, tmp_path / "x.csv")
    whole = write_csv(
        tmp_path / "whole.csv",
        ("file", "score"),
        [(words, 0.1), ("b", 1e-30), ("c", np.float32(0.1).item())],
    )
    assert (tmp_path / "x.csv").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("links", [True, False])
def test_files_are_linked_or_else_copied_and_replace_what_is_there(tmp_path, monkeypatch, links):
    for name, content in (("in/a/x.png", b"new"), ("out/a/x.png", b"old")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(content)
    if not links:
        monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError("no links")))
    JOINS[""].join([tmp_path / "in"], tmp_path / "out")
    assert (tmp_path / "out/a/x.png").read_bytes() == b"new"
    assert (tmp_path / "out/a/x.png").samefile(tmp_path / "in/a/x.png") == links


def test_what_is_left_of_a_file_that_was_being_written_is_no_result(tmp_path):
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "x.png").write_bytes(b"x")
    (tmp_path / "in" / "a" / ".x-1234.png").write_bytes(b"half")
    assert JOINS[""].count_results(tmp_path / "in") == 1
    JOINS[""].join([tmp_path / "in"], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "a").iterdir()] == ["x.png"]


def test_a_mark_comes_back(tmp_path):
    mark = Manifest(
        **FACTS, shard=2, of=4, first=1, stop=5, rows=3, form="f", skipped=[("é.png", "why")]
    )
    write_manifest(tmp_path / "x.npz", mark)
    assert read_manifest(tmp_path / "x.npz") == mark


def fault(path: Path, parts: list[Path] | None = None) -> str:
    with pytest.raises(DataError) as caught:
        merge(path, parts)
    return str(caught.value)


def test_any_missing_share_is_named(tmp_path, parts):
    for place, part in enumerate(parts, start=1):
        others = [other for other in parts if other != part]
        assert fault(tmp_path / "codes.npz", others).endswith(
            f"share {place} of 4 is missing; run with --shard {place}/4"
        )


def test_ten_missing_shares_are_named_and_the_others_counted(tmp_path):
    make(tmp_path / "codes.npz", 13, of=13)
    assert "shares 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more of 13 are missing" in fault(
        tmp_path / "codes.npz"
    )


def test_a_share_of_another_number_of_shares_does_not_count_as_present(tmp_path, parts):
    other = make(tmp_path / "codes.npz", 4, of=5)
    assert "share 4 of 4 is missing" in fault(tmp_path / "codes.npz", [*parts[:3], other])
    other.write_bytes(b"broken")
    assert "share 4 of 4 is missing" in fault(tmp_path / "codes.npz", [*parts[:3], other])


def test_a_faulty_part_is_not_reported_as_missing_too(tmp_path, parts):
    parts[3].write_bytes(b"broken")
    assert "is missing" not in fault(tmp_path / "codes.npz")


def test_parts_that_are_all_faulty_are_reported(tmp_path, parts):
    for part in parts:
        manifest_path(part).unlink()
    assert "for 4 reasons" in fault(tmp_path / "codes.npz")


def test_folders_are_joined_with_their_folders_and_removed_on_request(tmp_path):
    for place in (1, 2):
        part = tmp_path / f"out-{place}-of-2"
        write_csv(part / "a" / "deep" / f"{place}.csv", ["x"], [[place]])
        write_manifest(part, Manifest(**FACTS, shard=place, of=2, first=0, stop=1, rows=1))
    assert merge(tmp_path / "out", remove=True) == (2, [])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "out" / "a" / "deep").iterdir()) == [
        "1.csv",
        "2.csv",
    ]


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_npy_rows_are_counted_and_joined_in_their_order(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr("narrows.data.merging.joins.ROWS_AT_ONCE", at_once)
    parts = [tmp_path / f"{k}.npy" for k in range(3)]
    for part, rows in zip(parts, np.split(CODES, [3, 4])):
        np.save(part, rows)
    assert [JOINS[".npy"].count_results(part) for part in parts] == [3, 1, 6]
    JOINS[".npy"].join(parts, tmp_path / "joint.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "joint.npy"), CODES)


def test_a_manifest_of_a_thousand_million_shares_is_refused_without_counting_them(tmp_path):
    path = manifest_path(make(tmp_path / "codes.npz", 1))
    path.write_text(json.dumps({**json.loads(path.read_text()), "of": 10**9 - 1}))
    tracemalloc.start()
    with pytest.raises(
        DataError, match=r"shares 2, 3, .* 11 and 999,999,988 more of 999999999 are"
    ):
        merge(tmp_path / "codes.npz")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"shard": 5}, "share 5 of 4 has 2 of 10 inputs"),
        ({"first": 3}, "share 1 of 4 has -1 of 10 inputs"),
        ({"total": 1}, "share 1 of 4 has 2 of 1 inputs"),
        ({"rows": 3}, "it has 3 results of 2 inputs"),
        ({"rows": -1}, "Expected `int` >= 0"),
        ({"of": 10**9}, "Expected `int` <= 999999999"),
    ],
)
def test_a_manifest_whose_numbers_contradict_one_another_is_refused(tmp_path, facts, words):
    part = make(tmp_path / "codes.npz", 1)
    path = manifest_path(part)
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    with pytest.raises(DataError, match=f"the manifest {path} cannot be read: .*{words}"):
        read_manifest(part)
