"""The command line as a whole: help, exit codes, errors in one plain sentence."""

import subprocess
import sys

import pytest

import narrows as nw
from narrows.cli import run
from narrows.cli.app import app
from narrows.errors import DataError, NarrowsWarning

VERBS = [name for name in app if not name.startswith("-")]


def shell(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_verbs_are_those_of_the_design():
    assert set(VERBS) >= {
        "demo", "lab", "labs", "recipes", "parts", "study", "train", "evaluate", "compare", "report",
        "reconstruct", "denoise", "sample",
    }  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example_of_itself(narrows, verb):
    found = narrows(verb, "--help")
    assert (found.code, found.err) == (0, "")
    assert f"Example: narrows {verb}" in found.out
    assert "STR]" not in found.out


def test_help_names_every_verb(narrows):
    for arguments in (["--help"], ["-h"], []):
        found = narrows(*arguments)
        assert found.code == 0
        assert all(verb in found.out for verb in VERBS)
        assert "narrows demo" in found.out


def test_the_version_is_that_of_the_package(narrows):
    assert narrows("--version").out.strip() == nw.__version__


def test_help_loads_neither_torch_nor_matplotlib_nor_scikit_learn():
    script = (
        "import sys; from narrows.cli import run; code = run(['--help']); code += run(['train', '--help']);"
        "print(code, [name for name in ('torch', 'matplotlib', 'sklearn', 'PIL') if name in sys.modules])"
    )
    assert shell("-c", script).stdout.splitlines()[-1] == "0 []"


def test_a_real_call_ends_with_its_code_and_speaks_to_the_right_stream():
    fine = shell("-m", "narrows", "--version")
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout.strip() == nw.__version__
    wrong = shell("-m", "narrows", "recipe")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("narrows: ")
    assert "Traceback" not in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], 'Unknown command "nosuch"'),
        (["train"], "RECIPE requires an argument"),
        (["train", "pca", "-o", "x"], "--data requires an argument"),
        (["train", "pca", "--data", "digits"], "--output requires an argument"),
        (["evaluate", "--data", "digits"], "RUN requires an argument"),
        (
            ["train", "pca", "--data", "digits", "-o", "x", "--epochs", "two"],
            "got 'two', expected an integer",
        ),
        (
            ["train", "pca", "--data", "digits", "-o", "x", "--epoch", "2"],
            "Unknown option: --epoch",
        ),
        (["labs", "more"], "more"),
    ],
)
def test_wrong_use_is_reported_with_where_to_look(refused, arguments, said):
    told = refused(2, *arguments)
    assert said in told
    assert "narrows VERB --help" in told


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["train", "vae-mpl", "--data", "digits", "-o", "x"],
            2,
            "no recipe called 'vae-mpl'; did you mean 'vae-mlp'?",
        ),
        (
            ["compare", "pca", "vae-mpl", "--data", "digits", "-o", "x"],
            2,
            "did you mean 'vae-mlp'?",
        ),
        (["compare", "pca", "--data", "digits", "-o", "x"], 2, "at least two recipes"),
        (["lab", "Z"], 2, "no lab called 'Z'"),
        (["evaluate", "none", "--data", "digits"], 1, "no model file none"),
        (["report", "none"], 1, "none is not a folder; expected the folder of a run"),
        (["study", "none.toml"], 1, "no file none.toml; . holds no .toml file"),
        (["info", "none"], 1, "no model file none; expected a run folder"),
        (["verify", "none"], 1, "no folder or file none; expected the folder of a run"),
        (
            ["train", "ae-mlp", "--data", "digits", "-o", "x", "--seed", "-1"],
            2,
            "random_state: got -1, expected an integer ≥ 0",
        ),
        (
            ["train", "ae-mlp", "--data", "no/photos", "-o", "x", "--set", "body.widths=abc"],
            2,
            "widths: got 'abc'",
        ),
        (["sample", "none", "-o", "x.png"], 1, "no model file none"),
        (["reconstruct", "none", "digits", "-o", "x.npz"], 1, "no model file none"),
        (
            ["train", "pca", "--data", "digts", "-o", "x"],
            2,
            "no data set called 'digts'; did you mean 'digits'?",
        ),
        (["train", "pca", "--data", "no/photos", "-o", "x"], 1, "no file or folder no/photos"),
        (
            ["train", "ae-mlp", "--data", "digits", "-o", "x", "--set", "botleneck.size=3"],
            2,
            "mean 'bottleneck'?",
        ),
        (
            ["train", "ae-mlp", "--data", "digits", "-o", "x", "--set", "bottleneck.siz=3"],
            2,
            "mean 'size'?",
        ),
        (
            ["train", "ae-mlp", "--data", "digits", "-o", "x", "--set", "size"],
            2,
            "expected part.option=value",
        ),
        (
            ["train", "ae-mlp", "--data", "digits", "-o", "x", "--device", "gpu"],
            2,
            "no device called 'gpu'",
        ),
        (["train", "ae-mlp", "--data", "digits", "-o", "x", "--epochs", "0"], 2, "epochs: got 0"),
    ],
)
def test_errors_are_one_plain_sentence_and_leave_nothing(
    refused, tmp_path, monkeypatch, arguments, code, said
):
    monkeypatch.chdir(tmp_path)
    assert said in refused(code, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_where_an_error_comes_from():
    with pytest.raises(DataError, match=r"there is no file none\.toml"):
        run(["study", "none.toml", "--debug"])
    failed = shell("-m", "narrows", "--debug", "merge")
    assert failed.returncode == 1
    assert "Traceback" in failed.stderr
    assert "cli/merge.py" in failed.stderr


def test_an_error_of_our_own_making_is_reported_with_its_kind(narrows, monkeypatch):
    def broken(*_):
        raise RuntimeError("a wheel came off")

    monkeypatch.setattr("narrows.study.schema.read_study", broken)
    found = narrows("study", "x.toml")
    assert found.code == 1
    assert found.err == "narrows: RuntimeError: a wheel came off (--debug shows where)\n"


def test_an_interruption_is_reported_in_a_word(narrows, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("narrows.study.schema.read_study", interrupted)
    found = narrows("study", "x.toml")
    assert (found.code, found.err) == (1, "narrows: interrupted\n")


def test_warnings_are_reported_each_time_without_the_line_they_come_from(narrows, monkeypatch):
    import warnings

    def warned(*_):
        for _ in range(2):
            warnings.warn("the code is dead", NarrowsWarning, stacklevel=1)
        raise DataError("stop")

    monkeypatch.setattr("narrows.study.schema.read_study", warned)
    assert (
        narrows("study", "x.toml").err
        == "narrows: warning: the code is dead\n" * 2 + "narrows: stop\n"
    )
