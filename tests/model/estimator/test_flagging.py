"""Which images are flagged: thresholds from images that the model has not seen hold their share of
false alarms, and what is said where they do not.
"""

import os
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import narrows as nw
from narrows.errors import BuildError, DataError, NarrowsWarning
from narrows.measure.conformal import NormalScores
from narrows.model.file_format import read_file, to_bytes
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.training.split import held_back
from small_models import CONSTANT, UNCALIBRATED, model, weights

SPLITS = 50
pytestmark = pytest.mark.filterwarnings(CONSTANT)
FIFTH = {"calibration": 0.2}


@pytest.fixture(scope="module")
def pool() -> np.ndarray:
    """1,797 digits, `(1797, 8, 8)`, of which any split is exchangeable."""
    return np.concatenate([nw.load_data("digits", split=part)[0] for part in ("train", "test")])


def shares_flagged(make, pool, count, shares, splits=SPLITS):
    """The mean share of new normal images that is flagged, at each share asked for, of each kind of
    score.
    """
    flagged: dict[tuple[float, str], list[float]] = {}
    for seed in range(splits):
        places = np.random.default_rng(seed).permutation(len(pool))[: count + 500]
        fitted = make(seed).fit(pool[places[:count]])
        for share, kind in product(shares, fitted.thresholds_):
            new = fitted.flag(pool[places[count:]], kind, false_alarms=share)
            flagged.setdefault((share, kind), []).append(new.mean())
    return {key: np.mean(values) for key, values in flagged.items()}


# -- the share of false alarms ---------------------------------------------------------------------


def assert_about_their_shares(found, kinds):
    assert {kind for _, kind in found} == kinds
    for (share, kind), flagged in found.items():
        assert 0.5 * share <= flagged <= 1.5 * share, (share, kind, flagged)


