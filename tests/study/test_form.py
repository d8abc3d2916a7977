"""The study file is read strictly: all that it may say is read, and nothing else passes."""

import re

import pytest

from narrows.errors import DataError
from narrows.study.form import Drawing, Number, Run, Study, read_study, vet
from narrows.study.labs import lab_files

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
snapshots = [1, 5]
watch = "test"

[[numbers]]
label = "PSNR"
run = "vae"
history = "val_psnr"
epoch = 20
mean = true
per_pixel = true
published = 14.17

[[numbers]]
label = "MSE"
run = "vae"
test = "mse"

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
    return str(caught.value)


def one(**changes) -> Study:
    return Study(**{"title": "t", "runs": [Run("a", "ae-mlp")], **changes})


def refused(study: Study) -> str:
    with pytest.raises(DataError) as caught:
        vet(study, "here")
    return str(caught.value)


# -- what is read ---------------------------------------------------------------------------------------------


def test_every_field_is_read(study_file):
    changes = {"epochs": 5, "bottleneck": {"size": 3}}
    assert read_study(study_file(WHOLE)) == Study(
        title="A title",
        runs=[Run("vae", "lab-d", changes, snapshots=[1, 5], watch="test")],
        data={"kind": "coloured-mnist", "colour": "image"},
        question="A question?",
        text=["one", "two"],
        measure_scale="symmetric",
        numbers=[Number("PSNR", "vae", "val_psnr", None, 20, True, True, 14.17), Number("MSE", "vae", test="mse")],
        figures=[Drawing("curves", "Loss", "what to see", ["vae"], {"of": ["loss"], "log": True})],
    )


def test_a_title_and_a_run_are_enough(study_file):
    assert read_study(study_file(LEAST)) == one()


@pytest.mark.parametrize("name", lab_files())
def test_the_files_that_come_with_narrows_are_sound(name):
    study = read_study(lab_files()[name])
    assert study.runs
    assert study.title


# -- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "key"),
    [
        ('title = "A title"', "titel"),
        ('name = "vae"', "recipy"),
        ("epoch = 20", "epochs"),
        ('kind = "curves"', "legend"),
    ],
)
def test_unknown_keys_are_named(study_file, after, key):
    said = fault(study_file(WHOLE.replace(after, f"{after}\n{key} = 1")))
    assert "study.toml is no study file" in said
    assert f"unknown field `{key}`" in said


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("title = 3", "title"),
        ('text = "not a list"', "text"),
        ("data = 3", "data"),
        ('measure_scale = "sideways"', "measure_scale"),
        ('numbers = [{ label = "l", run = "a", test = "mse", published = "14" }]', "published"),
        ('numbers = [{ label = "l", run = "a", history = "loss", epoch = 1.5 }]', "epoch"),
        ('numbers = [{ label = "l", run = "a", history = "loss", epoch = 0 }]', "epoch"),
        ('numbers = [{ label = "l", run = "a", history = "loss", mean = 1 }]', "mean"),
        ('figures = [{ kind = "codes", title = "c", runs = "a" }]', "runs"),
        ('figures = [{ kind = "codes", title = "c", options = ["of"] }]', "options"),
    ],
)
def test_wrong_types_are_refused_with_their_place(study_file, line, where):
    rest = LEAST if where != "title" else LEAST.replace('title = "t"\n', "")
    assert re.search(rf"\$.*\.?{where}", fault(study_file(rest + line)))


@pytest.mark.parametrize("run", ['snapshots = ["1"]', 'watch = "train"', "changes = [1]", "recipe = 5"])
def test_wrong_types_in_a_run_are_refused(study_file, run):
    keep = "" if run.startswith("recipe") else 'recipe = "pca", '
    assert run.split()[0] in fault(study_file(f'title = "t"\nruns = [{{ name = "a", {keep}{run} }}]'))


@pytest.mark.parametrize("missing", ["title", "runs"])
def test_what_is_missing_is_named(study_file, missing):
    text = "\n".join(line for line in LEAST.splitlines() if not line.startswith(missing))
    assert f"`{missing}`" in fault(study_file(text))


def test_a_file_that_is_missing_or_no_toml_is_refused_by_its_name(study_file, tmp_path):
    assert "there is no study file" in fault(tmp_path / "none.toml")
    assert "there is no study file" in fault(tmp_path)
    assert "broken.toml is no study file" in fault(study_file("title = ", "broken.toml"))
    (tmp_path / "bytes.toml").write_bytes(b"title = '\xff'")
    assert "bytes.toml is no study file" in fault(tmp_path / "bytes.toml")


def test_all_wrong_names_are_told_at_once_with_what_was_meant(study_file):
    text = """
    title = "t"
    runs = [{ name = "first", recipe = "vae-mpl" }]
    numbers = [
        { label = "n", run = "frist", test = "mse" },
        { label = "both", run = "first", test = "mse", history = "loss" },
    ]
    figures = [{ kind = "curvs", title = "f", runs = ["firts"] }]
    """
    said = fault(study_file(text))
    for words in (
        "there is no recipe called 'vae-mpl'; did you mean 'vae-mlp'?",
        "there is no run called 'frist'; did you mean 'first'?",
        "there is no run called 'firts'; did you mean 'first'?",
        "there is no kind of figure called 'curvs'; did you mean 'curves'?",
        "the number 'both' needs either history or test",
        "for 5 reasons",
    ):
        assert words in said


@pytest.mark.parametrize("sources", [{}, {"history": "loss", "test": "mse"}])
def test_a_number_has_one_source(sources):
    assert "the number 'n' needs either history or test" in refused(one(numbers=[Number("n", "a", **sources)]))


def test_names_are_given_once():
    twice = one(runs=[Run("a", "pca"), Run("a", "ae-mlp")], figures=[Drawing("codes", "f"), Drawing("samples", "f")])
    assert "2 runs are called 'a'" in refused(twice)
    assert "2 figures are called 'f'" in refused(twice)


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "/tmp/x", "a/"])
def test_a_run_that_cannot_name_a_folder_is_refused(name):
    assert f"the run {name!r} cannot name a folder" in refused(one(runs=[Run(name, "pca")]))


def test_a_study_has_runs():
    assert "no runs" in refused(one(runs=[]))


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("codes", {"methd": "tsne"}, "no option 'methd'; did you mean 'method'?"),
        ("curves", {}, "needs the option 'of'"),
        ("curves", {"of": ["loss"], "panel": {}}, "no option 'panel'; did you mean 'panels'?"),
        ("curves", {"of": ["loss"], "title": "x"}, "no option 'title'"),
        ("samples", {"run": "a"}, "no option 'run'"),
    ],
)
def test_options_that_a_kind_has_not_or_lacks_are_refused_before_anything_is_trained(kind, options, said):
    assert said in refused(one(figures=[Drawing(kind, "f", options=options)]))


def test_options_of_the_drawing_pass():
    vet(one(figures=[Drawing("curves", "f", options={"of": ["loss"], "log": True, "reference": {"x": 1}})]), "here")
