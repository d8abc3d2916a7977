"""Images, and what models make of them. Errors are squared errors summed over an image, on [0, 1]."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from narrows import measure
from narrows.errors import wrong
from narrows.model.use.evaluate import displayable, image_rows
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.trained import Trained, summed_errors

Fed = Mapping[str, Any] | None
Rows = dict[str, np.ndarray]


def _error_captions(a: np.ndarray, b: np.ndarray) -> list[str]:
    return [f"{value:.2f}" for value in summed_errors(a, b)]


def _psnr_captions(a: np.ndarray, b: np.ndarray) -> list[str]:
    return [f"{value:.1f} dB" for value in measure.psnr(a, b, 1.0)]


def _no_captions(a: np.ndarray, b: np.ndarray) -> list[str]:
    return [""] * len(a)


CAPTIONS: dict[str, Callable[[np.ndarray, np.ndarray], list[str]]] = {
    "error": _error_captions,
    "psnr": _psnr_captions,
    "": _no_captions,
}


@per_run
def inputs(run: Trained, images: Any = None) -> Iterator[Figure]:
    """Images as they are, and as the model sees them in training."""
    if run.model.layout_.is_table:
        return
    rows = _rows_of(run, images)
    kept = {name: rows[name] for name in ("original", "noisy") if name in rows}
    yield Figure(run.name, "grid", "", {"columns": _count(rows)}, kept)


def _rows_of(run: Trained, images: Any) -> Rows:
    """The chosen images, as the model sees them and as it reconstructs them."""
    x, _ = run.pick(images)
    return image_rows(run.unit_model, x, noisy=run.pick_noisy(images))


@per_run
def reconstructions(run: Trained, images: Any = None) -> Iterator[Figure]:
    """Originals and what the model makes of them, with the PSNR of each; noisy images alone if the
    model knows no others.
    """
    if run.model.layout_.is_table:
        return
    rows = _rows_of(run, images)
    others = [name for name in rows if "original" in rows and name != "original"]
    captions = {name: _psnr_captions(rows["original"], rows[name]) for name in others}
    options = {"captions": captions, "columns": _count(rows)}
    yield Figure(run.name, "grid", "", options, rows)


def _count(rows: Rows) -> int:
    """How many images each row has."""
    return len(next(iter(rows.values())))


def beside(
    runs: Sequence[Trained], images: Any = None, fed: Fed = None, captions: str = "error"
) -> Iterator[Figure]:
    """The same images through several models, a row for each, with the error (or PSNR) under each
    image.
    """
    if captions not in CAPTIONS:
        raise wrong("captions", captions, " or ".join(map(repr, CAPTIONS)))
    if runs[0].model.layout_.is_table:
        return
    x, _ = runs[0].pick(images)
    inputs_and_outputs = {run.name: run.feed(x, fed) for run in runs}
    rows = {"original": x}
    if fed and "noise" in fed:
        rows["as fed"] = inputs_and_outputs[runs[0].name][0]
    texts = {}
    for name, (_, output) in inputs_and_outputs.items():
        rows[name] = output
        texts[name] = CAPTIONS[captions](x, output)
    options = {"captions": texts if captions else {}, "columns": len(x)}
    yield Figure("images", "grid", "", options, _displayable(rows))


def strengths(
    runs: Sequence[Trained], sigmas: list[float], images: Any = None, fed: Fed = None
) -> Iterator[Figure]:
    """One image with noise of several strengths, and what each model makes of it; the error under
    each.
    """
    if runs[0].model.layout_.is_table:
        return
    for image, name in zip(*runs[0].pick(images, most=1)):
        x = image[None]
        rows = _rows_of_strengths(runs, x, sigmas, fed)
        originals = np.repeat(x, len(sigmas), axis=0)
        captions = {row: _error_captions(originals, output) for row, output in rows.items()}
        captions["noisy"] = _strength_names(sigmas)
        options = {"captions": captions, "columns": len(sigmas)}
        yield Figure(name, "grid", name, options, _displayable(rows))


def _strength_names(sigmas: Sequence[float]) -> list[str]:
    return [f"σ = {sigma:g}" for sigma in sigmas]


def _rows_of_strengths(
    runs: Sequence[Trained], x: np.ndarray, sigmas: Sequence[float], fed: Fed
) -> Rows:
    """The image with each strength of noise as the first model is fed it, then each model's outputs."""
    rows = {}
    for run in runs:
        pairs = [run.feed(x, {**(fed or {}), "noise": sigma}) for sigma in sigmas]
        rows.setdefault("noisy", np.concatenate([given for given, _ in pairs]))
        rows[run.name] = np.concatenate([output for _, output in pairs])
    return rows


@per_run
def snapshots(run: Trained) -> Iterator[Figure]:
    """The pictures that were taken after some epochs, a figure each."""
    for epoch, rows in run.snapshots.items():
        options = {"columns": _count(rows)}
        yield Figure(f"{run.name}-{epoch}", "grid", f"after epoch {epoch}", options, rows)


def errors_of(runs: Sequence[Trained], images: Any = None, fed: Fed = None) -> Iterator[Figure]:
    """The error of each image with each model, as bars, and their mean."""
    x, names = runs[0].pick(images)
    arrays = {}
    for run in runs:
        _, output = run.feed(x, fed)
        errors = summed_errors(x, output)
        arrays[f"{run.name} (mean {errors.mean():.2f})"] = errors
    options = {
        "names": [name.split()[-1] for name in names],
        "xlabel": "image",
        "ylabel": "squared error, summed, on [0, 1]",
    }
    yield Figure("errors", "bars", "", options, arrays)


def crossed(
    runs: Sequence[Trained],
    sigmas: list[float],
    images: Any = None,
    fed: Fed = None,
    per_pixel: bool = False,
) -> Iterator[Figure]:
    """Trained on x tested on: the mean error over images, of each model at each strength of noise."""
    x, _ = runs[0].pick(images or {"count": len(runs[0].split.test)})
    errors = _mean_errors(runs, sigmas, x, fed)
    share = "of an image"
    if per_pixel:
        errors, share = errors / x[0].size, "per pixel"
    options = {
        "rows": [run.name for run in runs],
        "columns": _strength_names(sigmas),
        "numbers": True,
        "xlabel": "tested on noise of",
        "ylabel": "model",
        "unit": f"squared error {share}, on [0, 1]",
    }
    title = f"mean over {len(x):,} images" if len(x) > 1 else ""
    yield Figure("tested", "heatmap", title, options, {"error": errors})


def _mean_errors(
    runs: Sequence[Trained], sigmas: Sequence[float], x: np.ndarray, fed: Fed
) -> np.ndarray:
    """The mean error over the images, a row for each model and a column for each strength."""
    errors = np.empty((len(runs), len(sigmas)))
    for row, run in enumerate(runs):
        for column, sigma in enumerate(sigmas):
            _, output = run.feed(x, {**(fed or {}), "noise": sigma})
            errors[row, column] = summed_errors(x, output).mean()
    return errors


def _displayable(rows: Rows) -> Rows:
    return {name: displayable(images) for name, images in rows.items()}
