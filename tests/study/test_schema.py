"""The study file is read strictly: all that it may say is read, and nothing else passes."""

import pytest

from narrows.errors import DataError
from narrows.study.schema import Drawing, Number, Run, Study, read_study

WHOLE = """
title = "A title"
question = "A question?"
text = ["one", "two"]
data = { kind = "coloured-mnist", colour = "image" }
measure_scale = "symmetric"

[[runs]]
name = "vae"
recipe = "lab-d"
changes = { epochs = 5, bottleneck = { size = 3 } }
data = "fashion-mnist"
snapshots = [1, 5]
watch = "test"

[[numbers]]
label = "PSNR"
run = "vae"
history = "val_psnr"
epoch = 20
per_pixel = true
times = 2
published = 14.17

[[numbers]]
label = "mean"
run = "vae"
history = "loss"
mean = true

[[numbers]]
label = "errors"
run = "vae"
error = { start = 9705, count = 2, fed = { noise = 0.5 } }
trap = 255
published = [6.31, 7]

[[numbers]]
label = "MSE"
run = "vae"
test = "mse"

[[numbers]]
label = "last"
run = "vae"
batch = "loss"

[[figures]]
kind = "curves"
title = "Loss"
caption = "what to see"
runs = ["vae"]
options = { of = ["loss"], log = true }
"""
LEAST = 'title = "t"\nruns = [{ name = "a", recipe = "ae-mlp" }]\n'


@pytest.fixture
def study_file(tmp_path):
    """A function that writes a study file."""

    def write(text: str, name: str = "study.toml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def fault(path) -> str:
    with pytest.raises(DataError) as caught:
        read_study(path)
    assert str(caught.value).startswith(str(path)) or "there is no file" in str(caught.value)
    return str(caught.value)


def one(**changes) -> Study:
    return Study(**{"title": "t", "runs": [Run("a", "ae-mlp")], **changes})


# -- what is read ----------------------------------------------------------------------------------


def test_every_field_is_read(study_file):
    changes, error = (
        {"epochs": 5, "bottleneck": {"size": 3}},
        {"start": 9705, "count": 2, "fed": {"noise": 0.5}},
    )
    assert read_study(study_file(WHOLE)) == Study(
        title="A title",
        runs=[Run("vae", "lab-d", changes, "fashion-mnist", snapshots=[1, 5], watch="test")],
        data={"kind": "coloured-mnist", "colour": "image"},
        question="A question?",
        text=["one", "two"],
        measure_scale="symmetric",
        numbers=[
            Number("PSNR", "vae", "val_psnr", epoch=20, per_pixel=True, times=2.0, published=14.17),
            Number("mean", "vae", "loss", mean=True),
            Number("errors", "vae", error=error, trap=255.0, published=[6.31, 7.0]),
            Number("MSE", "vae", test="mse"),
            Number("last", "vae", batch="loss"),
        ],
        figures=[Drawing("curves", "Loss", "what to see", ["vae"], {"of": ["loss"], "log": True})],
    )


def test_a_title_and_a_run_are_enough(study_file):
    assert read_study(study_file(LEAST)) == one()


# -- what is no study at all -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ('title = "A title"', "there is no key 'titel'; did you mean 'title'?"),
        ('name = "vae"', "runs 1 ('vae'): there is no key 'recipy'; did you mean 'recipe'?"),
        ("epoch = 20", "numbers 1 ('PSNR'): there is no key 'epochs'; did you mean 'epoch'?"),
        (
            'kind = "curves"',
            "figures 1 ('Loss'): there is no key 'legend'; known: caption, kind, options",
        ),
    ],
)
def test_unknown_keys_are_named_with_their_place(study_file, after, said):
    key = said.split("no key '")[1].split("'")[0]
    assert f": {said}" in fault(study_file(WHOLE.replace(after, f"{after}\n{key} = 1")))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("title = 3", "title: got 3, expected a text"),
        ('text = "one"', "text: got 'one', expected a list of texts; write ['one']"),
        ("data = 3", "data: got 3, expected a text or a table"),
        (
            'measure_scale = "sideways"',
            "measure_scale: got 'sideways', expected 'symmetric' or 'unit'",
        ),
        ('runs = [{ name = "a" }]', "runs 1 ('a'): it needs the key 'recipe', a text"),
        ('runs = [{ name = "a", recipe = 5 }]', "runs 1 ('a'): recipe: got 5, expected a text"),
        (
            'runs = [{ name = "a", recipe = "pca", changes = [1] }]',
            "changes: got a list of 1, expected a table",
        ),
        (
            'runs = [{ name = "a", recipe = "pca", snapshots = [0] }]',
            "snapshots 1: got 0, expected an integer",
        ),
        (
            'runs = [{ name = "a", recipe = "pca", watch = "train" }]',
            "watch: got 'train', expected '' or 'test'",
        ),
        (
            'numbers = [{ label = "l", run = "a", test = "mse", published = "14" }]',
            "published: got '14', expected",
        ),
        (
            'numbers = [{ label = "l", run = "a", error = {}, published = ["x"] }]',
            "published 1: got 'x', expected a",
        ),
        (
            'numbers = [{ label = "l", run = "a", history = "loss", epoch = 0 }]',
            "epoch: got 0, expected an integer",
        ),
        (
            'figures = [{ kind = "codes", title = "c", runs = "a" }]',
            "figures 1 ('c'): runs: got 'a', expected a list",
        ),
    ],
)
def test_wrong_types_are_refused_with_their_place(study_file, line, said):
    rest = "\n".join(other for other in LEAST.splitlines() if other.split()[0] != line.split()[0])
    assert said in fault(study_file(f"{rest}\n{line}\n"))


