"""The exact score is the gradient of the log density; a learned one is the step that the denoiser
takes.
"""

from itertools import pairwise

import numpy as np
import pytest
import torch

from narrows.errors import BuildError
from narrows.measure import psnr
from narrows.study.figures.theory import _exact

SIGMA = 0.05  # 0.1 on [-1, 1]


@pytest.fixture(scope="session")
def field(models):
    """The figure of a field, and its arrays as float64."""
    from narrows.study.figures import STUDY_FIGURES

    (figure,) = STUDY_FIGURES["field"]([models["points"]], count=9, steps=3, walks=4)
    return figure, {name: np.asarray(array, np.float64) for name, array in figure.arrays.items()}


@pytest.mark.parametrize("sigma", [0.05, 0.3, 2.0])
def test_the_exact_score_is_the_gradient_of_the_mixtures_log_density(sigma):
    random = np.random.default_rng(0)
    points, places = random.normal(size=(20, 2)), random.normal(size=(50, 2)) * 2
    x = torch.tensor(places, requires_grad=True)
    squared = (x[:, None] - torch.tensor(points)[None]).square().sum(-1)
    torch.logsumexp(-squared / (2 * sigma**2), dim=1).sum().backward()
    step, distance = _exact(places, points, sigma)
    np.testing.assert_allclose(step, sigma**2 * x.grad.numpy(), atol=1e-9)
    np.testing.assert_allclose(distance, squared.detach().sqrt().min(1).values.numpy())


def test_far_away_the_exact_step_leads_to_the_nearest_point_and_stays_a_number():
    step, _ = _exact(np.array([[1e4, 0.0]]), np.array([[0.0, 1.0], [5.0, 0.0]]), 0.01)
    np.testing.assert_allclose(step, [[5 - 1e4, 0]])


def test_the_learned_field_is_the_step_of_the_denoiser_on_the_images_scale(models, field):
    figure, arrays = field
    places = arrays["x"].astype(np.float32)
    made = models["points"].model.reconstruct(places, exact=True)
    np.testing.assert_allclose(arrays["v"], made - places, atol=1e-5)
    assert f"σ = {SIGMA:g}" in figure.title


def test_the_exact_field_is_that_of_the_training_points_at_places_near_them(sets, field):
    _, arrays = field
    points = sets["points"].train.images.astype(np.float64)
    step, distance = _exact(arrays["x"], points, SIGMA)
    np.testing.assert_allclose(arrays["exact"], step, atol=1e-6)
    assert distance.max() < 3 * SIGMA
    np.testing.assert_array_equal(arrays["points"], points)


def test_the_agreement_reported_is_the_cosine_of_the_two_fields(field):
    figure, arrays = field
    a, b = arrays["v"].ravel(), arrays["exact"].ravel()
    assert f"{a @ b / np.linalg.norm(a) / np.linalg.norm(b):.3f}" in figure.title


def test_walks_start_at_places_of_the_field_and_follow_the_denoiser(models, field):
    _, arrays = field
    walks = arrays["walks"].astype(np.float32)
    assert walks.shape == (4, 4, 2)
    away = np.abs(walks[0][:, None] - arrays["x"][None]).max(-1).min(1)
    np.testing.assert_allclose(away, 0, atol=1e-6)
    for before, after in pairwise(walks):
        made = models["points"].model.reconstruct(before, exact=True)
        np.testing.assert_allclose(after, made, atol=1e-5)


def test_images_are_walked_by_the_denoiser_from_their_noise(models, sets, picture):
    walk, score = picture("walk", "grey-2", sigma=0.4, steps=2, images={"count": 5})
    rows = walk.arrays
    assert list(rows) == ["original", "noisy", "step 1", "step 2"]
    np.testing.assert_allclose(rows["original"], sets["grey"].test.images[:5] / 255, atol=1e-6)
    assert (rows["noisy"] - rows["original"]).std() == pytest.approx(0.4, rel=0.1)
    for before, after in (("noisy", "step 1"), ("step 1", "step 2")):
        made = models["grey-2"].model.reconstruct(rows[before], exact=True)
        np.testing.assert_allclose(rows[after], made, atol=1e-5)
    for name, texts in walk.options["captions"].items():
        assert texts == [f"{value:.1f} dB" for value in psnr(rows["original"], rows[name], 1.0)]
    field = (rows["step 1"] - rows["noisy"]) / 0.3**2
    np.testing.assert_allclose(score.arrays["score"], field, atol=1e-3)


def test_models_that_know_no_score_are_refused(picture):
    for name in ("grey-3", "grey-2", "table-ae"):
        with pytest.raises(BuildError, match=r"field: got .* a model of points in the plane"):
            picture("field", name)
    for kind, name in [
        ("walk", "grey-3"),
        ("walk", "grey-pca"),
        ("walk", "colour-vae"),
        ("field", "points-pca"),
    ]:
        with pytest.raises(BuildError, match="unclipped Gaussian noise of one"):
            picture(kind, name)
