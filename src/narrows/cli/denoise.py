"""The verb denoise: with a trained model, or without."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from narrows.cli.image_work import DenoiserWork, ModelWork, Work, process
from narrows.cli.inputs import Skipped
from narrows.cli.options import Force, Output, Reading, Split
from narrows.cli.sharded_job import Job, Shard
from narrows.errors import wrong

if TYPE_CHECKING:
    from narrows.denoise.denoise import Options

AS_THEY_ARE = Reading()


def denoise(
    model: str,
    images: str = "",
    /,
    *,
    output: Output,
    sigma: Annotated[float | None, Parameter(show_default=False)] = None,
    strength: float = 1.0,
    best: Annotated[bool, Parameter(negative="")] = False,
    split: Split = "",
    reading: Reading = AS_THEY_ARE,
    shard: Shard = "",
    skipped: Skipped = "",
    force: Force = False,
) -> None:
    """Clean noisy images: without training, or with a model that was trained on noise.

    Images alone are cleaned by a non-local ridge, which combines similar patches
    of each picture; the noise is estimated. Each keeps its name, size and mode.
    A trained model cleans pictures larger than its own images in tiles.

    Example: narrows denoise noisy/ -o clean/
             narrows denoise noisy.png -o clean.png --sigma 0.1
             narrows denoise photo noisy/ -o clean/ --strength 1.2
             narrows denoise my-run noisy/ -o clean/

    Parameters
    ----------
    model
        photo (a network that comes with the package), ridge, a run folder or a model file. Left out, it
        is ridge.
    images
        An image, a folder, a pack, an IDX, .npy or .npz file, or a named set.
    sigma
        Standard deviation of the noise, black being 0 and white 1; estimated if not given. Not with a
        model that is not given the noise.
    strength
        Factor of the noise's standard deviation: more than 1 smooths more.
    best
        Take the mean over eight rotations and reflections: better, and eight times as slow.
    """
    from narrows.denoise.denoise import DENOISERS, Options

    if not images:
        model, images = "", _images_alone(model)
    is_named = not model or (model in DENOISERS and not Path(model).exists())
    options = Options(model or None, sigma, strength, best)
    given = {name: value for name, value in options._asdict().items() if value is not None}
    if is_named:
        job = Job("denoise", "", images, reading, shard, force, split, **given)
        return process(job, output, skipped, lambda job: DenoiserWork(options))
    del given["model"]  # a folder or a file, which the job knows
    job = Job("denoise", model, images, reading, shard, force, split, **given)
    return process(job, output, skipped, lambda job: _work_of_model(job, options))


def _work_of_model(job: Job, options: "Options") -> Work:
    """What a trained model does: by the noise of each picture if it is given that, else as it learnt."""
    model = job.model()
    if model.margin_ is not None:
        return DenoiserWork(options._replace(model=model))
    _refuse_options(options)
    return ModelWork(job, model)


def _images_alone(images: str) -> str:
    """What was named alone; refused if it is a model."""
    path = Path(images).expanduser()
    if path.suffix == ".safetensors" or (path / "model.safetensors").is_file():
        raise wrong("denoise", images, "images", "name them after the model")
    return images


def _refuse_options(options: "Options") -> None:
    """Such a model removes the noise that it was trained on."""
    for option, value, default in zip(
        ("sigma", "strength", "best"), options[1:], (None, 1.0, False)
    ):
        if value != default:
            expected = "no such option with a model that is not given the noise"
            raise wrong(f"--{option}", value, expected, "leave the model out, or use photo")
