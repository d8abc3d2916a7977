"""The space of codes: where images are in it, and what its units say."""

from collections.abc import Iterator, Sequence
from math import isqrt
from typing import Any

import numpy as np

from narrows import measure
from narrows.draw import quick_tsne, tsne
from narrows.errors import wrong
from narrows.layout import WHITE_LEVELS
from narrows.model.use.evaluate import displayable
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.trained import Trained, class_names

PLAIN = 5_000  # codes shown at most
METHODS = ("components", "tsne", "quick-tsne", "units")


@per_run
def codes(
    run: Trained, on: str = "test", method: str = "components", dimensions: int = 2, limit: int = PLAIN
) -> Iterator[Figure]:
    """Codes in the plane or in space, coloured by class, each with its image.

    method: "components" (the principal ones), "tsne" or "quick-tsne" (four codes at least), or "units" (those that
    vary most).
    Codes of just so many units are shown as they are, unless t-SNE is asked for.
    """
    if method not in METHODS:
        raise wrong("method", method, " or ".join(map(repr, METHODS)))
    if dimensions not in (2, 3):
        raise wrong("dimensions", dimensions, "2 or 3")
    images, labels = run.of(on)
    chosen = np.sort(np.random.default_rng(0).permutation(len(images))[:limit])
    found = run.model.transform(images[chosen])
    if found.shape[1] < dimensions:
        return
    method = "components" if "tsne" in method and len(found) < 4 else method
    method = "units" if found.shape[1] == dimensions and "tsne" not in method else method
    points, axes, words = PLACES[method](found, dimensions)
    arrays = {"x": points.astype(np.float32)}
    if labels is not None:
        arrays["labels"] = labels[chosen]
    if not run.model.layout_.is_table:
        arrays["images"] = _as_bytes(images[chosen])
    options: dict[str, Any] = dict(zip(("xlabel", "ylabel", "zlabel"), axes))
    options["classes"] = list(run.shown.test.classes or []) or None
    if found.shape[1] == 2:
        options["equal"] = True
    yield Figure(run.name, "scatter", words, options, arrays)


@per_run
def correlation(run: Trained, on: str = "test") -> Iterator[Figure]:
    """Correlations between the units of the code, over clean images."""
    found = run.model.transform(run.of(on)[0])
    if 2 <= found.shape[1] <= 512:
        matrix = measure.correlation(found)
        options = {"signed": True, "limits": [-1, 1], "unit": "correlation", "xlabel": "unit", "ylabel": "unit"}
        yield Figure(run.name, "heatmap", "", options, {"correlation": matrix})


def code_images(runs: Sequence[Trained], images: Any = None) -> Iterator[Figure]:
    """Codes as images, unit after unit in rows, for codes whose size is a square; each model by its largest value."""
    if runs[0].model.layout_.is_table:
        return
    x, _ = runs[0].pick(images)
    arrays, captions = {"original": displayable(x)}, {}
    for run in runs:
        found = np.abs(run.model.transform(x))
        side = isqrt(run.model.code_size_)
        if side**2 == run.model.code_size_:
            name = f"{run.name}, {side}×{side}"
            arrays[name] = (found / (found.max() or 1)).reshape(-1, side, side)
            captions[name] = [f"{count} active" for count in measure.active_units(found)]
    if captions:
        yield Figure("codes", "grid", "", {"captions": captions, "columns": len(x)}, arrays)


def spread(runs: Sequence[Trained], on: str = "test") -> Iterator[Figure]:
    """How far the codes of each class lie from the class's centre, as bars."""
    labels = runs[0].of(on)[1]
    if labels is None:
        return
    found = {run.name: measure.spread(run.model.transform(run.of(on)[0]), labels) for run in runs}
    names = class_names(labels, runs[0].shown.test.classes)
    options = {
        "names": [names[label] for label in next(iter(found.values()))], "xlabel": "class",
        "ylabel": "distance from the class's centre",
    }  # fmt: skip
    arrays = {name: np.array([*values.values()]) for name, values in found.items()}
    yield Figure("spread", "bars", "root mean square, in units of the code", options, arrays)


def _by_units(found: np.ndarray, dimensions: int) -> tuple[np.ndarray, list[str], str]:
    """The units that vary most; all of them where there are no more."""
    chosen = np.sort(np.argsort(-found.var(0), kind="stable")[:dimensions])
    axes = [f"z{'₁₂₃₄₅₆₇₈₉'[k] if k < 9 else f' {k + 1}'}" for k in chosen]
    whole = found.shape[1] == dimensions
    return found[:, chosen], axes, "the codes themselves" if whole else f"the {dimensions} units that vary most"


def _by_tsne(found: np.ndarray, dimensions: int) -> tuple[np.ndarray, list[str], str]:
    points, _ = tsne(found, dimensions)
    return points, [], f"t-SNE of {len(points):,} codes: neighbours mean something, distances and axes do not"


def _by_quick_tsne(found: np.ndarray, dimensions: int) -> tuple[np.ndarray, list[str], str]:
    points = quick_tsne(found, dimensions)
    words = f"t-SNE of up to 1,500 of {len(points):,} codes, the others by their nearest: distances mean nothing"
    return points, [], words


def _by_components(found: np.ndarray, dimensions: int) -> tuple[np.ndarray, list[str], str]:
    """Places along the principal components, each with its share of the variance."""
    centred = found - found.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    share = values[: -dimensions - 1 : -1] / max(values.sum(), 1e-12)
    axes = [f"component {k + 1} ({100 * s:.0f} % of the variance)" for k, s in enumerate(share)]
    return centred @ vectors[:, : -dimensions - 1 : -1], axes, "the codes along their principal components"


PLACES = {"units": _by_units, "tsne": _by_tsne, "quick-tsne": _by_quick_tsne, "components": _by_components}


def _as_bytes(images: np.ndarray) -> np.ndarray:
    """Pixels as uint8, to be looked at."""
    if images.dtype == np.uint8:
        return displayable(images)
    return displayable(np.rint(images / WHITE_LEVELS.get(images.dtype.name, 1) * 255.0).astype(np.uint8))
