"""Images in, the same images out, with their names, shapes and types: the work of `reconstruct` and
`denoise`, whatever makes the images.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from narrows.cli.inputs import Skip
from narrows.cli.output import tell
from narrows.cli.sharded_job import Job

if TYPE_CHECKING:
    import numpy as np

    from narrows.data.outputs import Place
    from narrows.denoise.denoise import Options
    from narrows.levels import Levels

ARRAYS = (".npy", ".npz")


class Work(Protocol):
    """What makes images of images."""

    def pictures(self, pictures: Iterable[Any], skip: Skip) -> Iterator[tuple[Any, Any]]:
        """Each picture, and its new pixels."""
        ...

    def of_array(
        self, images: "np.ndarray", levels: "Levels | None"
    ) -> tuple[Callable[..., Any], bool]:
        """The function of such an array that makes the new one, and whether it takes `out=`, an array
        to write into.
        """
        ...

    def levels(self, dtype: "np.dtype", levels: "Levels | None") -> "Levels":
        """Black and white of the results of that type, for images with these levels."""
        ...

    def done(self) -> None:
        """Says what is known after the last image."""
        ...


class ModelWork:
    """A verb of a trained model."""

    def __init__(self, job: Job, model: Any = None):
        self.model, self.verb = model or job.model(), job.verb
        model = self.model
        removes_noise = model.noise_ or model.wants_pairs or model.learns_from_noisy
        if self.verb == "denoise" and not removes_noise:
            tell("note: this model was not trained on noise, so the result is its reconstruction")

    def pictures(self, pictures: Iterable[Any], skip: Skip) -> Iterator[tuple[Any, Any]]:
        from narrows.model.use.folders import process_pictures

        return process_pictures(self.model, self.verb, pictures, skip)

    def of_array(
        self, images: "np.ndarray", levels: "Levels | None"
    ) -> tuple[Callable[..., Any], bool]:
        """Images larger than the model's go by tiles."""
        from narrows.model.estimator.inference import with_input_levels
        from narrows.model.use.folders import with_fixed_batches
        from narrows.model.use.tiles import fits_model, process_tiled

        model = with_input_levels(self.model, levels)
        if not len(images) or images.ndim == 2 or fits_model(model, images.shape[1:]):
            return getattr(with_fixed_batches(model), self.verb), True
        size = " x ".join(map(str, model.layout_.image[:2]))
        tell(
            f"note: these images are larger than the model's {size}, so they are processed in tiles"
        )
        return partial(process_tiled, model, verb=self.verb), False

    def levels(self, dtype: "np.dtype", levels: "Levels | None") -> "Levels":
        from narrows.model.estimator.inference import with_input_levels

        return with_input_levels(self.model, levels).levels_for(dtype)

    def done(self) -> None:
        """There is nothing to say."""


class DenoiserWork:
    """A denoiser that needs no training by the user."""

    def __init__(self, options: "Options"):
        from narrows.denoise.folders import NoiseReport

        self.options = options
        self.report = NoiseReport()

    def pictures(self, pictures: Iterable[Any], skip: Skip) -> Iterator[tuple[Any, Any]]:
        from narrows.denoise.folders import denoise_pictures

        return denoise_pictures(pictures, skip, self.options, self.report)

    def of_array(
        self, images: "np.ndarray", levels: "Levels | None"
    ) -> tuple[Callable[..., Any], bool]:
        from narrows.denoise.denoise import denoise_array

        return partial(
            denoise_array, levels=levels, options=self.options, report=self.report.add
        ), True

    def levels(self, dtype: "np.dtype", levels: "Levels | None") -> "Levels":
        from narrows.levels import levels_of

        return levels or levels_of(dtype)

    def done(self) -> None:
        for line in self.report.lines():
            tell(f"note: {line}")


def process(job: Job, output: str, skipped: str, make_work: Callable[[Job], Work]) -> None:
    """Does the job, and prints where the results are."""
    from narrows.data.write import image_place

    is_folder = job.one_by_one and not Path(job.images).expanduser().is_file()
    place = job.free(image_place(output, many=is_folder))
    work = make_work(job)
    many_to_one = is_folder and not place.is_folder
    process_all = _process_pictures
    if not job.one_by_one or many_to_one or place.ending in ARRAYS:
        process_all = _process_array
    with job.skipping(skipped) as skip:
        count = process_all(work, job, place, skip)
    work.done()
    print(job.done(place, count))


def _process_pictures(work: Work, job: Job, place: "Place", skip: Any) -> int:
    """Picture after picture, each in its own size; returns how many."""
    from narrows.data.write import PictureWriter
    from narrows.errors import DataError

    count = 0
    pictures = job.pictures(skip, job.verb)
    with PictureWriter(note=lambda name, words: tell(f"note: {name}: {words}")) as writer:
        for picture, pixels in work.pictures(pictures, skip):
            writer.add(
                picture, pixels, place.path / picture.file if place.is_folder else place.path
            )
            count += 1
    if not count and not job.share:
        raise DataError(f"none of the images in {job.images} could be used; see above")
    return count


def _process_array(work: Work, job: Job, place: "Place", skip: Any) -> int:
    """One array in, one array or a folder of images out; returns how many images."""
    from narrows.data.write import memory_mapped, write_images
    from narrows.levels import LEVELS

    data = job.array(skip)
    images = data.images
    function, takes_out = work.of_array(images, data.levels)
    path = place.path
    fits_in_place = place.ending == ".npy" and images.dtype.name in LEVELS
    if fits_in_place and takes_out and len(data):  # a batch at a time, from file to file
        with memory_mapped(path, images.shape, images.dtype, job.force) as out:
            function(images, out=out)
        return len(data)
    if len(data):
        images = function(images)
    levels = work.levels(images.dtype, data.levels)
    write_images(images, path, data.names, job.force, job.first, place.ending, levels)
    return len(data)
