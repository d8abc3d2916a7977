"""Small sets: epochs and batches follow from the least number of steps, unless the user chooses."""

import json
from math import ceil

import numpy as np
import pytest
from msgspec import convert
from safetensors.torch import load as read
from safetensors.torch import save as serialise
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import narrows as nw
from narrows.errors import BuildError, DataError
from narrows.model.estimator import collapse
from narrows.model.recipes import RECIPES
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.training.least_steps import SMALLEST_BATCH, Plan, plan_steps
from narrows.model.training.progress import ProgressHeader
from narrows.model.training.state import restore, state_of
from small_models import BETA, CONSTANT, NOISY, model, same, timeless, weights

SIZES = [
    1,
    2,
    13,
    15,
    16,
    17,
    20,
    33,
    50,
    100,
    128,
    129,
    300,
    999,
    1000,
    4096,
    12_800,
    60_000,
    100_000,
]
PLANS = [
    (20, 128, 500),
    (15, 128, 500),
    (5, 128, 500),
    (15, 16, 500),
    (20, 128, 300),
    (7, 100, 501),
    (1, 1, 9),
]
OURS = [name for name, r in RECIPES.items() if "least_steps" in (r.options.get("training") or {})]
LEAST = {"training": {"least_steps": 40}}  # of 200 digits in batches of 32, 21 in 3 epochs
planned = pytest.mark.filterwarnings(CONSTANT, "ignore:half of the code is idle")


# -- the plan --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epochs", "batch", "least"), PLANS)
@pytest.mark.parametrize("images", SIZES)
def test_at_least_that_many_steps_are_planned_and_no_epoch_more(images, epochs, batch, least):
    plan = plan_steps(images, epochs, batch, least)
    assert plan.steps == plan.epochs * ceil(images / plan.batch_size) >= least
    assert plan.epochs >= epochs
    assert min(batch, SMALLEST_BATCH) <= plan.batch_size <= batch
    if plan.epochs > epochs:  # only where batches cannot be smaller, and as few as will do
        assert plan.batch_size < 2 * SMALLEST_BATCH
        assert (plan.epochs - 1) * ceil(images / plan.batch_size) < least
    elif plan.batch_size < batch:
        assert plan_steps(images, epochs, 2 * plan.batch_size, None).steps < least


@pytest.mark.parametrize(("epochs", "batch", "least"), PLANS)
@pytest.mark.parametrize("images", SIZES)
def test_a_plan_of_enough_steps_and_one_without_least_steps_are_as_asked(
    images, epochs, batch, least
):
    asked = Plan(images, epochs, batch, epochs, batch)
    assert asked.is_as_asked
    assert plan_steps(images, epochs, batch, None) == asked
    if asked.steps >= least:
        assert plan_steps(images, epochs, batch, least) == asked


@pytest.mark.parametrize("name", OURS)
def test_our_recipes_take_the_same_steps_as_before_on_sets_of_the_size_of_mnist(name):
    m = nw.recipe(name)
    for images in (12_800, 48_000, 60_000):
        assert plan_steps(images, m.epochs, m.batch_size, m.training["least_steps"]).is_as_asked


def test_the_recipes_of_the_labs_are_as_published():
    assert [name for name in OURS if name.startswith("lab")] == []
    assert {"ae-mlp", "ae-conv", "sparse-mlp", "denoising-mlp", "denoising-conv"} <= set(OURS)
    assert {"denoiser-unet", "vae-mlp", "vae-conv"} <= set(OURS)


@pytest.mark.parametrize(("asked", "epochs"), [(1, 1), (4, 4), (2, 8), (15, 39), (20, 500), (3, 7)])
def test_each_epoch_that_was_asked_for_is_completed_once_the_last_at_the_end(asked, epochs):
    plan = Plan(1, epochs, 16, asked, 16)
    ends = [epoch for epoch in range(1, epochs + 1) if plan.completes_one(epoch)]
    assert len(ends) == asked
    assert ends[-1] == epochs
    assert [plan.last_completed_before(epoch) for epoch in ends] == [0, *ends[:-1]]


# -- a training ------------------------------------------------------------------------------------


@planned
def test_a_fit_takes_the_epochs_and_batches_of_its_plan(digits):
    m = model(**LEAST).fit(digits[:20])
    assert m.planned_ == Plan(
        images=20, epochs=20, batch_size=16, asked_epochs=3, asked_batch_size=32
    )
    assert m.epochs_ == len(m.history_["loss"]) == 20
    assert len(m.steps_["loss"]) == 40
    assert m.get_params()["epochs"] == 3  # as scikit-learn demands
    assert same(weights(m), weights(model(epochs=20, batch_size=16).fit(digits[:20])))
    held = model(**LEAST, validation=0.5).fit(digits[:40])
    assert held.planned_.images == 20


