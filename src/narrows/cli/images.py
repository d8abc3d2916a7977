"""Verbs that use a trained model to make images: reconstruct, sample, decode, interpolate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from narrows.cli.image_work import ARRAYS, ModelWork, process
from narrows.cli.inputs import Skipped
from narrows.cli.options import Force, Integer, Output, Reading, Split
from narrows.cli.sharded_job import Job, Shard

if TYPE_CHECKING:
    from narrows.data.outputs import Place

AS_THEY_ARE = Reading()


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
    job = Job("reconstruct", run, images, reading, shard, force, split)
    process(job, output, skipped, ModelWork)


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
