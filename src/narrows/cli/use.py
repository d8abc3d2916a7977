"""Verbs that use a trained model: reconstruct, denoise, sample."""

from typing import Annotated

from cyclopts import Parameter

from narrows.cli.options import Force, Output
from narrows.cli.say import tell


def reconstruct(run: str, images: str, /, *, output: Output, force: Force = False) -> None:
    """Pass images through a model and back.

    Example: narrows reconstruct my-run photos/ -o rebuilt/

    Parameters
    ----------
    run
        A run folder, or a model file.
    images
        An image, a folder, an IDX, .npy or .npz file, or a named set (its test part).
    """
    _through("reconstruct", run, images, output, force)


def denoise(run: str, images: str, /, *, output: Output, force: Force = False) -> None:
    """Clean noisy images with a model that was trained on noise.

    Example: narrows denoise my-run noisy/ -o clean/

    Parameters
    ----------
    run
        A run folder, or a model file.
    images
        An image, a folder, an IDX, .npy or .npz file, or a named set (its test part).
    """
    _through("denoise", run, images, output, force)


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


def _through(verb: str, run: str, images: str, output: str, force: bool) -> None:
    """Images in, the same images out, with their names, forms and types."""
    from narrows.data import SETS, read
    from narrows.data.write import mapped, write_images
    from narrows.files import may_write
    from narrows.images import PEAKS
    from narrows.model.store import load

    path = may_write(output, force)
    model = load(run)
    if verb == "denoise" and getattr(model, "corruption", "none") == "none":
        tell("note: this model was not trained on noise; what it gives is its reconstruction")
    found = read(images, "test" if images in SETS else "all")
    for name, reason in found.skipped:
        tell(f"skipped {name}: {reason}")
    if path.suffix == ".npy" and found.images.dtype.name in PEAKS:  # a batch at a time, from file to file
        with mapped(path, found.images, force) as out:
            getattr(model, verb)(found.images, out=out)
    else:
        write_images(getattr(model, verb)(found.images), path, found.names, force)
    print(path)
