"""The space of codes: where images are in it, and what its units say.

Time and memory are bounded: figures look at codes of at most 5,000 images (`study.code_sample`),
and at none that show nothing, such as a code that has collapsed; the page says why.
"""

from collections.abc import Iterator, Sequence
from math import isqrt
from typing import Any

import numpy as np

from narrows import measure
from narrows.draw import principal_components, quick_tsne, tsne
from narrows.draw.embedding import FEWEST_FOR_TSNE
from narrows.errors import wrong
from narrows.model.use.evaluate import displayable
from narrows.study.code_sample import SAMPLE_SIZE, codes_to_draw, why_not_drawn
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure, Omitted
from narrows.study.trained import Trained, class_names

METHODS = ("components", "tsne", "quick-tsne", "units")
MOST_CORRELATED = 512  # units: with more, a map of correlations cannot be read
TOO_FEW = (
    "t-SNE needs {fewest} images at least, and there are {count}; "
    "the methods 'components' and 'units' take fewer"
)
SUBSCRIPTS = "₁₂₃₄₅₆₇₈₉"
AXES = ("xlabel", "ylabel", "zlabel")
CORRELATION_OPTIONS = {
    "signed": True,
    "limits": [-1, 1],
    "unit": "correlation",
    "xlabel": "unit",
    "ylabel": "unit",
}
SPREAD_AXES = {"xlabel": "class", "ylabel": "distance from the class's centre"}
Layout = tuple[np.ndarray, list[str], str]  # points, names of the axes, title


@per_run
def codes(
    run: Trained,
    on: str = "test",
    method: str = "components",
    dimensions: int = 2,
    limit: int = SAMPLE_SIZE,
) -> Iterator[Figure | Omitted]:
    """Codes in the plane or in space, coloured by class, each with its image.

    method: "components" (the principal ones), "tsne" or "quick-tsne" (of four images at least), or
    "units" (those that vary most). Codes of exactly as many units are shown as they are, unless
    t-SNE is asked for.
    """
    if method not in METHODS:
        raise wrong("method", method, " or ".join(map(repr, METHODS)))
    if dimensions not in (2, 3):
        raise wrong("dimensions", dimensions, "2 or 3")
    if run.model.code_size_ < dimensions:
        return
    sample = codes_to_draw(run, on, limit)
    if isinstance(sample, Omitted):
        yield sample
        return
    z, index = sample
    if "tsne" in method and len(z) < FEWEST_FOR_TSNE:
        yield Omitted(run.name, TOO_FEW.format(fewest=FEWEST_FOR_TSNE, count=len(z)))
        return
    figure = _scatter(run, z, method, dimensions)
    figure.arrays = {**figure.arrays, **_labels_and_images(run, on, index)}
    yield figure


def _scatter(run: Trained, z: np.ndarray, method: str, dimensions: int) -> Figure:
    """Codes laid out by the method asked for; as they are if they have as many units."""
    if "tsne" not in method and z.shape[1] == dimensions:
        method = "units"
    points, axes, title = LAYOUTS[method](z, dimensions)
    options: dict[str, Any] = dict(zip(AXES, axes))
    options["classes"] = list(run.split.test.classes or []) or None
    if z.shape[1] == 2:
        options["equal"] = True
    return Figure(run.name, "scatter", title, options, {"x": points.astype(np.float32)})


def _labels_and_images(run: Trained, on: str, index: np.ndarray) -> dict[str, np.ndarray]:
    images, labels = run.part(on)
    arrays = {}
    if labels is not None:
        arrays["labels"] = labels[index]
    if not run.model.layout_.is_table:
        arrays["images"] = _as_bytes(run.as_floats(images[index]))
    return arrays


@per_run
def correlation(run: Trained, on: str = "test") -> Iterator[Figure | Omitted]:
    """Correlations between the units of the code, over clean images."""
    size = run.model.code_size_
    if size < 2:
        return
    sample = codes_to_draw(run, on)
    if isinstance(sample, Omitted):
        yield sample
    elif size > MOST_CORRELATED:
        most = f"it is drawn of at most {MOST_CORRELATED}"
        yield Omitted(run.name, f"a map of {size:,} units cannot be read; {most}")
    else:
        matrix = measure.correlation(sample[0])
        yield Figure(run.name, "heatmap", "", {**CORRELATION_OPTIONS}, {"correlation": matrix})


