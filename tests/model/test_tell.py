"""Trackers: what a logger is told is what the model knows, whatever ends the training."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone

import narrows as nw
from narrows.choose import merge_spec
from narrows.cli.options import assignment
from narrows.errors import BuildError, ImageError, TrainingError, UnknownName
from narrows.model.recipes import RECIPES
from narrows.model.trackers import NAMES, flatten_options
from small_models import CONSTANT, model, same, told, weights

pytestmark = pytest.mark.filterwarnings(CONSTANT)


class Recorder:
    """The four names, and a memory; it breaks down in the epoch `breaks`."""

    name, version = "recorder", 0

    def __init__(self, breaks: int = 0):
        self.breaks, self.params, self.epochs = breaks, [], {}

    def log_hyperparams(self, params):
        self.params.append(params)

    def log_metrics(self, metrics, step):
        if step == self.breaks:
            raise OSError("no room is left")
        self.epochs[step] = metrics


class Finalised(Recorder):
    """With the fifth name of Lightning's loggers."""

    def __init__(self, breaks: int = 0):
        super().__init__(breaks)
        self.ends = []

    def finalize(self, status):
        self.ends.append((status, len(self.epochs)))


# -- what a logger is told -------------------------------------------------------------------------


def test_it_is_reported_the_history_and_the_options(digits):
    logger = Recorder()
    m = model(
        validation=0.2,
        training={"measures": ["psnr"]},
        bottleneck={"kind": "variational", "size": 3},
    )
    m.fit(digits, logger=logger)
    assert logger.epochs == told(m.history_)
    assert {"loss", "nll", "kl", "val_loss", "val_psnr", "seconds"} <= set(logger.epochs[3])
    (params,) = logger.params
    assert (params["bottleneck"], params["bottleneck.size"], params["epochs"]) == (
        "variational",
        3,
        3,
    )
    assert {name.partition(".")[0] for name in params} == set(m.get_params(deep=False))


def test_it_is_reported_of_components_too(digits):
    logger, m = Finalised(), nw.PCA(5)
    m.fit(digits, logger=logger)
    flat = digits.reshape(len(digits), -1) / 255
    share = m.explained_variance_.sum() / flat.var(0, ddof=1).sum()
    assert logger.epochs == {1: {"explained_variance_ratio": pytest.approx(share, rel=1e-4)}}
    assert logger.params == [m.get_params(deep=False)]
    assert logger.ends == [("success", 1)]


def test_each_epoch_is_reported_when_it_is_over(digits):
    logger = Recorder()
    for k, m in enumerate(model().fit_epochs(digits, logger=logger), start=1):
        assert logger.epochs == told(m.history_)
        assert len(logger.epochs) == k


def test_a_logger_changes_nothing(digits):
    logged, alone = model().fit(digits, logger=Recorder()), model().fit(digits)
    assert same(weights(logged), weights(alone))
    assert "logger" not in clone(logged).get_params()
    assert model().fit_transform(digits, logger=(logger := Recorder())).shape[0] == len(digits)
    assert len(logger.epochs) == 3


@pytest.mark.parametrize("name", RECIPES)
def test_options_are_reported_as_set_takes_them(name):
    options = nw.recipe(name).get_params(deep=False)
    again: dict = {}
    for option, value in flatten_options(options).items():
        assert value is None or isinstance(value, (bool, int, float, str))
        again = merge_spec(again, assignment(f"{option}={value}"))
    filled = {k: v for k, v in options.items() if v != {}}
    assert flatten_options(again) == flatten_options(filled)
    assert type(nw.recipe(name))(**again).get_params()


def test_arrays_are_reported_as_words(digits):
    class Body:
        pass

    random = np.random.RandomState(0)
    found = flatten_options(
        {
            "validation": digits[:9],
            "body": Body,
            "random_state": random,
            "a": {"b": {"c": np.float64(0.5)}},
        }
    )
    assert found == {
        "validation": "an array of 9 x 8 x 8",
        "body": "Body",
        "random_state": "RandomState",
        "a.b.c": 0.5,
    }
    assert flatten_options({"validation": list(digits[:9])}) == {
        "validation": "an array of 9 x 8 x 8"
    }
    assert json.dumps(
        flatten_options({"widths": [256, np.int64(3)], "on": np.True_, "odd": [[1], [2, 3]]})
    )


# -- what goes wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", NAMES)
def test_a_logger_that_lacks_a_name_is_refused_before_training(lacking, digits):
    logger = SimpleNamespace(**{name: print for name in NAMES if name != lacking})
    for m in (model(), nw.PCA(2)):
        with pytest.raises(
            BuildError, match=rf"expected one with the names .*; missing: {lacking}$"
        ):
            m.fit(digits, logger=logger)
        assert not hasattr(m, "layout_")


def test_all_that_a_logger_lacks_is_reported(digits):
    with pytest.raises(
        BuildError,
        match=r"got 'tensorboard', .*missing: log_hyperparams, log_metrics, name, version",
    ):
        model().fit(digits, logger="tensorboard")


def test_what_was_learnt_is_kept_where_a_logger_fails(digits):
    logger, m = Finalised(breaks=2), model()
    with pytest.raises(OSError, match="no room is left"):
        m.fit(digits, logger=logger)
    assert m.epochs_ == len(m.history_["loss"]) == 2
    assert logger.epochs == told(m.history_, 1)
    assert logger.ends == [("failed", 1)]
    two = model(epochs=2).fit(digits)
    assert same(weights(m), weights(two))
    np.testing.assert_array_equal(m.transform(digits), two.transform(digits))
    assert m.threshold_ == two.threshold_


def test_a_logger_hears_how_it_ended(digits):
    def ends(images=digits, **options):
        logger = Finalised()
        try:
            model(**options).fit(images, logger=logger)
        finally:
            heard.extend(logger.ends)

    heard: list = []
    ends()
    with pytest.raises(ImageError):
        ends(digits * np.nan)
    with pytest.raises(UnknownName):
        ends(objective="elbow")
    with pytest.raises(TrainingError):
        ends(optimiser={"kind": "sgd", "rate": 1e30})
    assert [status for status, _ in heard] == ["success", "failed", "failed", "failed"]
    assert heard[0] == ("success", 3)


def test_a_caller_who_has_seen_enough_is_no_failure(digits):
    logger = Finalised()
    epochs = model().fit_epochs(digits, logger=logger)
    m = next(epochs)
    assert logger.ends == []
    epochs.close()
    assert logger.ends == [("success", 1)]
    assert logger.epochs == told(m.history_)
