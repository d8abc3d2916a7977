"""Networks among the members of a detector: within their minutes, chosen only if they are worth it."""

from pathlib import Path

import numpy as np
import pytest

import narrows as nw
from narrows.errors import BuildError, TrainingError
from narrows.model.detector import choice, networks
from narrows.model.detector.networks import COUNT, SCORES, is_network
from narrows.model.files.onnx import export

MINUTES = 5  # more than is used: the steps are limited
few_images = pytest.mark.filterwarnings("ignore:.*are too few for a share")


@pytest.fixture(scope="module")
def threes() -> np.ndarray:
    X, y = nw.load_data("digits")
    return X[y == 3][:60]


@pytest.fixture(scope="module")
def detector(threes) -> nw.AnomalyDetector:
    """A detector that is made of a network and components alone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(networks, "FEWEST_STEPS", 1)
        patched.setattr(networks, "MOST_STEPS", 10)
        patched.setattr(choice, "_weights_to_try", _the_network_alone)
        return nw.AnomalyDetector(minutes=MINUTES, false_alarms=0.1).fit(threes)


def _the_network_alone(names):
    yield from ({name: 1.0} for name in names if is_network(name))


def test_each_network_and_score_is_a_candidate(detector):
    names = [row["candidate"] for row in detector.choice_["rows"] if is_network(row["candidate"])]
    assert len(names) == COUNT * len(SCORES)
    assert detector.choice_["epochs"] >= 1
    assert f"{detector.choice_['epochs']} epochs" in detector.choice_in_words_


def test_the_network_that_is_worth_most_is_kept(detector):
    best = next(r["candidate"] for r in detector.choice_["rows"] if is_network(r["candidate"]))
    assert [name for name in detector.members_ if is_network(name)] == [best]
    assert detector.choice_["weights"][best] == 1


def test_a_network_scores_as_it_does_alone(detector, threes):
    member = next(m for name, m in detector.members_.items() if is_network(name))
    name = next(name for name in detector.members_ if is_network(name))
    alone = member.model.anomaly_score(threes, member.kind)
    np.testing.assert_allclose(detector.anomaly_score(threes, name), alone, rtol=1e-5)


def test_a_detector_with_a_network_is_read_back_as_it_was_written(detector, threes, tmp_path: Path):
    back = nw.load(nw.save(detector, tmp_path / "m.safetensors"))
    for kind in detector.thresholds_:
        np.testing.assert_array_equal(
            back.anomaly_score(threes, kind), detector.anomaly_score(threes, kind)
        )
    np.testing.assert_array_equal(back.reconstruct(threes), detector.reconstruct(threes))


@pytest.mark.slow
def test_a_detector_with_convolutions_is_exported_as_onnx(threes, monkeypatch, tmp_path: Path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    large = np.repeat(np.repeat(threes, 5, axis=1), 5, axis=2)
    monkeypatch.setattr(networks, "FEWEST_STEPS", 1)
    monkeypatch.setattr(networks, "MOST_STEPS", 2)
    monkeypatch.setattr(choice, "_weights_to_try", _the_network_alone)
    detector = nw.AnomalyDetector(minutes=MINUTES, false_alarms=0.1).fit(large)
    file = export(detector, tmp_path / "m.onnx")
    session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    [score] = session.run(["score"], {"images": large[:7]})
    np.testing.assert_allclose(score, detector.anomaly_score(large[:7]), rtol=1e-4, atol=1e-4)


@few_images
def test_too_few_minutes_leave_networks_out(threes):
    detector = nw.AnomalyDetector(minutes=1e-6).fit(threes)
    plain = nw.AnomalyDetector().fit(threes)
    assert detector.choice_["epochs"] == 0
    assert "not tried" in detector.choice_in_words_
    np.testing.assert_array_equal(detector.anomaly_score(threes), plain.anomaly_score(threes))


@few_images
def test_a_network_that_diverges_is_no_candidate(threes, monkeypatch):
    def diverge(*_):
        raise TrainingError("the loss became NaN")

    monkeypatch.setattr(networks.Autoencoder, "fit", diverge)
    detector = nw.AnomalyDetector(minutes=MINUTES).fit(threes)
    assert not any(is_network(row["candidate"]) for row in detector.choice_["rows"])


@pytest.mark.parametrize("minutes", [-1, float("nan"), float("inf"), "5"])
def test_minutes_that_are_none_are_refused(minutes, threes):
    with pytest.raises(BuildError, match="minutes"):
        nw.AnomalyDetector(minutes=minutes).fit(threes)
