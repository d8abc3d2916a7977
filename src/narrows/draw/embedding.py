"""Codes of many units laid out in the plane or in space: t-SNE, and principal components.

t-SNE keeps neighbours neighbours. For each code z_i, p_{j|i} ∝ exp(-‖z_i - z_j‖² / 2σ_i²) says who
its neighbours are; σ_i is chosen so that they are about `perplexity` many, and p_ij = (p_{j|i} +
p_{i|j}) / 2N. Points u in the plane get q_ij ∝ 1 / (1 + ‖u_i - u_j‖²), and are moved to lessen KL(P
‖ Q) = Σ p_ij log(p_ij / q_ij).

What it shows: which codes are close to one another. What it does not: the sizes of clusters, the
distances between them, and their density, which the method evens out; it can show clusters in pure
noise; axes have no unit. Another seed gives another picture of the same neighbours. There is no map
for new codes: it is a picture, not a model.

Principal components are the directions of most variance: with the centred codes Z = U S Vᵀ, the
places are the first columns of U S, and component k has the share S_k² / Σ S² of the variance.
Codes of more than 512 units have a thin decomposition of just these components, since a covariance
of 16,384 units would take 2 GB and minutes; t-SNE takes such codes along their first 50.

Reference: L. van der Maaten, G. Hinton, "Visualizing data using t-SNE", JMLR 2008,
https://jmlr.org/papers/v9/vandermaaten08a.html; how to read it: M. Wattenberg et al., "How to use
t-SNE effectively", Distill 2016, https://doi.org/10.23915/distill.00002.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from narrows.errors import MissingExtra, NarrowsError, extra, wrong
from narrows.measure import constant_units
from narrows.tensors import without_tensors

TREE_LIMIT = 20_000  # codes; with more, a grid is faster
FEWEST_FOR_TSNE = 4  # codes
LANDMARKS, NEAREST = 1500, 5  # of quick_tsne: codes laid out, and those of them that place another
COVARIANCE_LIMIT = 512  # units: up to here the covariance is decomposed
TSNE_COMPONENTS = 50  # of codes with more units than that


def tsne(
    codes: Any,
    dimensions: int = 2,
    seed: int = 0,
    jobs: int = 2,
    limit: int = 10_000,
    perplexity: float = 30.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The places of codes `(N, size)` in the plane, float32 `(n, dimensions)`, and which codes they
    are, `(n,)`.

    dimensions: 2 or 3. seed: of the subset and of the layout. jobs: processor cores used. limit:
    with more codes than that, a subset drawn at random is laid out; indices are in ascending order.
    perplexity: about how many neighbours count; at most (n - 1) / 3, to which it is cut.

    In the plane openTSNE does it (the extra "tsne"), 10,000 codes in half a minute on two cores;
    without it, and in space, scikit-learn, more slowly (2,000 codes in space: 20 seconds). Raises
    `NarrowsError` for fewer than 4 codes, codes that are not finite, and codes that are all the
    same.
    """
    # scikit-learn's own; its t-SNE would take every core otherwise
    from threadpoolctl import threadpool_limits

    if dimensions not in (2, 3):
        raise wrong("dimensions", dimensions, "2 or 3")
    z = _as_table(codes)
    index = _subset(len(z), limit, seed)
    z = z[index]
    _check_codes(z)
    if z.shape[1] > COVARIANCE_LIMIT:
        z = principal_components(z, TSNE_COMPONENTS)[0]
    perplexity = min(perplexity, (len(z) - 1) / 3)
    # for few codes, threads that wait for one another cost more than they bring
    jobs = min(jobs, 1 + len(z) // 1000)
    with threadpool_limits(jobs):
        places = _method(dimensions)(z, dimensions, perplexity, seed, jobs)
    return places.astype(np.float32), index


def _subset(count: int, limit: int, seed: int) -> np.ndarray:
    """The indices of at most `limit` of `count` codes, drawn at random, in ascending order."""
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[:limit])


def _check_codes(z: np.ndarray) -> None:
    """Refuse codes that have no layout: too few, not finite, or all the same."""
    finite = np.isfinite(z)
    if len(z) < FEWEST_FOR_TSNE or not finite.all():
        raise NarrowsError(
            f"t-SNE: got {len(z)} codes, {(~finite).sum()} of their values not finite; "
            f"expected at least {FEWEST_FOR_TSNE} codes, all finite"
        )
    if constant_units(z).all():
        raise NarrowsError(
            f"t-SNE: got {len(z)} codes that are all the same, expected codes that differ; "
            "a model whose code is constant has collapsed"
        )


