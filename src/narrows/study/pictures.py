"""Pictures: from trained models to the arrays of figures.

A picture is a function of what was trained and of the figure's options; it yields figures, whose arrays are all that
drawing needs. To add a kind of figure: one function, one entry in `PICTURES`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from narrows import measure
from narrows.data import ImageSet
from narrows.draw import tsne
from narrows.errors import expect
from narrows.model.base import ImageModel
from narrows.model.evaluate import rows, shown_as
from narrows.study.record import Figure

PLAIN = 10_000  # codes shown at most


@dataclass
class Trained:
    """A trained model, the seconds it took, pictures taken on the way (epoch -> rows of images), and warnings."""

    name: str
    model: ImageModel
    seconds: float = 0.0
    snapshots: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Steps of its optimiser; 0 for a model that has none."""
        return len(getattr(self.model, "steps_", {}).get("loss", ()))

    @property
    def history(self) -> Mapping[str, list[float]]:
        return getattr(self.model, "history_", {})


@dataclass
class Shown:
    """Images to be shown or encoded, and their labels."""

    train: ImageSet
    test: ImageSet

    def of(self, trained: Trained, on: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Images and labels: "test", "train", or "validation", the part that the model held back."""
        expect(on in ("test", "train", "validation"), "on", on, "'test', 'train' or 'validation'")
        if on == "validation" and hasattr(trained.model, "validation_index_"):
            index = trained.model.validation_index_  # type: ignore[attr-defined]
            labels = self.train.labels
            return self.train.images[index], None if labels is None else labels[index]
        chosen = self.train if on == "train" else self.test
        return chosen.images, chosen.labels


def curves(
    run: Trained, shown: Shown, of: list[str], ylabel: str = "nats an image", **options: Any
) -> Iterator[Figure]:
    """Entries of the history over epochs; options go to the drawing."""
    arrays = {name: np.asarray(run.history[name]) for name in of if name in run.history}
    if np.array_equal(arrays.get("nll", ()), arrays.get("loss", ())):
        arrays.pop("nll", None)  # the only term: the loss itself
    if arrays:
        yield Figure(run.name, "curves", "", {"xlabel": "epoch", "ylabel": ylabel, **options}, arrays)


def steps(run: Trained, shown: Shown, of: list[str], ylabel: str = "nats an image") -> Iterator[Figure]:
    """Terms of the loss over iterations, raw and smoothed."""
    kept = getattr(run.model, "steps_", {})
    arrays = {name: np.asarray(kept[name]) for name in of if name in kept}
    if arrays:
        yield Figure(run.name, "curves", "", {"xlabel": "iteration", "ylabel": ylabel, "smooth": True}, arrays)


def reconstructions(
    run: Trained, shown: Shown, on: str = "test", count: int = 10, start: int = 0
) -> Iterator[Figure]:
    """Originals beside what the model makes of them, with the PSNR of each."""
    images = shown.of(run, on)[0][start : start + count]
    if run.model.layout_.is_table or not len(images):
        return
    found = rows(run.model, images)
    original = found["original"]
    captions = {
        name: [f"{value:.1f} dB" for value in measure.psnr(original, row, 1.0)]
        for name, row in found.items()
        if name != "original"
    }
    yield Figure(run.name, "grid", "", {"captions": captions, "columns": count}, found)


def snapshots(run: Trained, shown: Shown) -> Iterator[Figure]:
    """The pictures that were taken after some epochs, a figure each."""
    for epoch, found in run.snapshots.items():
        yield Figure(
            f"{run.name}-{epoch}", "grid", f"after epoch {epoch}", {"columns": len(found["original"])}, found
        )


def samples(run: Trained, shown: Shown, count: int = 64, seed: int = 0) -> Iterator[Figure]:
    """New images, from the prior or the density fitted to the codes."""
    if run.model.side_bits_ or run.model.layout_.is_table:
        return
    prior = getattr(run.model, "network_", None)
    fitted = prior is None or prior.prior.fitted
    words = "codes drawn from a density fitted to the training codes" if fitted else "codes drawn from N(0, I)"
    made = run.model.sample(count, random_state=seed)
    yield Figure(run.name, "tiles", words, {"columns": int(count**0.5)}, {"samples": shown_as(made)})


def correlation(run: Trained, shown: Shown, on: str = "test") -> Iterator[Figure]:
    """Correlations between the units of the code, over clean images."""
    codes = run.model.transform(shown.of(run, on)[0][:PLAIN])
    if 2 <= codes.shape[1] <= 512:
        matrix = measure.correlation(codes)
        options = {"signed": True, "limits": [-1, 1], "unit": "correlation", "xlabel": "unit", "ylabel": "unit"}
        yield Figure(run.name, "heatmap", "", options, {"correlation": matrix})


def codes(
    run: Trained, shown: Shown, on: str = "test", method: str = "components", limit: int = 5000
) -> Iterator[Figure]:
    """Codes in the plane, coloured by class: as they are where they are 2, else by "components" or by "tsne".

    t-SNE needs some neighbours: fewer than 4 codes are shown by components.
    """
    expect(method in ("components", "tsne"), "method", method, "'components' or 'tsne'")
    images, labels = shown.of(run, on)
    found = run.model.transform(images[:PLAIN])
    labels = labels[: len(found)] if labels is not None else None
    if found.shape[1] < 2:
        return
    points, index, options, words = _plane(found, method, limit)
    arrays = {"x": points, **({"labels": labels[index]} if labels is not None else {})}
    classes = list(shown.test.classes or []) or None
    yield Figure(run.name, "scatter", words, {"classes": classes, **options}, arrays)


def _plane(found: np.ndarray, method: str, limit: int) -> tuple[np.ndarray, Any, dict[str, Any], str]:
    """Places of codes in the plane, which codes they are, options for the drawing, and what the places are."""
    if found.shape[1] == 2:
        return found, slice(None), {"xlabel": "z₁", "ylabel": "z₂", "equal": True}, "the codes themselves"
    if method == "tsne" and len(found) >= 4:
        points, index = tsne(found, limit=limit)
        words = f"t-SNE of {len(points):,} codes: neighbours mean something, distances and axes do not"
        return points, index, {}, words
    points, share = _components(found)
    first, second = (f"component {k + 1} ({100 * s:.0f} % of the variance)" for k, s in enumerate(share))
    return points, slice(None), {"xlabel": first, "ylabel": second}, "the codes along their two principal components"


def _components(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points along the two principal components, and the share of the variance that each holds."""
    centred = found - found.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return centred @ vectors[:, :-3:-1], values[:-3:-1] / max(values.sum(), 1e-12)


PICTURES = {
    "curves": curves,
    "steps": steps,
    "reconstructions": reconstructions,
    "snapshots": snapshots,
    "samples": samples,
    "correlation": correlation,
    "codes": codes,
}
