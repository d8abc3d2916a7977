"""Verbs that use a trained model to make images: reconstruct, denoise, sample, decode, interpolate."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.files import Skipped, are_pictures, array, pictures, skipping
from narrows.cli.options import Force, Output, Reading
from narrows.cli.say import tell

AS_THEY_ARE = Reading()


def reconstruct(
    run: str,
    images: str,
    /,
    *,
    output: Output,
    reading: Reading = AS_THEY_ARE,
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
    _through("reconstruct", run, images, output, reading, skipped, force)


def denoise(
    run: str,
    images: str,
    /,
    *,
    output: Output,
    reading: Reading = AS_THEY_ARE,
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
    _through("denoise", run, images, output, reading, skipped, force)


def sample(
    run: str,
    /,
    *,
    output: Output,
    count: Annotated[int, Parameter(name=["--count", "-n"])] = 64,
    seed: int = 0,
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
    from narrows.files import may_write
    from narrows.model.store import load

    path = may_write(output, force)
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
    from narrows.data.codes import read_codes
    from narrows.data.write import write_images
    from narrows.files import may_write
    from narrows.model.store import load

    path = may_write(output, force)
    found, names = read_codes(codes)
    print(write_images(load(run).inverse_transform(found), path, names, force))


def interpolate(
    run: str, first: str, second: str, /, *, output: Output, steps: int = 9, force: Force = False
) -> None:
    """Walk from one image to another through the codes between them.

    Example: narrows interpolate my-run a.png b.png -o walk.png

    Parameters
    ----------
    run
        A run folder, or a model file.
    first, second
        Two images of the size that the model was trained on.
    steps
        How many images, both ends included.
    """
    from narrows.data import read
    from narrows.data.write import write_images
    from narrows.files import may_write
    from narrows.images import tile
    from narrows.model.latent import interpolate as walk
    from narrows.model.store import load

    path = may_write(output, force)
    ends = [read(name, "all").images[0] for name in (first, second)]
    found = walk(load(run), *ends, steps=steps)
    sheet = bool(path.suffix) and path.suffix not in (".npy", ".npz")
    print(write_images(tile(found, columns=steps)[None] if sheet else found, path, force=force))


def _through(verb: str, run: str, images: str, output: str, reading: Reading, skipped: str, force: bool) -> None:
    """Images in, the same images out, with their names, forms and types."""
    from narrows.files import may_write
    from narrows.model.store import load

    path = may_write(output, force)
    model = load(run)
    if verb == "denoise" and getattr(model, "corruption", "none") == "none":
        tell("note: this model was not trained on noise; what it gives is its reconstruction")
    one_by_one = are_pictures(images) and (not path.suffix or Path(images).expanduser().is_file())
    with skipping(skipped, force) as skip:
        if one_by_one and path.suffix not in (".npy", ".npz"):
            _pictures(verb, model, images, path, reading, skip)
        else:
            _array(verb, model, array(images, reading, skip), path, force)
    print(path)


def _pictures(verb: str, model: Any, images: str, path: Path, reading: Reading, skip: Any) -> None:
    """Picture after picture, each in its own size."""
    from narrows.data.write import write_like
    from narrows.errors import DataError
    from narrows.model.through import made

    count = 0
    for count, (picture, pixels) in enumerate(  # noqa: B007 (told after the loop)
        made(model, verb, pictures(images, reading, skip, verb), skip), start=1
    ):
        write_like(picture, pixels, path if path.suffix else path / picture.name)
    if not count:
        raise DataError(f"none of the images in {images} could be used; see above")


def _array(verb: str, model: Any, found: Any, path: Path, force: bool) -> None:
    """One array in, one array or a folder of images out."""
    from narrows.data.write import mapped, write_images
    from narrows.images import PEAKS
    from narrows.model.tiles import fits, over

    larger = found.images.ndim > 2 and not fits(model, found.images.shape[1:])
    if larger:
        own = " x ".join(map(str, model.layout_.image[:2]))
        tell(f"note: these images are larger than the model's {own}: they go through in tiles")
        write_images(over(model, found.images, verb), path, found.names, force)
    elif path.suffix == ".npy" and found.images.dtype.name in PEAKS:  # a batch at a time, from file to file
        with mapped(path, found.images.shape, found.images.dtype, force) as out:
            getattr(model, verb)(found.images, out=out)
    else:
        write_images(getattr(model, verb)(found.images), path, found.names, force)