@pytest.mark.parametrize(
    ("count", "shares"),
    [
        pytest.param(200, (0.05, 0.1), marks=pytest.mark.slow),
        (600, (0.05,)),
        pytest.param(1200, (0.01,), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_false_alarms_of_components_over_50_splits_are_about_their_share(pool, count, shares):
    found = shares_flagged(lambda seed: nw.PCA(16, random_state=seed), pool, count, shares)
    assert_about_their_shares(found, {"error", "patch", "relative", "code"})


def test_false_alarms_of_networks_over_50_splits_are_about_their_share(pool):
    bottleneck = {"kind": "variational", "size": 4}
    options = {**FIFTH, "bottleneck": bottleneck, "epochs": 2}
    found = shares_flagged(lambda seed: model(random_state=seed, **options), pool, 500, (0.05, 0.1))
    assert_about_their_shares(found, {"error", "patch", "relative", "bound", "code"})


@pytest.mark.filterwarnings(UNCALIBRATED)
def test_false_alarms_of_thresholds_from_training_images_are_more(pool):
    """The law above can fail."""
    found = shares_flagged(lambda seed: nw.PCA(16, calibration=0), pool, 100, (0.05,), splits=10)
    assert found[0.05, "error"] > 3 * 0.05


@pytest.mark.slow
@pytest.mark.skipif(
    not Path(os.environ.get("NARROWS_DATA") or "nowhere", "mnist").is_dir(), reason="needs MNIST"
)
def test_false_alarms_on_mnist_are_about_their_share():
    pool = nw.load_data("mnist", split="test")[0]
    found = shares_flagged(lambda seed: nw.PCA(32), pool, 600, (0.05,), splits=10)
    assert_about_their_shares(found, {"error", "patch", "relative", "code"})


# -- which images ----------------------------------------------------------------------------------


def test_the_threshold_of_a_network_is_a_rank_of_the_images_that_were_held_out(digits):
    held = held_back(len(digits), 0.2, 0)
    m = model(**FIFTH, false_alarms=0.1).fit(digits)
    np.testing.assert_array_equal(m.calibration_index_, held)
    for kind in m.thresholds_.keys() - {"relative"}:  # in which each is compared with the others
        threshold = m.thresholds_[kind]
        in_order = np.sort(m.anomaly_score(digits[held], kind))
        assert threshold == pytest.approx(in_order[41 - 4 - 1], rel=1e-5)  # n = 40: rank 41 - 4
    assert m.threshold_ == m.thresholds_["patch"]


def test_the_images_that_were_held_out_are_not_trained_on(digits):
    held = held_back(len(digits), 0.2, 0)
    with_others = digits.copy()
    with_others[held] = 255 - digits[held]
    one, two = model(**FIFTH).fit(digits), model(**FIFTH).fit(with_others)
    assert all(np.array_equal(value, weights(two)[name]) for name, value in weights(one).items())
    np.testing.assert_array_equal(one.transform(digits), two.transform(digits))
    assert two.thresholds_["error"] > 2 * one.thresholds_["error"]


def test_validation_images_are_those_that_calibrate(digits):
    m = model(validation=0.3, **FIFTH).fit(digits)
    assert (m.calibration_.source, m.calibration_.count) == ("held out", 60)
    assert m.calibration_index_ is None
    separate = model(validation=digits[:50], **FIFTH).fit(digits[50:])
    assert separate.calibration_.count == 50


def test_complete_groups_are_held_out(digits):
    groups = np.arange(len(digits)) // 10
    m = model(**FIFTH).fit(digits, groups=groups)
    held = m.calibration_index_
    assert len(held) == 40
    assert set(groups[held]).isdisjoint(np.delete(groups, held))
    assert model(**FIFTH).fit(digits, groups=np.zeros(200)).calibration_.source == "training"


def test_images_of_weight_0_neither_train_nor_calibrate(digits):
    kept = np.arange(200) % 3 > 0
    whole = {"batch_size": 1000, "epochs": 2, "optimiser": {"kind": "sgd", "lr": 1e-3}, **FIFTH}
    weighted = model(**whole).fit(digits, sample_weight=kept)
    without = model(**whole).fit(digits[kept])
    assert weighted.calibration_.count == without.calibration_.count == round(0.2 * kept.sum())
    assert kept[weighted.calibration_index_].all()
    assert weighted.thresholds_ == pytest.approx(without.thresholds_, rel=1e-3)


@pytest.mark.parametrize(("count", "source"), [(1, "training"), (2, "training"), (3, "held out")])
def test_of_very_few_images_none_are_held_out(digits, count, source):
    assert model(**FIFTH, epochs=1).fit(digits[:count]).calibration_.source == source
    assert nw.PCA(1).fit(digits[:count]).calibration_.count == count


def test_parts_are_trained_on_completely(digits):
    m = model(**FIFTH).partial_fit(digits)
    assert m.calibration_.source == "training"
    m.calibrate(digits)
    assert m.calibration_.source == "given"


def test_a_training_that_was_resumed_has_equal_thresholds(digits, tmp_path):
    path = tmp_path / "last.safetensors"
    whole = model(**FIFTH).fit(digits)
    for _ in zip(range(2), model(**FIFTH).fit_epochs(digits, checkpoint=Checkpoint(path))):
        pass
    resumed = model(**FIFTH).fit(digits, checkpoint=Checkpoint(path, resume=True))
    assert resumed.thresholds_ == whole.thresholds_
    for kind, normal in whole.calibration_.scores.items():
        np.testing.assert_array_equal(resumed.calibration_.scores[kind].values, normal.values)


# -- other shares, and the user's own images -------------------------------------------------------


def test_another_share_of_false_alarms_needs_no_other_fit(digits):
    m = nw.PCA(8).fit(digits)
    for share in (0.01, 0.05, 0.2):
        fitted = nw.PCA(8, false_alarms=share).fit(digits)
        np.testing.assert_array_equal(m.flag(digits, None, share), fitted.flag(digits))
    flagged = [m.flag(digits, "error", share).sum() for share in (0.01, 0.1, 0.5)]
    assert flagged == sorted(flagged)
    assert flagged[-1] > flagged[0]


def test_calibrate_takes_the_ranks_of_the_images_given(ae, digits):
    other = nw.load_data("digits", split="test")[0]
    m = nw.PCA(8).fit(digits)
    assert m.calibrate(other, 0.05) is m
    assert m.calibration_.source == "given"
    for kind in m.thresholds_:
        expected = NormalScores.of(m.anomaly_score(other, kind)).threshold(0.05)
        assert m.thresholds_[kind] == expected
        assert m.flag(other, kind).mean() <= 0.05
    assert m.calibrate(other).calibration_.false_alarms == 0.01


@pytest.mark.filterwarnings(UNCALIBRATED)
def test_percentiles_say_what_flag_says(ae, pca, digits):
    for m in (ae, pca):
        for kind in m.thresholds_:
            percentile = m.anomaly_percentile(digits, kind)
            assert percentile.shape == (len(digits),)
            np.testing.assert_array_equal(percentile >= 90, m.flag(digits, kind, 0.1))


# -- what is said ----------------------------------------------------------------------------------


def test_a_threshold_from_training_images_is_reported_at_its_use(digits):
    m = nw.PCA(8, calibration=0).fit(digits)
    with pytest.warns(NarrowsWarning, match=r"200 training images themselves.*calibrate\(X\)"):
        m.flag(digits)
    with pytest.raises(BuildError, match=r"calibrate\(X_normal\) first"):
        m.anomaly_percentile(digits)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m.calibrate(digits[:99]).flag(digits)  # as many as 1 of 100 needs


def test_too_few_images_for_a_share_of_false_alarms_are_reported(digits):
    m = nw.PCA(4).fit(digits[:98])
    said = r"98 images are too few for a share of 0.01 false alarms, which takes 99 .* 1 of 99 "
    with pytest.warns(NarrowsWarning, match=said):
        m.flag(digits)
    assert m.flag(digits, "error", 0.05).dtype == bool  # 19 are enough: nothing is said
    assert m.thresholds_["error"] == m.calibration_.scores["error"].values.max()


def test_a_threshold_set_by_the_user_causes_no_warning(digits):
    m = nw.PCA(8, calibration=0).fit(digits)
    m.threshold_ = 0.1
    np.testing.assert_array_equal(m.flag(digits), m.anomaly_score(digits) > 0.1)


@pytest.mark.parametrize("share", [1, -0.2, "a fifth", float("nan")])
def test_a_share_that_cannot_be_held_out_is_refused(digits, share):
    for estimator in (nw.PCA(2, calibration=share), model(calibration=share)):
        with pytest.raises(BuildError, match=r"calibration: got .* or 0 for none"):
            estimator.fit(digits)
        with pytest.raises(BuildError, match="false_alarms: got 2"):
            estimator.set_params(calibration=0, false_alarms=2).fit(digits)


# -- the model file --------------------------------------------------------------------------------


def test_a_file_keeps_the_calibration(ae, vae, pca, tmp_path):
    for m in (ae, vae, pca):
        again = nw.load(nw.save(m, tmp_path / "m.safetensors")).calibration_
        assert (again.source, again.false_alarms) == (m.calibration_.source, 0.01)
        assert again.scores.keys() == m.thresholds_.keys()
        for kind, normal in m.calibration_.scores.items():
            assert again.scores[kind].count == normal.count
            np.testing.assert_array_equal(again.scores[kind].values, normal.values)


DAMAGES = {
    "another number of scores": lambda facts, tensors: facts["counts"].update(error=7),
    "no scores": lambda facts, tensors: facts["counts"].update(error=0),
    "scores in no order": lambda facts, tensors: tensors.update(
        {"calibration.error": tensors["calibration.error"].flip(0)}
    ),
    "a missing tensor": lambda facts, tensors: tensors.pop("calibration.error"),
    "an unknown source": lambda facts, tensors: facts.update(source="a guess"),
    "an impossible share": lambda facts, tensors: facts.update(false_alarms=3.0),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_with_a_damaged_calibration_is_refused(pca, damage, tmp_path):
    path = nw.save(pca, tmp_path / "m.safetensors")
    header, tensors = read_file(path)
    DAMAGES[damage](header["facts"]["calibration_"], tensors)
    path.write_bytes(to_bytes(header, tensors))
    with pytest.raises(DataError, match="not a complete model of Narrows"):
        nw.load(path)
