"""Verbs that use a trained model to make images: reconstruct, denoise, sample, decode, interpolate."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.inputs import Skipped
from narrows.cli.options import Force, Integer, Output, Reading
from narrows.cli.output import tell
from narrows.cli.sharded_job import Job, Shard

AS_THEY_ARE = Reading()


def reconstruct(
    run: str,
    images: str,
    /,
    *,
    output: Output,
    reading: Reading = AS_THEY_ARE,
    shard: Shard = "",
    skipped: Skipped = "",
    force: Force = False,
) -> None:
    """Pass images through a model and back.

    Example: narrows reconstruct my-run photos/ -o rebuilt/

    Parameters
    ----------
    run
        A run folder, or a model file.
    images
        An image, a folder, an IDX, .npy or .npz file, or a named set (its test part).
    """
    _through(Job("reconstruct", run, images, reading, shard, force), output, skipped)


def denoise(
    run: str,
    images: str,
    /,
    *,
    output: Output,
    reading: Reading = AS_THEY_ARE,
    shard: Shard = "",
    skipped: Skipped = "",
    force: Force = False,
) -> None:
    """Clean noisy images with a model that was trained on noise.

    Pictures larger than the model's own images are cleaned in tiles. Each keeps its name, size and mode.

    Example: narrows denoise my-run noisy/ -o clean/

    Parameters
    ----------
    run
        A run folder, or a model file.
    images
        An image, a folder, an IDX, .npy or .npz file, or a named set (its test part).
    """
    _through(Job("denoise", run, images, reading, shard, force), output, skipped)


def sample(
    run: str,
    /,
    *,
    output: Output,
    count: Annotated[Integer, Parameter(name=["--count", "-n"])] = 64,
    seed: Integer = 0,
    force: Force = False,
) -> None:
    """Draw new images from a model.

    Example: narrows sample my-run -n 64 -o grid.png

    Parameters
    ----------
    run
        A run folder, or a model file.
    count
        How many images.
    seed
        Another seed, other images.
    """
    from narrows.data.write import write_images
    from narrows.files import refuse_overwrite
    from narrows.model.files.store import load

    path = refuse_overwrite(output, force)
    print(write_images(load(run).sample(count, random_state=seed), path, force=force))


def decode(run: str, codes: str, /, *, output: Output, force: Force = False) -> None:
    """Turn codes back into images.

    Example: narrows decode my-run codes.npz -o images/

    Parameters
    ----------
    run
        A run folder, or a model file.
    codes
        What `narrows encode` wrote: an .npz file, or codes (N, size) as .npy.
    """
    from narrows.data.code_files import read_codes
    from narrows.data.write import write_images
    from narrows.files import refuse_overwrite
    from narrows.model.files.store import load

    path = refuse_overwrite(output, force)
    found, names = read_codes(codes)
    print(write_images(load(run).inverse_transform(found), path, names, force))


def interpolate(
    run: str, first: str, second: str, /, *, output: Output, steps: Integer = 9, force: Force = False
) -> None:
    """Walk from one image to another through the codes between them.

    Example: narrows interpolate my-run a.png b.png -o walk.png

    Parameters
    ----------
    run
        A run folder, or a model file.
    first
        An image of the size that the model was trained on.
    second
        Another one.
    steps
        How many images, both ends included.
    """
    from narrows.data import read_data
    from narrows.data.write import write_images
    from narrows.files import refuse_overwrite
    from narrows.layout import contact_sheet
    from narrows.model.files.store import load
    from narrows.model.use.latent import interpolate as walk

    path = refuse_overwrite(output, force)
    ends = [read_data(name, "all").images[0] for name in (first, second)]
    found = walk(load(run), *ends, steps=steps)
    sheet = bool(path.suffix) and path.suffix not in (".npy", ".npz")
    print(write_images(contact_sheet(found, columns=steps)[None] if sheet else found, path, force=force))


def _through(job: Job, output: str, skipped: str) -> None:
    """Images in, the same images out, with their names, forms and types."""
    path, model = job.free(output), job.model()
    if job.verb == "denoise" and getattr(model, "corruption", "none") == "none":
        tell("note: this model was not trained on noise; what it gives is its reconstruction")
    one_by_one = job.one_by_one and (not path.suffix or Path(job.images).expanduser().is_file())
    through = _pictures if one_by_one and path.suffix not in (".npy", ".npz") else _array
    with job.skipping(skipped) as skip:
        count = through(model, job, path, skip)
    print(job.done(path, count))


def _pictures(model: Any, job: Job, path: Path, skip: Any) -> int:
    """Picture after picture, each in its own size; how many there were."""
    from narrows.data.write import write_like
    from narrows.errors import DataError
    from narrows.model.use.folders import process_pictures

    count = 0
    for count, (picture, pixels) in enumerate(  # noqa: B007 (told after the loop)
        process_pictures(model, job.verb, job.pictures(skip, job.verb), skip), start=1
    ):
        write_like(picture, pixels, path if path.suffix else path / picture.name)
    if not count and not job.share:
        raise DataError(f"none of the images in {job.images} could be used; see above")
    return count


def _array(model: Any, job: Job, path: Path, skip: Any) -> int:
    """One array in, one array or a folder of images out; how many images there were."""
    from narrows.data.write import memory_mapped, write_images
    from narrows.layout import WHITE_LEVELS
    from narrows.model.use.folders import with_fixed_batches
    from narrows.model.use.tiles import fits_model, process_tiled

    found = job.array(skip)
    images, through = found.images, getattr(with_fixed_batches(model), job.verb)
    larger = images.ndim > 2 and not fits_model(model, images.shape[1:])
    if larger and len(found):
        own = " x ".join(map(str, model.layout_.image[:2]))
        tell(f"note: these images are larger than the model's {own}: they go through in tiles")
        through = partial(process_tiled, model, verb=job.verb)
    elif (
        path.suffix == ".npy" and images.dtype.name in WHITE_LEVELS and len(found)
    ):  # a batch at a time, from file to file
        with memory_mapped(path, images.shape, images.dtype, job.force) as out:
            through(images, out=out)
        return len(found)
    write_images(through(images) if len(found) else images, path, found.names, job.force, job.first)
    return len(found)
