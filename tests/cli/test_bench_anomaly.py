"""The verb that compares anomaly scores."""

import json

import pytest

from narrows.bench.anomaly import COLUMNS, read_results, write_results

RUN = ("bench", "anomaly", "--groups", "digits", "--rows", "pca", "deviation", "--images", "30")
ROW = {name: read("1") for name, read in COLUMNS.items()}


def test_the_verb_prints_tables_and_keeps_results(narrows, tmp_path):
    words = (*RUN, "--test-images", "60", "--seeds", "0", "-o", tmp_path / "found")
    found = narrows(*words)
    assert found.code == 0
    assert "digits 9" in found.out
    assert found.err.count("seed 0") == 20
    assert (tmp_path / "found" / "page.md").read_text().count("| digits 9 |") == 1
    again = narrows(*words, "--json")
    assert "seed 0" not in again.err
    assert len(json.loads(again.out)) == 20
    without_pca = [word for word in words if word != "pca"]
    replaced = narrows(*without_pca, "--force")
    assert replaced.err.count("deviation") == replaced.err.count("seed 0") == 10
    assert len(read_results(tmp_path / "found")) == 20


def test_results_of_other_numbers_of_images_are_not_mixed(narrows, tmp_path):
    write_results(tmp_path, [ROW])
    found = narrows(*RUN, "-o", tmp_path)
    assert found.code == 2
    assert "choose another folder" in found.err
    assert read_results(tmp_path) == [ROW]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--groups", "digit"), "did you mean 'digits'"),
        (("--rows", "pyod"), "known: anomaly, brightness"),
        (("--seeds", "-1"), "seeds: got"),
        (("--images", "3"), "images: got 3"),
        (("--test-images", "3"), "test images: got 3"),
    ],
)
def test_what_cannot_be_compared_is_refused(narrows, words, said):
    found = narrows("bench", "anomaly", "--groups", "digits", *words)
    assert found.code == 2
    assert said in found.err


def test_a_folder_of_something_else_is_not_written_to(narrows, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    found = narrows(*RUN, "-o", tmp_path)
    assert found.code == 1
    assert "exists already" in found.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
