"""What a study keeps of where it came from."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import narrows as nw
from narrows.data import read_data as read_data
from narrows.study.provenance import command, git_state, placed
from narrows.study.record import read_record
from narrows.study.schema import Run

RUNS = ("denoiser", "plane", "pca")


@pytest.fixture(scope="module")
def origin(several) -> dict:
    """As `run.json` has it."""
    return json.loads((several.folder / "run.json").read_text())["origin"]


# -- in run.json -----------------------------------------------------------------------------------


def test_it_says_what_it_ran_on(origin):
    assert origin["versions"] == {
        "narrows": nw.__version__,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "numpy": __import__("numpy").__version__,
    }
    assert origin["machine"]["threads"] == torch.get_num_threads()
    assert (origin["machine"]["processes"], origin["machine"]["processors"]) == (1, os.cpu_count())
    assert (origin["command"], origin["data"], origin["measure_scale"]) == (
        "in Python",
        "digits",
        "unit",
    )


def test_it_says_of_each_run_what_it_saw_and_where_it_is(origin, several, files):
    assert tuple(origin["runs"]) == RUNS
    for name, run in origin["runs"].items():
        assert (run["seed"], run["device"], run["folder"]) == (0, "cpu", f"runs/{name}")
        assert set(run["files"]) == files(several.folder / run["folder"]) - {"last.safetensors"}
        for part, count in (("train", 1437), ("test", 360)):
            assert (run[part]["images"], run[part]["fingerprint"]) == (
                count,
                read_data("digits", part).fingerprint,
            )


def test_measures_are_those_of_the_table_in_full(origin, several, table_of):
    rows = table_of(several.record, "Measures")
    for name in RUNS:
        told = {measure: row[name] for measure, row in rows.items() if row[name] is not None}
        assert origin["runs"][name]["measures"] == told


def test_it_comes_back_as_it_was(origin, several):
    assert (
        read_record(several.folder).origin
        == read_record(several.folder, arrays=False).origin
        == several.record.origin
        == origin
    )


def test_a_run_has_its_own_data_and_seed(go, pictures):
    own = {"kind": pictures(20), "size": (4, 4)}
    runs = [
        Run("a", "pca", {"n_components": 2}),
        Run("b", "pca", {"n_components": 2, "random_state": 7}, own),
    ]
    found = go(*runs).origin
    assert "data" not in found["runs"]["a"]
    assert found["runs"]["b"]["data"] == {"kind": own["kind"], "size": [4, 4]}
    assert [found["runs"][name]["seed"] for name in "ab"] == [0, 7]
    assert found["runs"]["b"]["train"]["images"] == 18


def test_the_page_reports_of_it_in_words(several, monkeypatch, tmp_path, go):
    assert several.record.facts["machine"].endswith(f"processors: {os.cpu_count()}")
    state = {"commit": "12ab", "branch": None, "changed": True}
    monkeypatch.setattr("narrows.study.provenance.git_state", lambda: state)
    record = go(Run("p", "pca", {"n_components": 2}))
    assert record.origin["git"] == state
    assert record.facts["git"] == "12ab on no branch, with changes that are not committed"
    assert record.facts["git"] in (tmp_path / "out" / "report.html").read_text()


# -- paths and commands ----------------------------------------------------------------------------


def test_paths_are_whole_and_names_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "digits"):
        Path(name).mkdir()
    whole = str(tmp_path.resolve() / "photos")
    assert placed("photos") == placed(Path("photos")) == whole
    assert placed({"kind": Path("photos"), "size": (2, 3)}) == {"kind": whole, "size": [2, 3]}
    assert (placed("digits"), placed("nowhere")) == ("digits", "nowhere")
    assert placed({"kind": "coloured-mnist", "low": 0.5}) == {"kind": "coloured-mnist", "low": 0.5}


def test_a_function_is_under_its_name(go):
    def mine(split):
        return read_data("digits", split)

    found = go(Run("p", "pca", {"n_components": 2}), data=mine).origin
    assert found["data"].endswith("mine")
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("/usr/bin/narrows", "narrows train 'my set'"),
        ("C:/bin/narrows.exe", "narrows train 'my set'"),
        ("/lib/narrows/__main__.py", "narrows train 'my set'"),
        ("/lib/other/__main__.py", "in Python"),
        ("", "in Python"),
    ],
)
def test_the_command_can_be_given_again(monkeypatch, program, said):
    monkeypatch.setattr(sys, "argv", [program, "train", "my set"])
    assert command() == said


# -- git -------------------------------------------------------------------------------------------


@pytest.fixture
def git(tmp_path, monkeypatch):
    """A function that calls git in an empty folder, which is the working folder; nothing of the
    user's is read.
    """
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> str:
        who = (
            "-c",
            "user.name=n",
            "-c",
            "user.email=n@example.org",
            "-c",
            "init.defaultBranch=main",
        )
        return subprocess.run(
            ["git", *who, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    return call


def test_the_checkpoint_of_the_work_tree_is_reported(git, tmp_path):
    assert git_state() is None
    git("init", "--quiet")
    assert git_state() == {"commit": None, "branch": "main", "changed": False}
    (tmp_path / "a").write_text("1")
    # git does not know of it
    assert git_state() == {"commit": None, "branch": "main", "changed": False}
    git("add", "a")
    assert git_state() == {"commit": None, "branch": "main", "changed": True}
    git("commit", "--quiet", "-m", "one")
    commit = git("rev-parse", "HEAD")
    assert git_state() == {"commit": commit, "branch": "main", "changed": False}
    (tmp_path / "a").write_text("2")
    assert git_state() == {"commit": commit, "branch": "main", "changed": True}
    git("checkout", "--quiet", "--force", "--detach")
    assert git_state() == {"commit": commit, "branch": None, "changed": False}


def test_git_that_is_missing_or_hangs_does_not_matter(git, monkeypatch):
    git("init", "--quiet")

    def fail(error):
        def run(*arguments, **options):
            raise error

        return run

    for error in (
        FileNotFoundError("git"),
        PermissionError("git"),
        subprocess.TimeoutExpired("git", 1),
    ):
        monkeypatch.setattr(subprocess, "run", fail(error))
        assert git_state() is None
