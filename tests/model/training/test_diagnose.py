"""Numbers that go wrong: what is said, which images and parameters are named, what is kept, what is
to be tried.
"""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from narrows.errors import TrainingError
from narrows.model.training import diagnose as trouble
from narrows.model.training.diagnose import check_late
from narrows.model.training.diagnosis import Diagnosis
from narrows.model.training.split import held_back
from narrows.model.training.training import Training
from narrows.parts.kinds import KINDS
from narrows.parts.likelihood import BernoulliLikelihood
from small_models import model, same, timeless, weights


class Divides(nn.Module):
    """Divides by the sum of the image, which of a black one is 0."""

    def __init__(self, image):
        super().__init__()
        self.linear = nn.Linear(64, 16)

    def forward(self, x):
        total = x.flatten(1).sum(1, keepdim=True)
        return self.linear(x.flatten(1)) * (total / total)


class Rooted(Divides):
    """Takes a root, whose value for a black image is 0 and whose gradient there is NaN."""

    def forward(self, x):
        h = self.linear(x.flatten(1))
        return h + (h * x.flatten(1).sum(1, keepdim=True)).square().sum(1, keepdim=True).sqrt()


class Deviance(BernoulliLikelihood):
    """What the cross-entropy lacks of its lowest value, as it is written: NaN where a pixel is 0."""

    def nll(self, out, x):
        mean = torch.sigmoid(out)
        return x * (x / mean).log() + (1 - x) * ((1 - x) / (1 - mean)).log()


@pytest.fixture(autouse=True)
def own(monkeypatch):
    for kind, part in (("body", Divides), ("body", Rooted), ("likelihood", Deviance)):
        monkeypatch.setitem(KINDS[kind].table, part.__name__, part)


def with_black(digits, place):
    found = digits.copy()
    found[place] = 0
    return found


def failing(X, match, **options):
    """The error of a fit, and the model, which is whole."""
    m = model(**{"batch_size": 50, **options})
    with pytest.raises(TrainingError, match=match) as caught:
        m.fit(X)
    assert all(torch.isfinite(value).all() for value in weights(m).values())
    assert not m.network_.training
    return caught.value, m


# -- which images ----------------------------------------------------------------------------------

HELD = held_back(200, 0.2, 0)
TRAINED = np.setdiff1d(np.arange(200), HELD)


@pytest.mark.parametrize(("validation", "place"), [(None, 33), (0.2, TRAINED[100])])
def test_an_image_whose_loss_is_nan_is_named_by_its_place_among_those_given(
    digits, validation, place
):
    said = (
        rf"the loss became nan in epoch 1, batch \d, in the term 'nll', for 1 of its \d+ "
        rf"images \({place}\); "
    )
    X = with_black(digits, place)
    error, m = failing(
        X, said + ".* divides by 0 there", body="Divides", up="linear", validation=validation
    )
    assert error.images == (place,)
    assert m.thresholds_["error"] > 0  # it has looked at the other images


def test_an_image_that_is_held_back_is_named_by_its_place_too(digits):
    said = rf"the validation loss became nan after epoch 1, for 1 of its 40 images \({HELD[7]}\)"
    error, m = failing(
        with_black(digits, HELD[7]), said, body="Divides", up="linear", validation=0.2
    )
    assert error.images == (HELD[7],)
    assert m.epochs_ == 0
    assert not any(m.history_.values())  # the epoch that failed at its end left nothing


def test_places_in_validation_images_of_their_own_are_not_taken_for_places_in_the_others(digits):
    held = with_black(digits, 33)[20:50]
    error, _ = failing(
        digits, r"for 1 of its 30 images \(13\)", body="Divides", up="linear", validation=held
    )
    assert error.images == ()


@pytest.mark.parametrize("count", [1, 8, 12])
def test_eight_images_are_named_and_the_others_counted(digits, count):
    X = with_black(digits, slice(0, count))
    more = f" and {count - 8} more" if count > 8 else ""
    said = rf"for {count} of its 200 images \((\d+, ){{{min(count, 8) - 1}}}\d+{more}\);"
    error, _ = failing(X, said, body="Divides", up="linear", batch_size=200)
    assert sorted(error.images) == list(range(count))


def test_where_only_the_sum_is_infinite_the_images_come_by_their_loss(digits):
    cost = {"kind": "sparse", "weight": 4e37}
    said = "became inf in epoch 1, batch 1, in the term 'l1', of 200 images"
    error, m = failing(digits, said, bottleneck=cost, batch_size=200)
    sums = m.transform(digits[list(error.images)]).sum(1)
    assert len(sums) == 200
    assert (np.diff(sums) <= 1e-6).all()


def test_of_finite_terms_whose_sum_is_infinite_the_largest_is_to_blame():
    sums = {"nll": torch.tensor(2e38), "kl": torch.tensor(3e38), "l1": torch.tensor(1.0)}
    assert trouble._term_to_blame(sums) == ("kl", torch.inf)


