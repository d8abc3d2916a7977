"""The detector of anomalies: what it finds, what its thresholds hold, and what must not upset it."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import narrows as nw
from narrows.errors import BuildError, DataError
from narrows.measure.detection import auroc
from narrows.model.detector import members
from narrows.model.detector.detector import FEWEST
from narrows.model.file_format import read_file, to_bytes

FALSE_ALARMS = 0.1
few_images = pytest.mark.filterwarnings("ignore:.*are too few for a share")


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """1,797 digits `(1797, 8, 8)` and their labels."""
    parts = [nw.load_data("digits", split=part) for part in ("train", "test")]
    return np.concatenate([X for X, _ in parts]), np.concatenate([y for _, y in parts])


@pytest.fixture(scope="module")
def task(digits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Threes to learn from, other threes and all else, and which of these are no threes."""
    X, y = digits
    own = np.flatnonzero(y == 3)
    test = np.concatenate([own[100:], np.flatnonzero(y != 3)])
    return X[own[:100]], X[test], y[test] != 3


@pytest.fixture(scope="module")
def detector(task) -> nw.AnomalyDetector:
    return nw.AnomalyDetector(false_alarms=FALSE_ALARMS).fit(task[0])


def test_it_finds_what_does_not_belong(detector, task):
    _, test, anomalous = task
    assert auroc(detector.anomaly_score(test), anomalous) > 0.98
    flagged = detector.flag(test)
    assert flagged[anomalous].mean() > 0.9 > 0.3 > flagged[~anomalous].mean()


def test_the_same_seed_gives_the_same_detector(detector, task):
    train, test, _ = task
    again = nw.AnomalyDetector(false_alarms=FALSE_ALARMS).fit(train)
    assert again.choice_ == detector.choice_
    np.testing.assert_array_equal(again.anomaly_score(test), detector.anomaly_score(test))


def test_the_score_of_an_image_does_not_depend_on_the_others(detector, task):
    scores = detector.anomaly_score(task[1])
    alone = np.concatenate([detector.anomaly_score(x[None]) for x in task[1][:20]])
    np.testing.assert_allclose(alone, scores[:20], rtol=1e-4, atol=1e-5)


def test_members_without_a_weight_are_not_computed(detector, task, monkeypatch):
    def refuse(*_):
        raise AssertionError("its score is not needed")

    alone = {name: float(name == "neighbours-each") for name in detector.members_}
    monkeypatch.setitem(detector.choice_, "weights", alone)
    combined, own = (detector.anomaly_score(task[1], kind) for kind in (None, "neighbours-each"))
    assert (np.argsort(combined[combined > -2]) == np.argsort(own[combined > -2])).all()
    for name in ("neighbours-unit", detector._reference_name):
        monkeypatch.setattr(type(detector.members_[name].model), "_outputs", refuse)
    np.testing.assert_array_equal(detector.anomaly_score(task[1]), combined)
    with pytest.raises(AssertionError):
        detector.anomaly_score(task[1], "relative")


def test_brightness_and_contrast_mean_nothing_where_they_vary(digits):
    X, y = digits
    rng = np.random.default_rng(0)
    gain = rng.uniform(0.3, 1, (len(X), 1, 1))
    jittered = (X / 255 * gain + rng.uniform(0, 1, gain.shape) * (1 - gain)).astype(np.float32)
    own = np.flatnonzero(y == 3)
    varied = nw.AnomalyDetector().fit(jittered[own[:100]])
    assert "neighbours-unit" not in varied.members_
    test = np.concatenate([own[100:], np.flatnonzero(y != 3)])
    assert auroc(varied.anomaly_score(jittered[test]), y[test] != 3) > 0.95


@pytest.mark.slow
@few_images
def test_thresholds_hold_their_share_of_false_alarms(digits):
    X, _ = digits
    flagged: dict[str, list[float]] = {}
    for seed in range(50):
        order = np.random.default_rng(seed).permutation(len(X))
        fitted = nw.AnomalyDetector(false_alarms=FALSE_ALARMS, random_state=seed).fit(
            X[order[:300]]
        )
        for kind in fitted.thresholds_:
            flagged.setdefault(kind, []).append(fitted.flag(X[order[200:700]], kind).mean())
    for kind, shares in flagged.items():
        assert 0.5 * FALSE_ALARMS < np.mean(shares) < 1.5 * FALSE_ALARMS, kind


@few_images
def test_a_pixel_that_never_varied_does_not_outweigh_a_defect(digits):
    X = np.pad(digits[0][:400], ((0, 0), (4, 4), (4, 4)))  # a border that is always black
    fitted = nw.AnomalyDetector().fit(X[:300])
    normal = X[300:].copy()
    dust, defect = normal.copy(), normal.copy()
    dust[:, 1, 1] = 12  # a twentieth of white
    defect[:, 6:10, 6:10] = 255 - defect[:, 6:10, 6:10]
    for kind in fitted.own_scores_:
        plain, dusty, broken = (fitted.anomaly_score(x, kind) for x in (normal, dust, defect))
        assert np.median(broken) > np.median(dusty), kind
        assert auroc(np.concatenate([plain, dusty]), np.arange(200) >= 100) < 0.7, kind


@few_images
def test_duplicates_and_a_constant_set_give_finite_scores(digits):
    X = digits[0]
    repeated = nw.AnomalyDetector().fit(np.repeat(X[:30], 5, axis=0))
    constant = nw.AnomalyDetector().fit(np.full((40, 8, 8), 100, np.uint8))
    for fitted in (repeated, constant):
        for kind in fitted.thresholds_:
            assert np.isfinite(fitted.anomaly_score(X[:50], kind)).all(), kind
    same = np.full((1, 8, 8), 100, np.uint8)
    assert constant.anomaly_score(X[:50]).min() > constant.anomaly_score(same)[0]