def test_where_there_are_enough_steps_nothing_changes(digits, tmp_path):
    few = {"training": {"least_steps": 21}}
    asked, unasked = model(**NOISY, **few).fit(digits), model(**NOISY).fit(digits)
    assert asked.planned_ is None
    assert asked.choice_in_words_ == ""
    assert same(weights(asked), weights(unasked))
    assert timeless(asked.history_) == timeless(unasked.history_)
    files = [nw.save(m.set_params(training=None), tmp_path / "m") for m in (asked,)]
    one = files[0].read_bytes()
    assert nw.save(unasked, tmp_path / "m").read_bytes() == one


@planned
def test_warmups_patience_and_schedules_follow(digits):
    """3 epochs become 12: four for one."""
    X, taken = digits[:50], {"epochs": 12, "batch_size": 16}
    parts = {**NOISY, "bottleneck": {**BETA, "warmup": 2}, "schedule": "cosine"}
    planned = model(**parts, training={"least_steps": 48}).fit(X)
    assert planned.epochs_ == 12
    parts["bottleneck"] = {**BETA, "warmup": 8}
    assert same(weights(planned), weights(model(**parts, **taken).fit(X)))
    still = {"optimiser": {"kind": "sgd", "lr": 1e-30}, "validation": 0.5}
    waited = model(**still, training={"least_steps": 48, "patience": 2}).fit(digits[:100])
    assert waited.planned_.epochs == 12
    assert waited.epochs_ == 1 + 8  # the first one is the best


def test_an_incremental_fit_takes_one_epoch_of_the_batches_asked_for(digits):
    m = model(**LEAST, optimiser={"lr": 1e-3, "kind": "adam"})
    plain = model(optimiser={"lr": 1e-3, "kind": "adam"})
    for _ in range(2):
        m.partial_fit(digits[:20]), plain.partial_fit(digits[:20])
    assert len(m.steps_["loss"]) == m.epochs_ == 2
    assert m.planned_ is None
    assert same(weights(m), weights(plain))


@planned
def test_fit_epochs_yields_after_each_epoch_of_the_plan(digits):
    assert [m.epochs_ for m in model(**LEAST).fit_epochs(digits[:20])] == list(range(1, 21))


@planned
def test_a_collapse_is_reported_when_it_has_held_for_two_epochs_of_those_asked_for(
    digits, monkeypatch
):
    noticed = []
    monkeypatch.setattr(collapse, "_warn", noticed.append)
    monkeypatch.setattr(collapse, "FIRST_STEPS", 1)
    heavy = {"kind": "variational", "size": 3, "beta": 1e4, "warmup": 1}
    for m in model(bottleneck=heavy, training={"least_steps": 48}).fit_epochs(digits[:50]):
        assert len(noticed) == (m.epochs_ >= 12)
    assert "(seen after epochs 8 and 12)" in noticed[0]


# -- resuming --------------------------------------------------------------------------------------


@planned
@pytest.mark.parametrize("done", [1, 7, 19])
def test_a_planned_training_resumes_bit_for_bit(digits, done):
    options, X = {**NOISY, **LEAST, "bottleneck": {**BETA, "warmup": 2}}, digits[:20]
    whole, broken, resumed = (model(**options)._prepare(X, in_full=True) for _ in range(3))
    for _ in whole:
        pass
    for _ in range(done):
        broken.run_epoch()
    tensors, numbers = state_of(broken)
    tensors, numbers = read(serialise(tensors)), json.loads(json.dumps(numbers))
    restore(resumed, tensors, convert(numbers, ProgressHeader))
    assert sum(1 for _ in resumed) == 20 - done
    (a, _), (b, _) = state_of(whole), state_of(resumed)
    assert same(a, b)


class Stopped(Exception):
    pass


def stopped_after(epochs, path, X, **options):
    """A training that keeps a checkpoint, and ends with an error after so many epochs."""
    for m in model(**options).fit_epochs(X, checkpoint=Checkpoint(path)):
        if m.epochs_ > epochs:
            break


@planned
def test_a_planned_training_resumes_from_a_file_by_the_plan_alone(digits, tmp_path):
    X, path, said = digits[:20], tmp_path / "last.safetensors", []
    stopped_after(8, path, X, **LEAST)
    going = {"checkpoint": Checkpoint(path, resume=True, say=said.append)}
    for other in ({}, {"epochs": 60}, {"epochs": 20, "batch_size": 16}):
        with pytest.raises(BuildError, match="is the state of another training"):
            model(**other).fit(X, **going)
    with pytest.raises(BuildError, match="epochs asked for was 3, now 4"):
        model(epochs=4, **LEAST).fit(X, **going)
    assert same(weights(model(**LEAST).fit(X, **going)), weights(model(**LEAST).fit(X)))
    assert said == ["going on from epoch 8 of 20, batch 1"]  # 7 are one of three