@pytest.mark.parametrize(
    ("losses", "images", "some"),
    [
        ([1, np.inf, 3, np.nan, -np.inf], [1, 3, 4], True),
        ([np.nan, np.inf, np.inf, np.nan, -np.inf], [0, 1, 2, 3, 4], False),
        ([1, 5, 3, 4, 2], [1, 3, 2, 4, 0], False),
    ],
    ids=["some", "all", "none"],
)
def test_images_are_to_blame_whose_loss_is_nan_or_infinite(digits, losses, images, some):
    case = Diagnosis("", model()._prepare(digits))
    places = torch.arange(5)
    trouble._blame(case, case.training.images, places, torch.tensor(losses, dtype=torch.float32))
    assert (case.images, case.some_images) == (images, some)


def test_values_far_beyond_the_scale_are_reported_with_their_size(table):
    X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    X[17, 3] = -1e30
    said = r"1 of its 50 images \(17\), which hold values up to 1e\+30; .*scale='standard'"
    error, _ = failing(X, said, scale="unit")
    assert error.images == (17,)


# -- which parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize("validation", [None, "own"])
def test_a_nan_gradient_is_found_after_the_last_step(digits, validation):
    X, held = with_black(digits, 33), digits[:20] if validation else None
    said = (
        r"the weights body.module.linear.weight, body.module.linear.bias became NaN or infinite, since their "
        r"gradient was not finite in epoch 1, batch 1, of 200 images \(.* root of it"
    )
    error, _ = failing(X, said, body="Rooted", up="linear", batch_size=200, validation=held)
    assert sorted(error.images) == list(range(200))


def test_a_nan_gradient_is_found_one_step_later(digits):
    said = (
        r"in the term 'nll'; the weights body.module.linear.weight, .* was not finite in epoch "
        r"1, batch 18, of 10"
    )
    error, _ = failing(
        with_black(digits, 33), said, body="Rooted", up="linear", batch_size=10, epochs=1
    )
    assert 33 in error.images
    assert len(error.images) == 10


def test_a_nan_gradient_that_is_clipped_is_found_at_once(digits):
    said = (
        r"the gradient of body.module.linear.weight, body.module.linear.bias became nan in "
        r"epoch 1, batch 18, of 10"
    )
    options = {"training": {"clip": 1.0}, "batch_size": 10}
    error, _ = failing(with_black(digits, 33), said, body="Rooted", up="linear", **options)
    assert 33 in error.images


def test_three_parameters_of_a_nan_gradient_are_named_and_the_others_counted(digits):
    training = model()._prepare(digits)
    for parameter in training.parameters:
        parameter.grad = torch.full_like(parameter, torch.nan)
    first = ", ".join(name for name, _ in list(training.network.named_parameters())[:3])
    said = f"the gradient of {first} and {len(training.parameters) - 3} more became nan in epoch 1"
    case = trouble.diagnose_gradient(training, 0, torch.arange(5), torch.nan)
    assert case.said.startswith(said)


def test_nan_in_the_optimisers_averages_is_distinguished_from_a_nan_gradient(digits):
    training = model(batch_size=50)._prepare(digits)
    training.run_epoch()
    good, history = training.weights(), timeless(training.progress.history)
    next(iter(training.optimiser.state.values()))["exp_avg"][0, 0] = torch.nan
    said = (
        r"epoch 2, batch 2, .* the weights body.layers.0.weight became NaN or infinite; .*epoch 1 are kept. "
        r"The optimiser's averages are NaN"
    )
    with pytest.raises(TrainingError, match=said):
        training.run_epoch()
    assert same(good, dict(training.network.state_dict()))
    assert timeless(training.progress.history) == history
    assert training.progress.epoch == 1


# -- what is kept ----------------------------------------------------------------------------------


def test_an_epoch_that_ends_with_nan_leaves_no_trace_in_the_history(digits):
    X = with_black(digits, 33)
    m = model(body="Rooted", up="linear", batch_size=50, validation=digits[:20])
    training = m._prepare(X[40:])
    training.run_epoch()
    history = timeless(training.progress.history)
    training.continue_with(m._prepare(X).images)
    with pytest.raises(TrainingError, match="the best epoch so far are kept"):
        training.run_epoch()
    assert timeless(training.progress.history) == history


# -- what to try -----------------------------------------------------------------------------------


def test_nan_from_a_logarithm_of_zero_is_reported(digits):
    said = (
        "the loss became nan in epoch 1, batch 1, in the term 'nll', for all its 50 images .* "
        "takes a logarithm"
    )
    failing(digits, said, likelihood="Deviance")