@few_images
def test_a_few_anomalies_among_the_normal_images_cost_little(digits):
    X, y = digits
    drops = []
    for digit in (1, 3, 6):
        own, others = np.flatnonzero(y == digit), np.flatnonzero(y != digit)
        test = np.concatenate([own[120:], others[6:]])
        clean = nw.AnomalyDetector().fit(X[own[:120]])
        mixed = nw.AnomalyDetector().fit(X[np.concatenate([own[:114], others[:6]])])
        aurocs = [auroc(f.anomaly_score(X[test]), y[test] != digit) for f in (clean, mixed)]
        drops.append(aurocs[0] - aurocs[1])
    assert np.mean(drops) < 0.02


def test_it_is_read_back_as_it_was_written(detector, task, tmp_path: Path):
    path = nw.save(detector, tmp_path / "m.safetensors")
    back = nw.load(path)
    for kind in detector.thresholds_:
        np.testing.assert_array_equal(
            back.anomaly_score(task[1], kind), detector.anomaly_score(task[1], kind)
        )
    np.testing.assert_array_equal(back.flag(task[1]), detector.flag(task[1]))
    np.testing.assert_array_equal(back.sample(3), detector.sample(3))
    assert path.read_bytes() == nw.save(back, tmp_path / "again.safetensors").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda header, tensors: header.pop("members"),
        lambda header, tensors: header["members"].pop("neighbours-each"),
        lambda header, tensors: tensors.pop("neighbours-each/bank_"),
        lambda header, tensors: header["facts"]["choice_"]["weights"].update(other=1.0),
        lambda header, tensors: header["facts"]["choice_"]["kinds"].update(
            {"neighbours-each": "x"}
        ),
        lambda header, tensors: header["facts"].pop("choice_"),
        *(
            lambda header, tensors, value=value: header["facts"]["choice_"]["weights"].update(
                dict.fromkeys(header["members"], value)
            )
            for value in (0.0, -1.0, float("nan"), float("inf"))
        ),
        lambda header, tensors: header["facts"]["choice_"]["standards"].update(
            {"neighbours-each": [0.0, 0.0]}
        ),
        lambda header, tensors: header["members"]["neighbours-each"].update(members={"a": {}}),
        lambda header, tensors: header["members"]["neighbours-each"]["layout"].update(
            image=[4, 16, 1], came=[4, 16]
        ),
    ],
)
def test_a_file_that_is_no_detector_is_refused(change, detector, tmp_path: Path):
    header, tensors = read_file(nw.save(detector, tmp_path / "m.safetensors"))
    change(header, tensors)
    (tmp_path / "changed.safetensors").write_bytes(to_bytes(header, tensors))
    with pytest.raises(DataError, match=r"changed\.safetensors"):
        nw.load(tmp_path / "changed.safetensors")


def test_the_table_names_each_candidate_and_what_it_is_worth(detector):
    rows = {row["candidate"]: row for row in detector.choice_["rows"]}
    assert set(detector.members_) | {"combined"} <= set(rows)
    for row in rows.values():
        assert 0 <= row["turned"] <= 1
        assert row["worth"] > 0
    best = [row["worth"] for row in detector.choice_["rows"]]
    assert best == sorted(best, reverse=True)


def test_tables_have_standardised_members():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 6)) * [1, 10, 100, 1, 1, 1]
    fitted = nw.AnomalyDetector(false_alarms=0.05).fit(rows[:250])
    far = rows[250:] + [8, 0, 0, 0, 0, 0]
    assert (
        auroc(fitted.anomaly_score(np.concatenate([rows[250:], far])), np.arange(100) >= 50) > 0.95
    )


@few_images
def test_components_are_of_all_parts_of_a_sorted_set(monkeypatch):
    monkeypatch.setattr(members, "MOST_VALUES", 64 * 60)
    rng = np.random.default_rng(0)
    dark, light = (rng.normal(size=(100, 8, 8)) * gain + 100 for gain in (1, 20))
    dark[:, :4] += rng.normal(size=(100, 1, 1)) * 30  # each half of the set varies in its own way
    light[:, :, 4:] += rng.normal(size=(100, 1, 1)) * 30
    sorted_set = np.concatenate([dark, light]).clip(0, 255).astype(np.uint8)
    shuffled = sorted_set[rng.permutation(200)]
    sizes = [nw.AnomalyDetector().fit(X).code_size_ for X in (sorted_set, shuffled)]
    assert sizes[0] == pytest.approx(sizes[1], abs=3)


def test_too_few_images_and_unknown_scales_are_refused(digits):
    with pytest.raises(BuildError, match=f"got 3.*{FEWEST} at least"):
        nw.AnomalyDetector().fit(digits[0][:3])
    with pytest.raises(BuildError, match="calibration: got 0"):
        nw.AnomalyDetector(calibration=0).fit(digits[0][:50])
    with pytest.raises(nw.NarrowsError, match="did you mean 'each'"):
        nw.AnomalyDetector(scale="ech").fit(digits[0][:50])


@few_images
def test_colour_images_of_odd_sides_work():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (40, 9, 21, 3), dtype=np.uint8)
    fitted = nw.AnomalyDetector().fit(images)
    assert fitted.anomaly_score(images).shape == (40,)
    assert fitted.reconstruct(images).shape == images.shape
    assert fitted.error_map(images).shape == (40, 9, 21)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fitted.inverse_transform(fitted.transform(images)).shape == images.shape
