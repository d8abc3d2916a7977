"""The verb denoise: with a trained model, or without."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from narrows.cli.image_work import DenoiserWork, ModelWork, process
from narrows.cli.inputs import Skipped
from narrows.cli.options import Force, Output, Reading, Split
from narrows.cli.sharded_job import Job, Shard
from narrows.errors import wrong

AS_THEY_ARE = Reading()


def denoise(
    model: str,
    images: str = "",
    /,
    *,
    output: Output,
    sigma: Annotated[float | None, Parameter(show_default=False)] = None,
    strength: float = 1.0,
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
             narrows denoise my-run noisy/ -o clean/

    Parameters
    ----------
    model
        A run folder, a model file, or the name of a denoiser: ridge. Left out, it is ridge.
    images
        An image, a folder, a pack, an IDX, .npy or .npz file, or a named set.
    sigma
        Standard deviation of the noise, black being 0 and white 1; estimated if not given. Not with a
        trained model.
    strength
        Factor of the noise's standard deviation: more than 1 smooths more. Not with a trained model.
    """
    from narrows.denoise.denoise import DENOISERS, Options

    if not images:
        model, images = "", _images_alone(model)
    is_named = model in DENOISERS and not Path(model).exists()
    if model and not is_named:
        _refuse_strength(sigma, strength)
        job = Job("denoise", model, images, reading, shard, force, split)
        return process(job, output, skipped, ModelWork)
    options = Options(model or None, sigma, strength)
    given = {name: value for name, value in options._asdict().items() if value is not None}
    job = Job("denoise", "", images, reading, shard, force, split, **given)
    return process(job, output, skipped, lambda job: DenoiserWork(options))


def _images_alone(images: str) -> str:
    """What was named alone; refused if it is a model."""
    path = Path(images).expanduser()
    if path.suffix == ".safetensors" or (path / "model.safetensors").is_file():
        raise wrong("denoise", images, "images", "name them after the model")
    return images


def _refuse_strength(sigma: float | None, strength: float) -> None:
    """A trained model removes the noise that it was trained on."""
    for option, value, default in (("--sigma", sigma, None), ("--strength", strength, 1.0)):
        if value != default:
            raise wrong(option, value, "no such option with a trained model", "leave the model out")