@pytest.mark.parametrize(
    ("facts", "options", "words"),
    [
        ({"losses": [30, 90, 400, 2e4]}, {},
         "Try a lower learning rate (now 0.001), or training={'clip': 1.0}"),
        ({"losses": [30] * 9 + [4e5]}, {},
         "The loss was steady, then jumped in one batch: try training={'clip'"),
        ({"losses": [30, 29], "size": 1e6}, {}, "Try a lower learning rate"),
        ({"losses": [30, 29], "term": "kl"}, {}, "Try a lower weight of the cost 'kl'"),
        ({"losses": [30, 29], "some_images": True}, {}, "A part divides by 0 there"),
        ({"losses": [30, 29], "bad_gradients": ["a"]}, {}, "A part divides by 0 there"),
        ({"losses": [30, 29], "some_images": True}, {"precision": "bf16"},
         "Try training={'precision': 'fp32'}"),
        ({"losses": [30, 90], "some_images": True}, {"precision": "bf16"}, "Try a lower learning rate"),
        ({"losses": [30, 90]}, {"clip": 0.5},
         "Try a lower learning rate (now 0.001), or a smaller clip (now 0.5)"),
        ({"losses": [30, 29]}, {}, "Try a lower learning rate"),
        ({}, {}, "A part divides by 0 there"),
        ({"largest": 1e4}, {}, "Try scale='standard', or divide"),
        ({"largest": float("inf"), "some_images": True}, {}, "Try scale='standard', or divide"),
    ],
)  # fmt: skip
def test_the_cure_fits_the_case(digits, facts, options, words):
    case = Diagnosis("", model(training=options)._prepare(digits), **facts)
    assert case.cure.startswith(words)


@pytest.mark.parametrize(
    ("losses", "jumped"),
    [
        ([30, 30, 30, 30, 301], True),
        ([30, 30, 30, 301], False),  # too few to be steady
        ([30, 30, 30, 30, 299], False),
        ([30, 30, 30, 61, 301], False),  # it had grown before
        ([10, 10, 30, 12, 115], True),  # the last is not among the usual ones, whose median is 11
        ([0, 0, 0, 0, 5], False),  # 0 and losses below it have no ratio
        ([-30, -30, -30, -30, 5], False),
    ],
)
def test_a_jump_is_to_ten_times_the_steady_losses_before_it(digits, losses, jumped):
    assert Diagnosis("", model()._prepare(digits), losses=losses).jumped == jumped


@pytest.mark.parametrize(
    ("losses", "fast"),
    [
        ([0.3, 0.1, 0.21], True),
        ([0.3, 0.1, 0.19], False),
        ([30, 90, 31], False),  # it has come down
        ([90], False),
        ([0, 5], False),
        ([-30, 5], False),
    ],
)
def test_a_growth_is_to_twice_the_lowest_loss(digits, losses, fast):
    assert Diagnosis("", model()._prepare(digits), losses=losses).fast == fast


def test_what_is_standardised_already_is_not_to_be_standardised(table):
    case = Diagnosis("", model()._prepare(table), largest=1e4)
    assert case.cure == "Leave these images out, or bound their values"


# -- where a look is a wait ------------------------------------------------------------------------


def test_nan_on_several_ranks_is_reported_with_its_batch_and_images(digits, monkeypatch):
    monkeypatch.setattr(Training, "checks_every_loss", False)
    training = model(optimiser={"kind": "adam", "rate": 1e30}, batch_size=50)._prepare(digits)
    said = "became nan in epoch 1, batch 2, in the term 'nll', of 50 images"
    with pytest.raises(TrainingError, match=said) as caught:
        training.run_epoch()
    assert caught.value.images == tuple(training.batches(0)[1].tolist())


@pytest.fixture
def on_accelerator(digits, monkeypatch):
    """A training after an epoch of 5 steps, as on an accelerator that is checked every 3 steps."""
    monkeypatch.setattr(trouble, "CHECK_EVERY", 3)
    training = model(batch_size=40)._prepare(digits)
    training.run_epoch()
    batches = training.batches(0)
    changed = {
        "device": SimpleNamespace(type="cuda"),
        "batches": lambda epoch: batches,
        "steps_per_epoch": 5,
        "batch_size": 40,
    }
    training = cast(Any, SimpleNamespace(**{**vars(training), **changed}))
    training.progress.epoch = 0
    return training


def cases_after_each_step(training) -> list:
    cases = []
    for training.progress.step in range(1, 6):
        cases.append(check_late(training))
    return cases


def test_an_accelerator_is_checked_for_nan_now_and_then_and_at_the_end(on_accelerator):
    training = on_accelerator
    training.progress.step_sums[1] = torch.nan
    cases = cases_after_each_step(training)
    assert [case is not None for case in cases] == [False, False, True, False, False]
    training.progress.step_sums[4] = torch.inf
    case = check_late(training)
    assert case is not None
    assert "became inf in epoch 1, batch 5, in the term 'nll'" in case.said


def test_memory_of_steps_to_come_is_not_taken_for_a_nan_loss(on_accelerator):
    on_accelerator.progress.step_sums[3:] = torch.nan
    cases = cases_after_each_step(on_accelerator)
    assert [case is not None for case in cases] == [False, False, False, False, True]
