import sys
import time
import tracemalloc

import numpy as np
import pytest

from narrows.draw import embedding, principal_components, quick_tsne, tsne
from narrows.errors import NarrowsError


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    """Three far clusters of 40 codes, `(120, 6)`."""
    centres = np.repeat(np.eye(3, 6) * 20, 40, axis=0)
    return centres + np.random.default_rng(0).normal(size=centres.shape)


def neighbours_agree(places: np.ndarray) -> float:
    """The share of points whose nearest neighbour is of their own cluster."""
    distance = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(len(places))
    return float((distance.argmin(1) // 40 == np.arange(len(places)) // 40).mean())


@pytest.mark.parametrize("missing", [False, True])
def test_neighbours_stay_neighbours_and_the_layout_repeats(codes, missing, monkeypatch):
    if missing:
        monkeypatch.setitem(sys.modules, "openTSNE", None)
    places, index = tsne(codes)
    assert (places.shape, places.dtype) == ((120, 2), np.float32)
    assert index.tolist() == list(range(120))
    assert neighbours_agree(places) > 0.95
    np.testing.assert_array_equal(tsne(codes)[0], places)


def test_a_subset_in_space(codes):
    places, index = tsne(codes, dimensions=3, limit=20, seed=1)
    assert places.shape == (20, 3)
    assert (np.diff(index) > 0).all()
    assert index.tolist() != tsne(codes, limit=20, seed=2)[1].tolist()


def test_perplexity_is_cut_to_what_few_codes_allow(codes):
    assert np.isfinite(tsne(codes[:4])[0]).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda z: tsne(z[:3]),
        lambda z: tsne(z[0]),
        lambda z: tsne(z[:0]),
        lambda z: tsne(z * np.nan),
        lambda z: tsne(z, dimensions=4),
    ],
)
def test_refusals(codes, call):
    with pytest.raises(NarrowsError, match=r"expected|finite"):
        call(codes)


NEARLY_EQUAL = 3.7 + np.random.default_rng(0).normal(0, 2e-7, (60, 5))


@pytest.mark.parametrize("lay_out", [tsne, quick_tsne], ids=["tsne", "quick"])
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize(
    "codes",
    [np.zeros((60, 5)), np.full((60, 5), 3.7), NEARLY_EQUAL, np.full((600, 700), 1.5)],
    ids=["dead", "constant", "but for rounding", "wide"],
)
def test_a_constant_code_is_refused_before_any_library_is_called(
    codes, dimensions, lay_out, monkeypatch
):
    monkeypatch.setattr(embedding, "_method", None)
    monkeypatch.setattr(embedding, "principal_components", None)
    with pytest.raises(NarrowsError, match="codes that are all the same, expected codes that"):
        lay_out(codes, dimensions)


@pytest.mark.parametrize("shape", [(60, 5), (600, 700)])
def test_components_of_a_constant_code_are_0(shape):
    points, shares = principal_components(np.full(shape, 1.5, np.float32), 3)
    np.testing.assert_array_equal(points, np.zeros((shape[0], 3)))
    np.testing.assert_array_equal(shares, np.zeros(3))


def test_quickly_some_are_laid_out_and_the_others_are_next_to_the_nearest(monkeypatch):
    monkeypatch.setattr(embedding, "LANDMARKS", 60)
    random = np.random.default_rng(0)
    centres = random.normal(0, 20, (3, 8))
    of = random.integers(0, 3, 200)
    codes = centres[of] + random.normal(size=(200, 8))
    places = quick_tsne(codes)
    assert places.shape == (200, 2)
    assert places.dtype == np.float32
    laid, index = tsne(codes, limit=60)
    np.testing.assert_array_equal(places[index], laid)
    middles = np.array([places[index][of[index] == k].mean(0) for k in range(3)])
    nearest = ((places[:, None] - middles) ** 2).sum(-1).argmin(1)
    assert (nearest == of).mean() > 0.98
    np.testing.assert_array_equal(quick_tsne(codes), places)


@pytest.mark.parametrize("shape", [(40, 700), (600, 700), (2, 700), (1, 700), (600, 3), (1, 2)])
def test_components_of_many_units_are_those_of_the_full_decomposition(shape):
    random = np.random.default_rng(0)
    codes = (random.normal(size=shape) * np.geomspace(30, 1, shape[1]) + 5).astype(np.float32)
    points, shares = principal_components(codes, 2)
    u, lengths, _ = np.linalg.svd(codes - codes.mean(0), full_matrices=False)
    expected, known = (u * lengths)[:, :2], min(2, len(lengths))
    assert points.shape == (shape[0], 2)
    np.testing.assert_allclose(
        np.abs(points[:, :known]), np.abs(expected), atol=2e-3 * (lengths[0] + 1)
    )
    np.testing.assert_allclose(
        shares[:known], (lengths**2 / max((lengths**2).sum(), 1e-12))[:2], atol=1e-4
    )
    np.testing.assert_array_equal(principal_components(codes, 2)[0], points)


def test_components_of_a_large_feature_map_take_seconds_and_no_covariance():
    codes = np.random.default_rng(0).normal(size=(1000, 16_384)).astype(np.float32)
    tracemalloc.start()
    start = time.perf_counter()
    principal_components(codes, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.perf_counter() - start < 10
    assert peak < 5 * codes.nbytes  # the covariance alone would take 16 times as much


def test_tsne_takes_codes_of_many_units_by_their_first_components(codes, monkeypatch):
    wide = np.hstack([codes, np.zeros((120, 600))])
    places = tsne(wide)[0]
    assert places.shape == (120, 2)
    assert neighbours_agree(places) > 0.95
