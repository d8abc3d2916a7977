"""Nearest neighbours: the distances are those of scikit-learn, the blur is a Gaussian."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestNeighbors

import narrows as nw
from narrows.errors import BuildError, UnknownName
from narrows.model.estimator.spaces import sampling
from small_models import CONSTANT


def test_distances_equal_scikit_learns(digits):
    fitted = nw.Neighbours(neighbours=3, blur=0, scale="unit").fit(digits[:100])
    flat = digits.reshape(len(digits), -1) / 255
    reference = NearestNeighbors(n_neighbors=3).fit(flat[:100]).kneighbors(flat[100:])[0]
    scores = fitted.anomaly_score(digits[100:], "neighbours")
    np.testing.assert_allclose(scores, np.square(reference).mean(1), rtol=1e-3, atol=1e-5)


def test_thresholds_leave_each_image_out(digits):
    fitted = nw.Neighbours(neighbours=1, blur=0, scale="unit", false_alarms=0.05).fit(digits)
    assert fitted.anomaly_score(digits).max() < 1e-5  # each is its own neighbour
    flat = digits.reshape(len(digits), -1) / 255
    second = np.square(NearestNeighbors(n_neighbors=2).fit(flat).kneighbors(flat)[0][:, 1])
    kept = fitted.calibration_.scores["neighbours"].values
    np.testing.assert_allclose(kept, np.sort(second), rtol=1e-3, atol=1e-5)


def test_the_blur_is_a_gaussian_and_keeps_a_constant_line():
    rows = sampling(40, 2.0, 1)
    line = np.zeros(40, np.float32)
    line[20] = 1
    np.testing.assert_allclose(rows @ torch.tensor(line), gaussian_filter1d(line, 2.0), atol=1e-4)
    for step in (1, 3, 7):
        blurred = sampling(40, 2.0, step) @ torch.ones(40)
        np.testing.assert_allclose(blurred, 1, rtol=1e-6)
        assert len(blurred) == -(-40 // step)


def test_a_shift_of_a_pixel_matters_less_after_the_blur():
    images = np.zeros((14, 16, 16), np.uint8)
    for place in range(14):
        images[place, 2:14, place + 1] = 255  # upright strokes
    sharp, soft = (nw.Neighbours(1, blur=blur, scale="unit") for blur in (0, 0.1))
    ratios = []
    for model in (sharp, soft):
        model.fit(images[::2])
        near = model.anomaly_score(images[5:6])[0]
        far = model.anomaly_score(np.swapaxes(images[5:6], 1, 2))[0]
        ratios.append(near / far)
    assert ratios[1] < 0.5 * ratios[0]


def test_what_it_reconstructs_is_the_mean_of_the_nearest(digits):
    fitted = nw.Neighbours(neighbours=1, blur=0, scale="unit").fit(digits[:50])
    np.testing.assert_array_equal(fitted.reconstruct(digits[:50]), digits[:50])


@pytest.mark.parametrize("options", [{"neighbours": 0}, {"blur": -0.1}, {"blur": 1.0}])
def test_impossible_options_are_refused(options, digits):
    with pytest.raises(BuildError, match=next(iter(options))):
        nw.Neighbours(**options).fit(digits)


NETWORK = {"bottleneck": {"size": 4, "kind": "plain"}, "epochs": 2, "batch_size": 32}


@pytest.fixture(scope="module")
def in_codes(digits):
    return nw.Neighbours(3, space=NETWORK, scale="each").fit(digits[:100])


def test_codes_of_a_network_are_compared(in_codes, digits):
    network = in_codes.member_models_["network"]
    codes = network.transform(digits)
    reference = NearestNeighbors(n_neighbors=3).fit(codes[:100]).kneighbors(codes[100:])[0]
    scores = in_codes.anomaly_score(digits[100:])
    np.testing.assert_allclose(scores, np.square(reference).mean(1), rtol=1e-3, atol=1e-5)
    again = nw.Autoencoder(**NETWORK, scale="each", calibration=0).fit(digits[:100])
    np.testing.assert_array_equal(again.transform(digits), codes)


def test_neighbours_in_codes_are_read_back_as_they_were_written(in_codes, digits, tmp_path):
    path = nw.save(in_codes, tmp_path / "m.safetensors")
    back = nw.load(path)
    for kind in in_codes.thresholds_:
        np.testing.assert_array_equal(
            back.anomaly_score(digits, kind), in_codes.anomaly_score(digits, kind)
        )
    np.testing.assert_array_equal(back.sample(3), in_codes.sample(3))
    assert path.read_bytes() == nw.save(back, tmp_path / "again.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"epochz": 3}, "epochs"),
        ("ae-mlp", "dict"),
        ({"bottleneck": "plan"}, "plain"),
        ({"body": {"kind": "unet", "channels": [4, 8]}, "epochs": 1}, "code alone"),
    ],
)
def test_spaces_without_codes_to_compare_are_refused(space, words, digits):
    with pytest.raises((BuildError, UnknownName), match=words):
        nw.Neighbours(space=space).fit(digits[:20])


@pytest.mark.filterwarnings(CONSTANT)
def test_options_of_the_space_are_set_one_by_one(digits):
    model = nw.Neighbours().set_params(space__epochs=1, space__bottleneck__size=3)
    assert model.space == {"epochs": 1, "bottleneck": {"size": 3}}
    given = {"epochs": 1, "bottleneck": {"kind": "plain", "size": 3}}
    search = GridSearchCV(nw.Neighbours(space=given), {"space__bottleneck__size": [2, 3]}, cv=2)
    search.fit(digits[:40])
    assert search.best_estimator_.space["bottleneck"]["size"] in (2, 3)
    assert given["bottleneck"]["size"] == 3  # the user's own dict stays as it is
    with pytest.raises(BuildError, match="epochs"):
        nw.Neighbours().set_params(space__epochz=1).fit(digits[:20])
