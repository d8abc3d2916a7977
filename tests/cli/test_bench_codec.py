"""The verb that compares codecs."""

import json

import pytest

from narrows.bench import codec as module
from narrows.bench.codec import Plan, read_rows, write_rows
from narrows.bench.codec_ways import LOSSY_WAYS, WAYS

ROW = {"kind": "lossless", "set": "mnist", "limit": None, "way": "png", "call": "save()", "images": 10,
       "values": 80, "bytes": 20, "model bytes": 0, "exact": True, "encode": [1.0], "decode": [2.0],
       "encode memory": 9.0, "decode memory": 9.0, "encode memory before": 8.0,
       "decode memory before": 8.0}  # fmt: skip
LEFT_OUT = {
    "kind": "lossless",
    "set": "mnist",
    "limit": None,
    "way": "avif",
    "why": "not installed",
}


@pytest.fixture
def asked(monkeypatch):
    """The plans that are measured; nothing is."""
    plans = []

    def measure(plan, say, keep):
        plans.append(plan)
        keep([ROW, LEFT_OUT])
        return [ROW, LEFT_OUT]

    monkeypatch.setattr(module, "measure", measure)
    return plans


def test_by_default_all_ways_are_compared_on_all_sets(narrows, asked):
    found = narrows("bench", "codec")
    assert found.code == 0
    assert "2.0000" in found.out
    assert "mnist, avif is left out: not installed" in found.err
    (plan,) = asked
    assert plan.sets == ("mnist", "fashion-mnist", "photos")
    assert set(plan.ways) == {*WAYS, *LOSSY_WAYS}
    assert (plan.kinds, plan.rounds, plan.images, plan.threads) == (
        ("lossless", "lossy"),
        3,
        None,
        1,
    )


def test_sets_ways_kinds_and_numbers_are_chosen(narrows, asked):
    words = "photos --ways png webp --kinds lossy --rounds 2 --images 50 --threads 2 --json"
    found = narrows("bench", "codec", *words.split())
    assert json.loads(found.out) == [ROW, LEFT_OUT]
    (plan,) = asked
    expected = Plan(("photos",), ["png", "webp"], ["lossy"], 2, 50, 2, plan.folder)
    assert plan == expected


def test_a_folder_keeps_rows_and_models_and_force_trains_again(narrows, asked, tmp_path):
    folder = tmp_path / "sizes"
    other = ROW | {"way": "bz2"}
    folder.mkdir()
    write_rows(folder, [other])
    found = narrows("bench", "codec", "mnist", "-o", folder, "--json")
    assert json.loads(found.out) == read_rows(folder) == [other, ROW, LEFT_OUT]
    assert (folder / "page.md").read_text().count("| mnist |") == 2
    assert narrows("bench", "codec", "mnist", "-o", folder, "--force").code == 0
    assert [(plan.folder, plan.again) for plan in asked] == [(folder, False), (folder, True)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mnits",), "did you mean 'mnist'"),
        (("--ways", "brotly"), "did you mean 'brotli'"),
        (("--kinds", "lossles"), "did you mean 'lossless'"),
        (("--rounds", "0"), "rounds: got 0"),
        (("--threads", "0"), "threads: got 0"),
        (("--images", "3"), "images: got 3"),
    ],
)
def test_what_cannot_be_compared_is_refused(narrows, asked, words, said):
    found = narrows("bench", "codec", *words)
    assert found.code == 2
    assert said in found.err
    assert not asked


def test_a_folder_of_something_else_or_of_other_images_is_not_written_to(narrows, asked, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    assert "exists already" in narrows("bench", "codec", "-o", tmp_path).err
    write_rows(tmp_path, [ROW])
    assert (
        "choose another folder" in narrows("bench", "codec", "-o", tmp_path, "--images", "30").err
    )
    assert not asked
    assert read_rows(tmp_path) == [ROW]
