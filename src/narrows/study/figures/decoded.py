"""Images from codes: new ones, walks between two, what noise on a code does, and which classes come
out.

A *reader* says which class an image shows: the majority of its 5 nearest training images among 40
principal components. It is no part of a model; it makes "still recognisable" a number.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from narrows.errors import wrong
from narrows.model.estimator.pca import PCA
from narrows.model.use.evaluate import displayable
from narrows.model.use.latent import interpolate, perturb
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.trained import DataSplit, Trained, as_floats, class_names

READ, KEPT, NEAREST = 20_000, 40, 5  # training images of a reader, its components, its neighbours


@per_run
def samples(run: Trained, count: int = 64, seed: int = 0) -> Iterator[Figure]:
    """New images, from the prior or the density fitted to the codes."""
    if _decodes(run):
        made = run.model.sample(count, random_state=seed)
        options = {"columns": int(count**0.5)}
        yield Figure(run.name, "tiles", _origin(run), options, {"samples": displayable(made)})


@per_run
def plane(run: Trained, count: int = 20, reach: float = 3.0) -> Iterator[Figure]:
    """A code of two units, decoded on a grid from -reach to reach."""
    if _decodes(run) and run.model.code_size_ == 2:
        words = f"z₁ from {-reach:g} (left) to {reach:g} (right), z₂ from {-reach:g} (bottom) to {reach:g} (top)"
        made = run.model.inverse_transform(_grid(count, reach))
        yield Figure(run.name, "tiles", words, {"columns": count}, {"plane": displayable(made)})


@per_run
def classes(run: Trained, count: int = 2500, reach: float = 3.0) -> Iterator[Figure]:
    """Which classes a reader sees in new images: of the prior, of the decoded plane; and those of the test images."""
    labels = run.split.test.labels
    if not _decodes(run) or labels is None or run.split.train.labels is None:
        return
    read, right = reader(run.split)
    names = class_names(labels, run.split.test.classes)

    def share(found: np.ndarray) -> np.ndarray:
        return np.bincount(found, minlength=len(names)) / len(found)

    arrays = {_origin(run): share(read(run.model.sample(count)))}
    if run.model.code_size_ == 2:
        made = run.model.inverse_transform(_grid(int(count**0.5), reach))
        arrays[f"decoded on a grid from {-reach:g} to {reach:g}"] = share(read(made))
    arrays["test images, as they are labelled"] = share(labels)
    words = f"read by the {NEAREST} nearest training images, rightly for {100 * right:.1f} % of the test images"
    options = {"names": names, "xlabel": "class", "ylabel": "share of the images"}
    yield Figure(run.name, "bars", words, options, arrays)


@per_run
def interpolation(run: Trained, pairs: list[list[int]] | None = None, steps: int = 9) -> Iterator[Figure]:
    """Walks in a straight line between the codes of two test images, and the same between their pixels."""
    if not _decodes(run):
        return
    images, labels = run.part("test")
    names = [str(k) for k in range(len(images))] if labels is None else _names(run, labels)
    arrays, name = {}, ""
    for a, b in pairs or _pairs(labels, len(images)):
        if not (0 <= min(a, b) <= max(a, b) < len(images)):
            raise wrong("pairs", [a, b], f"places below {len(images)}")
        name = f"{names[a]} to {names[b]}"
        name = f"{name} ({a}, {b})" if name in arrays else name
        arrays[name] = displayable(as_floats(interpolate(run.model, images[a], images[b], steps)))
    if arrays:  # the last pair once more
        x, y = (as_floats(images[k : k + 1]) for k in (a, b))  # type: ignore[possibly-unbound]
        t = np.linspace(0, 1, steps, dtype=np.float32).reshape(-1, *[1] * (images.ndim - 1))
        arrays[f"{name}, pixels mixed"] = displayable((1 - t) * x + t * y)
        yield Figure(run.name, "grid", "", {"columns": steps}, arrays)


@per_run
def perturbed(run: Trained, scales: list[float], images: Any = None, seed: int = 0) -> Iterator[Figure]:
    """Images, their reconstructions, and what noise of several strengths on the code makes of them."""
    if not _decodes(run):
        return
    x, names = run.pick(images, most=2)
    made = as_floats(perturb(run.model, x, [0.0, *scales], seed))
    texts = ["original", "no noise", *(f"{scale:g}" for scale in scales)]
    arrays = {name: displayable(np.stack([one, *made[:, k]])) for k, (name, one) in enumerate(zip(names, x))}
    options = {"captions": dict.fromkeys(arrays, texts), "columns": len(texts)}
    yield Figure(run.name, "grid", "strength of the noise under each", options, arrays)


def legible(runs: Sequence[Trained], scales: list[float], count: int = 1000) -> Iterator[Figure]:
    """The share of test images whose class can still be read when noise of so much is put on their codes."""
    labels, decoding = runs[0].split.test.labels, [run for run in runs if _decodes(run)]
    if labels is None or runs[0].split.train.labels is None or not decoding:
        return
    read, right = reader(runs[0].split)
    x, arrays = runs[0].part("test")[0][:count], {"x": np.array([0.0, *scales])}
    for run in decoding:
        made = perturb(run.model, x, [0.0, *scales])
        arrays[run.name] = np.array([(read(images) == labels[:count]).mean() for images in made])
    options = {
        "xlabel": "standard deviation of the noise on the code", "ylabel": "share read rightly",
        "reference": {"the images themselves": right, "guessing": 1 / (int(labels.max()) + 1)},
    }  # fmt: skip
    yield Figure("legible", "curves", "", options, arrays)


@lru_cache(maxsize=2)
def reader(shown: DataSplit) -> tuple[Callable[[np.ndarray], np.ndarray], float]:
    """A function from images to the classes that they show, and the share of test images that it gets right."""
    from sklearn.neighbors import KNeighborsClassifier

    chosen = np.sort(np.random.default_rng(0).permutation(len(shown.train))[:READ])
    images, labels = shown.train.images[chosen], shown.train.labels[chosen]  # type: ignore[index]
    components = PCA(min(KEPT, len(images), images[0].size)).fit(images)
    nearest = KNeighborsClassifier(min(NEAREST, len(images))).fit(components.transform(images), labels)

    def read(images: np.ndarray) -> np.ndarray:
        return nearest.predict(components.transform(images))

    return read, float((read(shown.test.images) == shown.test.labels).mean())


def _decodes(run: Trained) -> bool:
    """Whether images follow from the code alone."""
    return not run.model.side_bits_ and not run.model.layout_.is_table


def _origin(run: Trained) -> str:
    network = getattr(run.model, "network_", None)
    fitted = network is None or network.prior.fitted
    return "codes drawn from a density fitted to the training codes" if fitted else "codes drawn from N(0, I)"


def _grid(count: int, reach: float) -> np.ndarray:
    """Codes `(count², 2)` row by row, from the top left."""
    if not (count >= 2 and reach > 0):
        raise wrong("count, reach", (count, reach), "2 or more, and a number > 0")
    line = np.linspace(-reach, reach, count, dtype=np.float32)
    return np.stack(np.meshgrid(line, -line), axis=-1).reshape(-1, 2)


def _names(run: Trained, labels: np.ndarray) -> list[str]:
    names = class_names(labels, run.split.test.classes)
    return [names[label] for label in labels]


def _pairs(labels: np.ndarray | None, count: int) -> list[tuple[int, int]]:
    """Four pairs of images of different classes: the first image of each class, two and two."""
    first = [int(k) for k in np.unique(labels, return_index=True)[1]] if labels is not None else range(min(count, 8))
    halves = list(first)[:8]
    return list(zip(halves[::2], halves[1::2]))