@pytest.mark.parametrize("missing", ["title", "runs"])
def test_what_is_missing_is_named(study_file, missing):
    text = "\n".join(line for line in LEAST.splitlines() if not line.startswith(missing))
    assert f"it needs the key '{missing}'" in fault(study_file(text))


def test_a_file_that_is_missing_or_no_toml_is_refused_by_its_name(study_file, tmp_path):
    assert "there is no file" in fault(tmp_path / "none.toml")
    assert "is a folder, expected a file" in fault(tmp_path)
    assert "broken.toml, line 1, column 8: invalid value" in fault(
        study_file("title = ", "broken.toml")
    )
    (tmp_path / "bytes.toml").write_bytes(b"title = '\xff'")
    assert "bytes.toml, line 1, column 10: the byte 0xff is not UTF-8" in fault(
        tmp_path / "bytes.toml"
    )


# -- names -----------------------------------------------------------------------------------------


ALL_WRONG = """
titel = "t"
runs = [
    { name = "first", recipe = "vae-mpl" },
    { name = "second", recipe = "ae-mlp", changes = { epoch = 3 } },
    { name = "third", recipe = "ae-mlp", snapshots = "1" },
]
numbers = [
    { label = "n", run = "frist", test = "mse" },
    { label = "both", run = "first", test = "mse", history = "loss" },
    { label = "late", run = "third", test = "mse", epoch = "2" },
]
figures = [
    { kind = "curvs", title = "f", runs = ["firts"] },
    { kind = "codes", title = "g", options = { methd = 1 } },
]
"""


def test_all_faults_are_reported_at_once_with_what_was_meant(study_file):
    said = fault(study_file(ALL_WRONG))
    for words in (
        "there is no key 'titel'; did you mean 'title'?",
        "there is no recipe called 'vae-mpl'; did you mean 'vae-mlp'?",
        "the run 'second': recipe 'ae-mlp': it has no option 'epoch'; did you mean 'epochs'?",
        "runs 3 ('third'): snapshots: got '1', expected a list of integers",
        "there is no run called 'frist'; did you mean 'first'?",
        "there is no run called 'firts'; did you mean 'first'?",
        "there is no kind of figure called 'curvs'; did you mean 'curves'?",
        "the number 'both' needs exactly one of history, batch, test, error; it has history and test",
        "numbers 3 ('late'): epoch: got '2', expected an integer",
        "the figure 'g' has no option 'methd'; did you mean 'method'?",
        "for 10 reasons",
    ):
        assert words in said


@pytest.mark.parametrize(
    "runs", ["", "runs = []\n", 'runs = [{ recipe = "pca" }]\n', "runs = [3]\n", "run = 3\n"]
)
def test_where_runs_cannot_be_reported_apart_no_name_of_a_run_is_doubted(study_file, runs):
    said = fault(
        study_file(f'{runs}title = 3\nnumbers = [{{ label = "n", run = "a", test = "mse" }}]')
    )
    assert "title: got 3" in said
    assert "no run called" not in said
