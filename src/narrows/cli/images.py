"""Verbs that use a trained model to make images: reconstruct, denoise, sample, decode, interpolate."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from narrows.cli.inputs import Skipped
from narrows.cli.options import Force, Integer, Output, Reading, Split
from narrows.cli.output import tell
from narrows.cli.sharded_job import Job, Shard

if TYPE_CHECKING:
    from narrows.data.outputs import Place

AS_THEY_ARE = Reading()
ARRAYS = (".npy", ".npz")


def reconstruct(
    run: str,
    images: str,
    /,
    *,
    output: Output,
    split: Split = "",
    reading: Reading = AS_THEY_ARE,
    shard: Shard = "",
    skipped: Skipped = "",
    force: Force = False,
) -> None:
    """Encode and decode images: what a model makes of them.

    Example: narrows reconstruct my-run photos/ -o rebuilt/

    Parameters
    ----------
    run
        A run folder, or a model file.
    images
        An image, a folder, a pack, an IDX, .npy or .npz file, or a named set.
    """
    _process(Job("reconstruct", run, images, reading, shard, force, split), output, skipped)


def denoise(
    run: str,
    images: str,
    /,
    *,
    output: Output,
    split: Split = "",
    reading: Reading = AS_THEY_ARE,
    shard: Shard = "",
    skipped: Skipped = "",
    force: Force = False,
) -> None:
    """Clean noisy images with a model that was trained on noise.

    Pictures larger than the model's own images are cleaned in tiles. Each keeps its name, size and
    mode.

    Example: narrows denoise my-run noisy/ -o clean/

    Parameters
    ----------
    run
        A run folder, or a model file.
    images
        An image, a folder, a pack, an IDX, .npy or .npz file, or a named set.
    """
    _process(Job("denoise", run, images, reading, shard, force, split), output, skipped)


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
        Number of images.
    seed
        Seed of the codes; another seed gives other images.
    """
    from narrows.model.files.store import load

    place = _free(output, force)
    model = load(run)
    _write(model, model.sample(count, random_state=seed), place, force)


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
    from narrows.model.files.store import load

    place = _free(output, force)
    values, names = read_codes(codes)
    model = load(run)
    _write(model, model.inverse_transform(values), place, force, names)


def interpolate(
    run: str,
    first: str,
    second: str,
    /,
    *,
    output: Output,
    steps: Integer = 9,
    force: Force = False,
) -> None:
    """Interpolate between two images, along the straight line between their codes.

    Example: narrows interpolate my-run a.png b.png -o steps.png

    Parameters
    ----------
    run
        A run folder, or a model file.
    first
        An image of the size that the model was trained on.
    second
        Another image of that size.
    steps
        Number of images, both ends included.
    """
    from narrows.data import read_data
    from narrows.layout import contact_sheet
    from narrows.model.files.store import load
    from narrows.model.use.latent import interpolate as interpolate_codes

    place = _free(output, force)
    ends = [read_data(name, "all").images[0] for name in (first, second)]
    model = load(run)
    between = interpolate_codes(model, *ends, steps=steps)
    if place.ending not in (*ARRAYS, ""):
        white = model.levels_for(between.dtype).white
        between = contact_sheet(between, columns=steps, fill=white)[None]
    _write(model, between, place, force)


def _free(output: str, force: bool) -> "Place":
    """Where to write images, refused before any work is done."""
    from narrows.data.write import image_place
    from narrows.files import refuse_overwrite

    place = image_place(output)
    refuse_overwrite(place.path, force)
    return place


def _write(
    model: Any, images: Any, place: "Place", force: bool, names: Sequence[str] | None = None
) -> None:
    """Images that a model made, with its black and white."""
    from narrows.data.write import write_images

    levels = model.levels_for(images.dtype)
    print(write_images(images, place.path, names, force, ending=place.ending, levels=levels))


def _process(job: Job, output: str, skipped: str) -> None:
    """Images in, the same images out, with their names, shapes and types."""
    from narrows.data.write import image_place

    is_folder = job.one_by_one and not Path(job.images).expanduser().is_file()
    place = job.free(image_place(output, many=is_folder))
    model = job.model()
    if job.verb == "denoise" and not (model.noise_ or model.wants_pairs):
        tell("note: this model was not trained on noise, so the result is its reconstruction")
    many_to_one = is_folder and not place.is_folder
    process = _process_pictures
    if not job.one_by_one or many_to_one or place.ending in ARRAYS:
        process = _process_array
    with job.skipping(skipped) as skip:
        count = process(model, job, place, skip)
    print(job.done(place, count))


def _process_pictures(model: Any, job: Job, place: "Place", skip: Any) -> int:
    """Picture after picture, each in its own size; returns how many."""
    from narrows.data.write import PictureWriter
    from narrows.errors import DataError
    from narrows.model.use.folders import process_pictures

    count = 0
    pictures = job.pictures(skip, job.verb)
    with PictureWriter(note=lambda name, words: tell(f"note: {name}: {words}")) as writer:
        for picture, pixels in process_pictures(model, job.verb, pictures, skip):
            writer.add(
                picture, pixels, place.path / picture.file if place.is_folder else place.path
            )
            count += 1
    if not count and not job.share:
        raise DataError(f"none of the images in {job.images} could be used; see above")
    return count


def _process_array(model: Any, job: Job, place: "Place", skip: Any) -> int:
    """One array in, one array or a folder of images out; returns how many images."""
    from narrows.data.write import memory_mapped, write_images
    from narrows.levels import LEVELS
    from narrows.model.estimator.inference import with_input_levels

    data = job.array(skip)
    images, model = data.images, with_input_levels(model, data.levels)
    process, is_tiled = _array_function(model, job.verb, images)
    path = place.path
    fits_in_place = place.ending == ".npy" and images.dtype.name in LEVELS
    if fits_in_place and not is_tiled and len(data):  # a batch at a time, from file to file
        with memory_mapped(path, images.shape, images.dtype, job.force) as out:
            process(images, out=out)
        return len(data)
    if len(data):
        images = process(images)
    levels = model.levels_for(images.dtype)
    write_images(images, path, data.names, job.force, job.first, place.ending, levels)
    return len(data)


def _array_function(model: Any, verb: str, images: Any) -> tuple[Callable[..., Any], bool]:
    """The function that does the verb, and whether it goes by tiles, as images larger than the
    model's need.
    """
    from narrows.model.use.folders import with_fixed_batches
    from narrows.model.use.tiles import fits_model, process_tiled

    if not len(images) or images.ndim == 2 or fits_model(model, images.shape[1:]):
        return getattr(with_fixed_batches(model), verb), False
    size = " x ".join(map(str, model.layout_.image[:2]))
    tell(f"note: these images are larger than the model's {size}, so they are processed in tiles")
    return partial(process_tiled, model, verb=verb), True