def code_images(runs: Sequence[Trained], images: Any = None) -> Iterator[Figure | Omitted]:
    """Codes as images, unit after unit in rows, for codes whose size is a square; each model by its
    largest value.
    """
    if runs[0].model.layout_.is_table:
        return
    x, _ = runs[0].pick(images)
    arrays, captions = {"original": displayable(x)}, {}
    for run in runs:
        side = isqrt(run.model.code_size_)
        if side**2 != run.model.code_size_:
            continue
        z = run.unit_model.transform(x)
        if len(x) > 1 and (reason := why_not_drawn(z)):
            yield Omitted(run.name, reason)
            continue
        name = f"{run.name}, {side}×{side}"
        sizes = np.abs(z)
        arrays[name] = _as_squares(sizes, side)
        captions[name] = [f"{count} active" for count in measure.active_units(sizes)]
    if captions:
        yield Figure("codes", "grid", "", {"captions": captions, "columns": len(x)}, arrays)


def _as_squares(sizes: np.ndarray, side: int) -> np.ndarray:
    """The sizes of units as images in [0, 1], where 1 is the largest of all."""
    largest = sizes.max() or 1
    return (sizes / largest).reshape(-1, side, side)


def spread(runs: Sequence[Trained], on: str = "test") -> Iterator[Figure | Omitted]:
    """How far the codes of each class are from the class's centre, as bars."""
    _, labels = runs[0].part(on)
    if labels is None:
        return
    arrays, present = {}, []
    for run in runs:
        sample = codes_to_draw(run, on)
        if isinstance(sample, Omitted):
            yield sample
            continue
        z, index = sample
        radii = measure.spread(z, labels[index])
        present = list(radii)
        arrays[run.name] = np.array(list(radii.values()))
    if arrays:
        names = class_names(labels, runs[0].split.test.classes)
        options = {"names": [names[label] for label in present], **SPREAD_AXES}
        yield Figure("spread", "bars", "root mean square, in units of the code", options, arrays)


# -- layouts of codes ------------------------------------------------------------------------


def _by_units(z: np.ndarray, dimensions: int) -> Layout:
    """The units that vary most; all of them where there are no more."""
    order = np.argsort(-z.var(0), kind="stable")
    chosen = np.sort(order[:dimensions])
    title = "the codes themselves"
    if z.shape[1] > dimensions:
        title = f"the {dimensions} units that vary most"
    return z[:, chosen], [_unit_name(unit) for unit in chosen], title


def _unit_name(unit: int) -> str:
    if unit < len(SUBSCRIPTS):
        return f"z{SUBSCRIPTS[unit]}"
    return f"z {unit + 1}"


def _by_tsne(z: np.ndarray, dimensions: int) -> Layout:
    points, _ = tsne(z, dimensions)
    title = f"t-SNE of {len(points):,} codes: neighbours mean something, distances and axes do not"
    return points, [], title


def _by_quick_tsne(z: np.ndarray, dimensions: int) -> Layout:
    points = quick_tsne(z, dimensions)
    title = (
        f"t-SNE of up to 1,500 of {len(points):,} codes, the others by their nearest: "
        f"distances mean nothing"
    )
    return points, [], title


def _by_components(z: np.ndarray, dimensions: int) -> Layout:
    """Places along the principal components, each with its share of the variance."""
    points, shares = principal_components(z, dimensions)
    axes = [
        f"component {k} ({100 * share:.0f} % of the variance)"
        for k, share in enumerate(shares, start=1)
    ]
    return points, axes, "the codes along their principal components"


LAYOUTS = {
    "units": _by_units,
    "tsne": _by_tsne,
    "quick-tsne": _by_quick_tsne,
    "components": _by_components,
}


def _as_bytes(unit: np.ndarray) -> np.ndarray:
    """Floats on [0, 1] as uint8, to be displayed."""
    return displayable(np.rint(np.clip(unit, 0, 1) * np.float32(255)).astype(np.uint8))
