"""A state that no training can have written is refused before anything is changed, however right its
checksum is: torch would write over other memory with averages of wrong shapes.
"""

from math import inf

import pytest
import torch

import narrows as nw
from narrows.errors import DataError, TrainingError
from narrows.files import write_file
from narrows.model.file_format import CHECKPOINT_KEY, read_file, to_bytes
from narrows.model.files.describe import describe_file
from narrows.model.training.progress import Progress, ProgressHeader
from small_models import CONSTANT, model, weights

pytestmark = pytest.mark.filterwarnings(CONSTANT)
EMA = {"epochs": 2, "training": {"ema": 0.9}, "validation": 0.2}


@pytest.fixture(scope="module")
def content(digits, tmp_path_factory):
    """Header and tensors of a checkpoint of two epochs."""
    path = tmp_path_factory.mktemp("checkpoint") / "last.safetensors"
    model(**EMA).fit(digits, checkpoint=nw.Checkpoint(path))
    return read_file(path)


def forged(path, content, tensors=None, **numbers):
    """A checkpoint with other numbers and tensors, and the right checksum."""
    header, stored = content
    state = header[CHECKPOINT_KEY]
    changed = {**state, "numbers": {**state["numbers"], **numbers}}
    return write_file(path, to_bytes({**header, CHECKPOINT_KEY: changed}, tensors or stored))


def resume(digits, path, said=None):
    say = [].append if said is None else said.append
    options = {**EMA, "epochs": 3}
    return model(**options).fit(digits, checkpoint=nw.Checkpoint(path, resume=True, say=say))


WRONG_TYPES = {
    "epoch": ["2", 1.5, -1, None, [2], 99], "done": ["0", -1, None], "spent": ["x", -1.0, None],
    "stopped": [1, "no"], "lowest": ["low", None, float("nan")], "waited": [0.5, -1], "names": [3, {"a": 1}],
    "history": [3, {"loss": 3}, {"loss": ["low"]}, {"loss": {}}], "sign": [3], "told": [["x"], {"a": 3}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG_TYPES.items() for value in values]
)
def test_numbers_of_wrong_types_are_reported_and_the_training_starts_over(
    digits, tmp_path, content, name, value
):
    path = forged(tmp_path / "last.safetensors", content, **{name: value})
    with pytest.raises(DataError, match=f"{path} is not a complete model"):
        describe_file(path)
    said = []
    assert resume(digits, path, said).epochs_ == 3
    assert len(said) == 1
    assert said[0].endswith(": the training starts over")


def test_a_file_without_further_numbers_is_that_of_a_training_that_starts():
    start = {
        "epoch": 0, "done": 0, "spent": 0.0, "stopped": False, "lowest": inf, "waited": 0,
        "history": {}, "names": [], "sign": "", "told": {},
    }  # fmt: skip
    assert Progress().to_file() == start
    assert Progress.from_file(ProgressHeader(epoch=0, step=0)).to_file() == start


CONTRADICTING = {
    "a step too many": ({"done": 6}, "it has 6 steps of an epoch of 5"),
    "a history of other epochs": ({"history": {"loss": [1.0]}}, "its history has 1 of 2 epochs"),
    "a column without an epoch": (
        {"history": {"loss": [1.0, 1.0], "x": []}},
        "its history has 0 of 2 epochs of x",
    ),
    "a term twice": ({"names": ["nll", "nll"]}, "it names a term twice: nll, nll"),
    "terms of no sums": ({"done": 1, "names": ["nll", "kl"]}, "sums: got .*, expected"),
}


@pytest.mark.parametrize(("numbers", "words"), CONTRADICTING.values(), ids=CONTRADICTING)
def test_numbers_that_contradict_one_another_are_refused(digits, tmp_path, content, numbers, words):
    path = forged(tmp_path / "last.safetensors", content, **numbers)
    before = path.read_bytes()
    with pytest.raises(DataError, match=f"{path} is not a complete model.*: {words}"):
        resume(digits, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("prefix", ["network.body", "average.body", "optimiser.0.exp_avg"])
def test_a_nan_in_a_checkpoint_is_reported_when_the_training_resumes(
    digits, tmp_path, content, prefix
):
    """Within an epoch a state is written before it is known that a number became NaN."""
    tensors = dict(content[1])
    name = first(tensors, prefix)
    tensors[name] = torch.full_like(tensors[name], torch.nan)
    with pytest.raises(TrainingError, match=r"(loss|body.layers.\d.weight) became (nan|NaN)"):
        resume(digits, forged(tmp_path / "last.safetensors", content, tensors))


def first(tensors, prefix):
    return next(name for name in tensors if name.startswith(prefix) and tensors[name].dim() == 2)


@pytest.mark.parametrize("prefix", ["network.", "average.", "optimiser.0.exp_avg"])
@pytest.mark.parametrize(
    "change",
    [
        torch.Tensor.flatten,
        torch.Tensor.double,
        torch.Tensor.long,
        lambda t: t[:-1],
        lambda t: t[0, 0],
    ],
    ids=["flat", "double", "integers", "shorter", "one number"],
)
def test_tensors_of_other_shapes_or_types_are_refused(digits, tmp_path, content, prefix, change):
    tensors = dict(content[1])
    name = first(tensors, prefix)
    path = forged(tmp_path / "last.safetensors", content, {**tensors, name: change(tensors[name])})
    with pytest.raises(DataError, match=r"its tensors are not those of its model: .*: got"):
        resume(digits, path)


FURTHER = {
    "a parameter that there is not": "optimiser.99.step",
    "a parameter without a number": "optimiser.x.step",
    "an average that there is not": "optimiser.0.other",
    "a weight that there is not": "network.other",
    "a column of other steps": "steps.other",
}


@pytest.mark.parametrize("name", FURTHER.values(), ids=FURTHER)
def test_further_tensors_are_refused(digits, tmp_path, content, name):
    tensors = {**content[1], name: torch.zeros(1)}
    with pytest.raises(DataError, match="is not a complete model"):
        resume(digits, forged(tmp_path / "last.safetensors", content, tensors))


def test_a_missing_average_is_refused(digits, tmp_path, content):
    tensors = dict(content[1])
    del tensors["optimiser.0.exp_avg"]
    with pytest.raises(DataError, match="it lacks exp_avg"):
        resume(digits, forged(tmp_path / "last.safetensors", content, tensors))


def test_terms_of_another_loss_are_refused_within_an_epoch(digits, tmp_path, content):
    tensors = {**content[1], "sums": torch.zeros(1, 2)}
    path = forged(tmp_path / "last.safetensors", content, tensors, done=1, names=["a", "b"])
    with pytest.raises(DataError, match="of a loss of a, b, and this one has the terms nll"):
        resume(digits, path)


@pytest.mark.parametrize("optimiser", ["adam", "sgd", {"kind": "sgd", "momentum": 0.0}], ids=str)
def test_what_each_optimiser_writes_is_accepted(digits, tmp_path, optimiser):
    path = tmp_path / "last.safetensors"
    options = {"optimiser": optimiser, "batch_size": 50}
    expected = model(**options, epochs=2).fit(digits)
    model(**options, epochs=1).fit(digits, checkpoint=nw.Checkpoint(path))
    again = model(**options, epochs=2).fit(digits, checkpoint=nw.Checkpoint(path, resume=True))
    assert all(
        torch.equal(value, weights(again)[name]) for name, value in weights(expected).items()
    )
