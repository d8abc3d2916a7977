"""Images from codes: new ones, paths between two, what noise on a code does, and which classes
result.

A *reader* says which class an image shows: the majority of its 5 nearest training images among 40
principal components. It is not part of a model; it makes "still recognisable" a number.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from narrows.errors import wrong
from narrows.model.estimator.pca import PCA
from narrows.model.use.evaluate import displayable
from narrows.model.use.latent import interpolate, perturb
from narrows.study.data_split import DataSplit
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.trained import Trained, class_names

READER_IMAGES, READER_COMPONENTS, READER_NEIGHBOURS = 20_000, 40, 5
READER_VALUES = 2**25  # of all its images, so that large ones are fewer
SHARE_LABEL = "share of the images"
Read = Callable[[np.ndarray], np.ndarray]  # images -> the classes that they show
Pair = tuple[int, int]


@per_run
def samples(run: Trained, count: int = 64, seed: int = 0) -> Iterator[Figure]:
    """New images, from the prior or the density fitted to the codes."""
    if _decodes(run):
        images = displayable(run.model.sample(count, random_state=seed))
        options = {"columns": int(count**0.5)}
        yield Figure(run.name, "tiles", _source_of_codes(run), options, {"samples": images})


@per_run
def plane(run: Trained, count: int = 20, reach: float = 3.0) -> Iterator[Figure]:
    """A code of two units, decoded on a grid from -reach to reach."""
    if _decodes(run) and run.model.code_size_ == 2:
        low, high = f"{-reach:g}", f"{reach:g}"
        title = f"z₁ from {low} (left) to {high} (right), z₂ from {low} (bottom) to {high} (top)"
        images = displayable(run.model.inverse_transform(_grid(count, reach)))
        yield Figure(run.name, "tiles", title, {"columns": count}, {"plane": images})


@per_run
def classes(run: Trained, count: int = 2500, reach: float = 3.0) -> Iterator[Figure]:
    """The classes that a reader sees in new images and in the decoded plane; and those of the test
    images.
    """
    labels = run.split.test.labels
    if not _decodes(run) or labels is None or run.split.train.labels is None:
        return
    read, accuracy = reader(run.split)
    seen = _classes_seen(run, read, count, reach)
    seen["test images, as they are labelled"] = labels
    names = class_names(labels, run.split.test.classes)
    arrays = {name: _shares(found, len(names)) for name, found in seen.items()}
    nearest = f"read by the {READER_NEIGHBOURS} nearest training images"
    title = f"{nearest}, rightly for {100 * accuracy:.1f} % of the test images"
    options = {"names": names, "xlabel": "class", "ylabel": SHARE_LABEL}
    yield Figure(run.name, "bars", title, options, arrays)


def _classes_seen(run: Trained, read: Read, count: int, reach: float) -> dict[str, np.ndarray]:
    """What the reader sees in about `count` new images, and in as many of the plane, if there is one."""
    seen = {_source_of_codes(run): read(run.model.sample(count))}
    if run.model.code_size_ == 2:
        images = run.model.inverse_transform(_grid(int(count**0.5), reach))
        seen[f"decoded on a grid from {-reach:g} to {reach:g}"] = read(images)
    return seen


def _shares(classes: np.ndarray, count: int) -> np.ndarray:
    """The share of each of the `count` classes."""
    return np.bincount(classes, minlength=count) / len(classes)


@per_run
def interpolation(
    run: Trained, pairs: list[list[int]] | None = None, steps: int = 9
) -> Iterator[Figure]:
    """Straight lines between the codes of two test images; of the last pair, between their pixels too."""
    images, labels = run.part("test")
    chosen = [(a, b) for a, b in pairs or _pairs(labels, len(images))]
    if not _decodes(run) or not chosen:
        return
    names = _image_names(run, labels, len(images))
    arrays, title = {}, ""
    for a, b in chosen:
        _check_pair(a, b, len(images))
        title = f"{names[a]} to {names[b]}"
        if title in arrays:
            title = f"{title} ({a}, {b})"
        path = interpolate(run.model, images[a], images[b], steps)
        arrays[title] = displayable(run.as_floats(path))
    start, end = chosen[-1]
    mixed = _mixed_pixels(run.as_floats(images[start]), run.as_floats(images[end]), steps)
    arrays[f"{title}, pixels mixed"] = displayable(mixed)
    yield Figure(run.name, "grid", "", {"columns": steps}, arrays)


@per_run
def perturbed(
    run: Trained, scales: list[float], images: Any = None, seed: int = 0
) -> Iterator[Figure]:
    """Images, their reconstructions, and the outputs for noise of several strengths on the code."""
    if not _decodes(run):
        return
    x, names = run.pick(images, most=2)
    outputs = run.as_floats(perturb(run.unit_model, x, [0.0, *scales], seed))
    arrays = {}
    for place, name in enumerate(names):
        arrays[name] = displayable(np.stack([x[place], *outputs[:, place]]))
    texts = ["original", "no noise", *(f"{scale:g}" for scale in scales)]
    options = {"captions": dict.fromkeys(arrays, texts), "columns": len(texts)}
    yield Figure(run.name, "grid", "strength of the noise under each", options, arrays)


def legible(runs: Sequence[Trained], scales: list[float], count: int = 1000) -> Iterator[Figure]:
    """The share of test images whose class can still be read with this much noise on their codes."""
    split, decoding = runs[0].split, [run for run in runs if _decodes(run)]
    if split.test.labels is None or split.train.labels is None or not decoding:
        return
    read, accuracy = reader(split)
    labels, x = split.test.labels[:count], runs[0].part("test")[0][:count]
    strengths = [0.0, *scales]
    arrays = {"x": np.array(strengths)}
    for run in decoding:
        outputs = perturb(run.model, x, strengths)
        arrays[run.name] = np.array([_accuracy(read, images, labels) for images in outputs])
    chance = 1 / (int(split.test.labels.max()) + 1)
    options = {
        "xlabel": "standard deviation of the noise on the code",
        "ylabel": "share read rightly",
        "reference": {"the images themselves": accuracy, "guessing": chance},
    }
    yield Figure("legible", "curves", "", options, arrays)


@lru_cache(maxsize=2)
def reader(split: DataSplit) -> tuple[Read, float]:
    """A function from images to the classes that they show, and its accuracy on the test images."""
    from sklearn.neighbors import KNeighborsClassifier

    images, labels = _images_to_read_by(split)
    components = PCA(min(READER_COMPONENTS, len(images), images[0].size)).fit(images)
    classifier = KNeighborsClassifier(min(READER_NEIGHBOURS, len(images)))
    classifier.fit(components.transform(images), labels)

    def read(images: np.ndarray) -> np.ndarray:
        return classifier.predict(components.transform(images))

    return read, _accuracy(read, split.test.images, split.test.labels)


def _images_to_read_by(split: DataSplit) -> tuple[np.ndarray, np.ndarray]:
    """Training images and their labels, at random, as many as the reader's memory allows."""
    train = split.train
    most = min(READER_IMAGES, max(1, READER_VALUES // train.images[0].size))
    order = np.random.default_rng(0).permutation(len(train))
    chosen = np.sort(order[:most])
    return train.images[chosen], train.labels[chosen]  # type: ignore[index]


def _accuracy(read: Read, images: np.ndarray, labels: np.ndarray | None) -> float:
    """The share of the images whose class is read rightly."""
    return float((read(images) == labels).mean())


def _decodes(run: Trained) -> bool:
    """Whether images follow from the code alone."""
    return not run.model.side_bits_ and not run.model.layout_.is_table


def _source_of_codes(run: Trained) -> str:
    if run.model.prior_is_fitted_:
        return "codes drawn from a density fitted to the training codes"
    return "codes drawn from N(0, I)"


def _grid(count: int, reach: float) -> np.ndarray:
    """Codes `(count², 2)` row by row, from the top left."""
    if not (count >= 2 and reach > 0):
        raise wrong("count, reach", (count, reach), "2 or more, and a number > 0")
    line = np.linspace(-reach, reach, count, dtype=np.float32)
    return np.stack(np.meshgrid(line, -line), axis=-1).reshape(-1, 2)


def _mixed_pixels(x: np.ndarray, y: np.ndarray, steps: int) -> np.ndarray:
    """(1 - t) x + t y for t from 0 to 1, `(steps, *x.shape)`."""
    t = np.linspace(0, 1, steps, dtype=np.float32).reshape(-1, *[1] * x.ndim)
    return (1 - t) * x + t * y


def _check_pair(a: int, b: int, count: int) -> None:
    if not (0 <= min(a, b) <= max(a, b) < count):
        raise wrong("pairs", [a, b], f"places below {count}")


def _image_names(run: Trained, labels: np.ndarray | None, count: int) -> list[str]:
    """A name for each test image: its class, or its place."""
    if labels is None:
        return [str(place) for place in range(count)]
    names = class_names(labels, run.split.test.classes)
    return [names[label] for label in labels]


def _pairs(labels: np.ndarray | None, count: int) -> list[Pair]:
    """Four pairs of images of different classes: the first image of each class, two and two."""
    first = list(range(min(count, 8)))
    if labels is not None:
        first = np.unique(labels, return_index=True)[1].tolist()[:8]
    return list(zip(first[::2], first[1::2]))
