"""Images, and what models make of them. Errors are squared errors summed over an image, on [0, 1]."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from narrows import measure
from narrows.errors import wrong
from narrows.model.use.evaluate import displayable, image_rows
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.trained import Trained, summed_errors

Fed = Mapping[str, Any] | None
CAPTIONS = {
    "error": lambda a, b: [f"{value:.2f}" for value in summed_errors(a, b)],
    "psnr": lambda a, b: [f"{value:.1f} dB" for value in measure.psnr(a, b, 1.0)],
    "": lambda a, b: [""] * len(a),
}


@per_run
def inputs(run: Trained, images: Any = None) -> Iterator[Figure]:
    """Images as they are, and as the model sees them in training."""
    if run.model.layout_.is_table:
        return
    found = image_rows(run.model, run.pick(images)[0], noisy=run.pick_noisy(images))
    kept = {name: found[name] for name in ("original", "noisy") if name in found}
    yield Figure(run.name, "grid", "", {"columns": len(found["original"])}, kept)


@per_run
def reconstructions(run: Trained, images: Any = None) -> Iterator[Figure]:
    """Originals beside what the model makes of them, with the PSNR of each."""
    if run.model.layout_.is_table:
        return
    found = image_rows(run.model, run.pick(images)[0], noisy=run.pick_noisy(images))
    original = found["original"]
    captions = {name: CAPTIONS["psnr"](original, row) for name, row in found.items() if name != "original"}
    yield Figure(run.name, "grid", "", {"captions": captions, "columns": len(original)}, found)


def beside(runs: Sequence[Trained], images: Any = None, fed: Fed = None, captions: str = "error") -> Iterator[Figure]:
    """The same images through several models, a row for each, with the error (or PSNR) under each image."""
    if captions not in CAPTIONS:
        raise wrong("captions", captions, " or ".join(map(repr, CAPTIONS)))
    if runs[0].model.layout_.is_table:
        return
    x, _ = runs[0].pick(images)
    found, texts = {"original": x}, {}
    for run in runs:
        given, found[run.name] = run.feed(x, fed)
        texts[run.name] = CAPTIONS[captions](x, found[run.name])
        if fed and "noise" in fed:
            found.setdefault("as fed", given)
    order = ["original", *(["as fed"] if "as fed" in found else []), *(run.name for run in runs)]
    arrays = {name: displayable(found[name]) for name in order}
    yield Figure("images", "grid", "", {"captions": texts if captions else {}, "columns": len(x)}, arrays)


def strengths(runs: Sequence[Trained], sigmas: list[float], images: Any = None, fed: Fed = None) -> Iterator[Figure]:
    """One image with noise of several strengths, and what each model makes of it; the error under each."""
    if runs[0].model.layout_.is_table:
        return
    for image, name in zip(*runs[0].pick(images, most=1)):
        x = np.stack([image])
        columns = {sigma: [run.feed(x, {**(fed or {}), "noise": sigma}) for run in runs] for sigma in sigmas}
        arrays = {"noisy": np.concatenate([found[0][0] for found in columns.values()])}
        for k, run in enumerate(runs):
            arrays[run.name] = np.concatenate([found[k][1] for found in columns.values()])
        texts = {row: CAPTIONS["error"](np.broadcast_to(x, made.shape), made) for row, made in arrays.items()}
        texts["noisy"] = [f"σ = {sigma:g}" for sigma in sigmas]
        shown = {row: displayable(made) for row, made in arrays.items()}
        yield Figure(name, "grid", name, {"captions": texts, "columns": len(sigmas)}, shown)


@per_run
def snapshots(run: Trained) -> Iterator[Figure]:
    """The pictures that were taken after some epochs, a figure each."""
    for epoch, found in run.snapshots.items():
        options = {"columns": len(found["original"])}
        yield Figure(f"{run.name}-{epoch}", "grid", f"after epoch {epoch}", options, found)


def errors_of(runs: Sequence[Trained], images: Any = None, fed: Fed = None) -> Iterator[Figure]:
    """The error of each image with each model, as bars, and their mean."""
    x, names = runs[0].pick(images)
    found = {run.name: summed_errors(x, run.feed(x, fed)[1]) for run in runs}
    arrays = {f"{name} (mean {values.mean():.2f})": values for name, values in found.items()}
    options = {"names": [name.split()[-1] for name in names], "xlabel": "image", "ylabel": "squared error, summed"}
    yield Figure("errors", "bars", "", options, arrays)


def crossed(
    runs: Sequence[Trained], sigmas: list[float], images: Any = None, fed: Fed = None, per_pixel: bool = False
) -> Iterator[Figure]:
    """Trained on x tested on: the mean error over images, of each model at each strength of noise."""
    x, _ = runs[0].pick(images or {"count": len(runs[0].split.test)})
    share = x[0].size if per_pixel else 1
    table = [
        [summed_errors(x, run.feed(x, {**(fed or {}), "noise": s})[1]).mean() / share for s in sigmas] for run in runs
    ]
    options = {
        "rows": [run.name for run in runs], "columns": [f"σ = {s:g}" for s in sigmas], "numbers": True,
        "xlabel": "tested on noise of", "ylabel": "model",
        "unit": "squared error " + ("per pixel" if per_pixel else "of an image"),
    }  # fmt: skip
    words = f"mean over {len(x):,} images" if len(x) > 1 else ""
    yield Figure("tested", "heatmap", words, options, {"error": np.array(table)})