def quick_tsne(codes: Any, dimensions: int = 2, seed: int = 0, jobs: int = 2) -> np.ndarray:
    """The places of all codes `(N, size)` in seconds, float32 `(N, dimensions)`: by t-SNE of 1,500
    of them.

    These are drawn at random. Each of the others is at the median place of the five among them that
    are nearest to it: clusters are as full as they are, what is fine inside them is lost. Arguments
    and errors as in `tsne`.
    """
    landmarks, index = tsne(codes, dimensions, seed, jobs, limit=LANDMARKS)
    z = _as_table(codes)
    nearest = _nearest(z, z[index])
    places = np.median(landmarks[nearest], axis=1).astype(np.float32)
    places[index] = landmarks
    return places


def _nearest(z: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The indices of the landmarks nearest to each code, `(N, NEAREST)`."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(NEAREST, len(landmarks)), algorithm="brute")
    return search.fit(landmarks).kneighbors(z, return_distance=False)


def principal_components(codes: Any, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """The places of codes `(N, size)` along their first components, `(N, count)`, and the share of
    each, `(count,)`.

    Components that there are not, because there are too few codes or units, or because all codes
    are the same, are 0.
    """
    z = np.asarray(codes).reshape(len(codes), -1)
    centred = z - z.mean(0)
    if not centred.any():
        return np.zeros((len(z), count), z.dtype), np.zeros(count)
    if z.shape[1] <= COVARIANCE_LIMIT:
        points, shares = _by_covariance(centred, count)
    else:
        points, shares = _by_singular_values(centred, count)
    missing = count - points.shape[1]
    return np.pad(points, ((0, 0), (0, missing))), np.pad(shares, (0, missing))


def _by_covariance(centred: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """From the eigenvalues and eigenvectors of Zᵀ Z, which come in ascending order."""
    values, vectors = np.linalg.eigh(centred.T @ centred)
    largest = slice(None, -count - 1, -1)
    return centred @ vectors[:, largest], values[largest] / max(values.sum(), 1e-12)


def _by_singular_values(centred: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """From U and S of Z = U S Vᵀ."""
    u, lengths = _thin_decomposition(centred, count)
    total = float(np.square(centred, dtype=np.float64).sum())
    return u * lengths, lengths**2 / max(total, 1e-12)


def _thin_decomposition(centred: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` left singular vectors and singular values; those alone, unless there are
    few codes.
    """
    if len(centred) <= COVARIANCE_LIMIT:
        u, lengths, _ = np.linalg.svd(centred, full_matrices=False)
        return u[:, :count], lengths[:count]
    from scipy.sparse.linalg import svds

    random = np.random.default_rng(0)
    start = random.normal(size=min(centred.shape)).astype(centred.dtype)
    u, lengths, _ = svds(centred, k=count, v0=start)
    return u[:, ::-1], lengths[::-1]


def _as_table(codes: Any) -> np.ndarray:
    """Codes as float32 `(N, size)`."""
    z = np.asarray(without_tensors(codes), dtype=np.float32)
    if not (z.ndim >= 2 and z.size > 0):
        raise wrong("codes", z.shape, "(N, size)")
    return z.reshape(len(z), -1)


def _method(dimensions: int) -> Callable[..., np.ndarray]:
    """openTSNE in the plane, if it is installed; else scikit-learn."""
    if dimensions != 2:
        return _by_scikit_learn
    try:
        extra("openTSNE", "tsne")
    except MissingExtra:
        return _by_scikit_learn
    return _by_open_tsne


def _by_open_tsne(
    z: np.ndarray, dimensions: int, perplexity: Any, seed: int, jobs: int
) -> np.ndarray:
    from openTSNE import TSNE

    # a tree in place of a grid, and all distances in place of a search: 24 seconds in place of 50
    # for 10,000 codes
    method = "bh" if len(z) <= TREE_LIMIT else "fft"
    layout = TSNE(
        dimensions,
        perplexity=perplexity,
        random_state=seed,
        n_jobs=jobs,
        neighbors="exact",
        negative_gradient_method=method,
    )
    return np.asarray(layout.fit(z))


def _by_scikit_learn(
    z: np.ndarray, dimensions: int, perplexity: float, seed: int, jobs: int
) -> np.ndarray:
    from sklearn.manifold import TSNE

    return TSNE(
        dimensions, perplexity=perplexity, random_state=seed, n_jobs=jobs, init="pca"
    ).fit_transform(z)