def test_a_state_from_before_least_steps_resumes_where_it_changes_nothing(digits, tmp_path):
    path = tmp_path / "last.safetensors"
    stopped_after(1, path, digits)
    going = Checkpoint(path, resume=True)
    found = model(training={"least_steps": 21}).fit(digits, checkpoint=going)
    assert same(weights(found), weights(model().fit(digits)))


@planned
def test_a_state_is_written_as_often_as_without_a_plan(digits, tmp_path, monkeypatch):
    writes = []
    monkeypatch.setattr(Checkpoint, "_write", lambda *what: writes.append(what))
    for options in ({}, LEAST, {**LEAST, "epochs": 5}):
        writes.clear()
        m = model(**options)
        m.fit(digits[:20], checkpoint=Checkpoint(tmp_path / "last.safetensors"))
        assert len(writes) == 1 + m.epochs


# -- who chooses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(
    "changes", [{"epochs": 3}, {"batch_size": 7}, {"epochs": 3, "batch_size": 7}], ids=str
)
def test_epochs_and_batch_sizes_of_the_user_are_kept(name, changes):
    before = RECIPES[name].options["training"]
    kept = {key: value for key, value in before.items() if key != "least_steps"} or None
    for m in (nw.recipe(name, **changes), nw.recipe(name).set_params(**changes)):
        assert {key: getattr(m, key) for key in changes} == changes
        assert m.training == kept
    m = nw.recipe(name, **changes, training={"clip": 1.0})
    assert m.training == {**(kept or {}), "clip": 1.0}
    m = nw.recipe(name).set_params(**changes, training__clip=1.0)
    assert m.training == {**(kept or {}), "clip": 1.0}


@pytest.mark.parametrize("name", OURS)
def test_least_steps_set_together_with_epochs_are_kept(name):
    wanted = {"epochs": 3, "training": {"least_steps": 9}}
    assert nw.recipe(name, **wanted).training["least_steps"] == 9
    set_later = nw.recipe(name).set_params(epochs=3, training__least_steps=9)
    assert set_later.training["least_steps"] == 9
    assert nw.recipe(name, training={"least_steps": None}).training["least_steps"] is None
    assert nw.recipe(name).set_params(random_state=1, scale="unit").training["least_steps"] >= 300


def test_a_copy_and_its_own_parameters_keep_the_plan():
    m = nw.recipe("ae-mlp")
    assert clone(m).training == m.training
    for deep in (True, False):
        assert clone(m).set_params(**m.get_params(deep)).training["least_steps"] == 500


@planned
def test_a_recipe_of_three_epochs_does_three(digits):
    m = nw.recipe("ae-mlp", epochs=3).fit(digits[:20])
    assert (m.epochs_, m.planned_, len(m.steps_["loss"])) == (3, None, 3)


def test_a_search_over_epochs_varies_them(digits):
    small = model(training={"least_steps": 400})
    search = GridSearchCV(small, {"epochs": [1, 2]}, cv=2, refit=True).fit(digits[:20])
    assert search.best_estimator_.epochs_ == search.best_params_["epochs"]


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "500", [5], float("nan")])
def test_what_is_not_a_number_of_steps_is_refused(digits, wrong):
    with pytest.raises(BuildError, match=r"least_steps: got .*an integer ≥ 1, or None|wrong type"):
        model(training={"least_steps": wrong}).fit(digits)


# -- what is kept of it ----------------------------------------------------------------------------


@planned
def test_a_model_file_keeps_the_plan(digits, tmp_path):
    m = model(**LEAST).fit(digits[:20])
    again = nw.load(nw.save(m, tmp_path / "m.safetensors"))
    assert again.planned_ == m.planned_
    assert again.training == m.training
    assert again.choice_in_words_ == (
        "20 images to train on: 20 epochs of batches of 16, to take 40 steps instead of 3"
    )
    assert m.fit(digits).planned_.images == 200
    assert m.set_params(epochs=1).fit(digits[:20]).planned_ is None


@planned
@pytest.mark.parametrize("key", ["images", "epochs", "batch_size", "asked_epochs"])
@pytest.mark.parametrize("value", [0, -3, 2**60, "5", None])
def test_a_file_with_a_damaged_plan_is_refused(digits, tmp_path, monkeypatch, key, value):
    m = model(**LEAST).fit(digits[:20])
    numbers = {**vars(m.planned_), key: value}
    monkeypatch.setattr("narrows.model.estimator.network_model.asdict", lambda plan: numbers)
    path = nw.save(m, tmp_path / "m.safetensors")
    with pytest.raises(DataError, match=r"planned_"):
        nw.load(path)


@planned
def test_images_in_ones_are_trained_on(digits):
    m = model(body={"kind": "mlp", "widths": [4], "batch_norm": True}, training={"least_steps": 30})
    m.fit(digits[:1])
    assert len(m.steps_["loss"]) == 30
    assert np.isfinite(m.reconstruct(digits[:1], exact=True)).all()
