"""Same seed, same images, same threads: the same bytes, but for wall times."""

import csv
import json
from shutil import copytree

import pytest

from narrows.study.run import run_study
from narrows.study.schema import Study

# files that hold wall times
TIMES = ("history.csv", "times.json", "last.safetensors", "run.json", "report.html")


@pytest.fixture(scope="module")
def twice(several, tmp_path_factory):
    """The folder of a study, and that of the same study run once more."""
    again = tmp_path_factory.mktemp("again")
    run_study(several.study, again)
    return several.folder, again


def timeless_csv(path) -> list[list[str]]:
    """The cells of a CSV but those of columns of seconds."""
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    kept = [k for k, name in enumerate(rows[0]) if "seconds" not in name]
    assert len(kept) < len(rows[0])
    return [[row[k] for k in kept] for row in rows]


def timeless_record(folder) -> dict:
    plain = json.loads((folder / "run.json").read_text())
    for name in ("seconds", "seconds of training"):
        del plain["facts"][name]
    for model in plain["models"]:
        del model["training seconds"]
    for told in (plain["origin"], plain["facts"]):
        told.pop("git", None)  # of this work tree, in which somebody may be at work
    return plain


def test_files_without_times_are_the_same_to_the_byte(twice, files):
    one, two = twice
    assert files(one) == files(two)
    compared = [name for name in sorted(files(one)) if name.split("/")[-1] not in TIMES]
    kinds = {name.rpartition(".")[2] for name in compared}
    assert kinds == {"safetensors", "csv", "npz", "png"}
    assert [
        name for name in compared if (one / name).read_bytes() != (two / name).read_bytes()
    ] == []


def test_files_with_times_are_the_same_but_for_these(twice):
    one, two = twice
    for name in ("denoiser", "plane"):
        paths = [folder / "runs" / name / "history.csv" for folder in (one, two)]
        assert timeless_csv(paths[0]) == timeless_csv(paths[1])
    assert timeless_record(one) == timeless_record(two)


def test_taking_runs_up_again_leaves_their_bytes(several, tmp_path, files):
    folder = tmp_path / "again"
    copytree(several.folder, folder)
    run_study(several.study, folder, reuse=True)
    kept = [name for name in files(folder) if name.startswith("runs/")]
    assert len(kept) > len(several.study.runs)
    assert all(
        (folder / name).read_bytes() == (several.folder / name).read_bytes() for name in kept
    )
    assert timeless_record(folder) == timeless_record(several.folder)


def test_another_seed_gives_other_bytes(several, tmp_path, twice):
    run = next(run for run in several.study.runs if run.name == "plane")
    run_study(
        Study("t", [run], "digits", figures=several.study.figures[:1]),
        tmp_path,
        changes={"random_state": 1},
    )
    for name in ("model.safetensors", "steps.csv"):
        assert (tmp_path / name).read_bytes() != (twice[1] / "runs" / "plane" / name).read_bytes()
