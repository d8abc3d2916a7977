import sys

import numpy as np
import pytest

from narrows.draw import tsne
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
