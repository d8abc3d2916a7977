"""Verbs that compress images to one file, and give them back: compress, decompress."""

from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from narrows.cli.archive_images import training_bar
from narrows.cli.inputs import Skipped
from narrows.cli.options import Flag, Force, Integer, Json, Output, Reading
from narrows.cli.output import give_facts, tell
from narrows.cli.sharded_job import Job, Shard
from narrows.errors import DataError, wrong

if TYPE_CHECKING:
    from narrows.codec.compress import Plan

AS_THEY_ARE = Reading()
ENDING = ".nrw"
Kept = Annotated[
    str,
    Parameter(
        help="train, val, test or all; by default all of a folder or a file, test of a named set."
    ),
]


@Parameter(name="*")
@dataclass
class Way:
    """How images are compressed.

    Parameters
    ----------
    lossless
        Keep every pixel as it is; the default but for an autoencoder.
    levels
        Keep only this many grey levels, chosen for the least squared error; 2 or more.
    code
        Keep the code of an autoencoder, whose decoder then makes the images (--model); the default for
        one.
    target
        Bytes an image that codes may take; by default their rounding makes the squared error up to 5 %
        larger.
    search
        Rounds of a search for better codes, 0 for none; by default 12, each the time of about 6
        decodings.
    apart
        Do not keep the pixel model in the file; decompress then needs it (--model).
    seed
        Seed of the training, if no model is given.
    """

    lossless: Flag = False
    levels: Integer | None = None
    code: Flag = False
    target: float | None = None
    search: Integer | None = None
    apart: Flag = False
    seed: Integer = 0

    @property
    def mode(self) -> str:
        """The one mode that is asked for, or "", which is the usual one of the model."""
        asked = {"lossless": self.lossless, "levels": self.levels is not None, "code": self.code}
        modes = [name for name, is_asked in asked.items() if is_asked]
        if len(modes) > 1:
            raise wrong("mode", " and ".join(f"--{name}" for name in modes), "one of them")
        return "".join(modes)

    def plan(self, run: str, shard: str) -> "Plan":
        """The same, with the model of that path, as the codec takes it."""
        from narrows.codec.compress import plan_of
        from narrows.codec.fitting import Training

        options = {"apart": self.apart, "target": self.target, "note": _note}
        if self.search is not None:
            options["search"] = self.search
        training = Training(self.seed, progress=training_bar)
        plan = plan_of(run or None, self.mode, self.levels, training=training, **options)
        if shard and plan.model is None:
            cure = "narrows codec train makes one of all images"
            raise wrong("--shard", shard, "a pixel model, which all shares use", cure)
        if plan.mode == "code" and not self.code:
            _note("codes of the autoencoder are kept, not the pixels; --lossless keeps the pixels")
        return plan


USUAL = Way()


def compress(
    model_or_images: str,
    images: str = "",
    /,
    *,
    output: Output,
    way: Way = USUAL,
    split: Kept = "",
    reading: Reading = AS_THEY_ARE,
    shard: Shard = "",
    skipped: Skipped = "",
    json: Json = False,
    force: Force = False,
) -> None:
    """Compress images to one file, from which decompress makes the same images again: names,
    folders, sizes, types and all pixels.

    A pixel model says how likely each pixel is, given those before it. Without one a model is trained on
    the images themselves, and kept in the file if that makes it smaller. Where no model is smaller, the
    best general compressor is used. Of an autoencoder the file has the codes, unless --lossless is given.

    Example: narrows compress photos/ -o photos.nrw

    Example: narrows compress m.nrwm mnist -o test.nrw --levels 16

    Parameters
    ----------
    model_or_images
        A pixel model (.nrwm), a run folder or a model file; without a model, the images.
    images
        An image, a folder, a pack, an IDX, .npy or .npz file, or a named set.
    """
    from narrows.codec.compress import write_archive
    from narrows.codec.joins import register_joins
    from narrows.data.outputs import file_place
    from narrows.files import atomic

    register_joins()
    run, images = (model_or_images, images) if images else ("", model_or_images)
    options = {"mode": way.mode, "levels": way.levels, "apart": way.apart}
    split = split or _usual_split(images)
    job = Job("compress", run, images, reading, shard, force, split, **options)
    place = job.free(file_place(output, "archives", (ENDING,)))
    plan = way.plan(run, shard)
    with job.skipping(skipped) as skip:
        source = _source(job, plan, skip)
        with atomic(place.path) as temporary, open(temporary, "w+b") as file:
            writer = write_archive(file, source, plan)
            _refuse_nothing(source, job)
    path = job.done(place, source.extras.files)
    _report(path, writer.index, json)


def _usual_split(images: str) -> str:
    from narrows.data import NAMED_SETS

    return "" if images in NAMED_SETS else "all"


def _note(words: str) -> None:
    tell(f"note: {words}")


def _source(job: Job, plan: "Plan", skip: Any) -> Any:
    """The images; of a share with grey levels, which are those of all images, these too."""
    from narrows.cli.archive_images import images_of

    source = images_of(job, skip)
    if job.share and plan.levels:
        every = copy(job)
        every.share = None
        plan.every = images_of(every, lambda name, reason: None)
    return source


def _refuse_nothing(source: Any, job: Job) -> None:
    if not source.extras.count and not job.share:
        raise DataError(f"none of the images in {job.images} could be used; see above")


def _report(path: Path, index: Any, json: bool) -> None:
    """Where the archive is, and how small."""
    from narrows.codec.describe import describe_index

    facts = describe_index(index, path)
    if json:
        give_facts(facts, as_json=True)
        return
    tell(
        f"{facts['images']:,} images, {facts['bytes of the images']:,} bytes, as {facts['bytes']:,} bytes: "
        f"{facts['bits per pixel']:.3f} bits per pixel"
    )
    print(path)


def decompress(
    archive: str,
    /,
    *,
    output: Output,
    model: str = "",
    force: Force = False,
) -> None:
    """Give the images of an archive back, as they were: a folder with its names and sub-folders, or an
    array.

    A picture whose format would change its pixels, such as .jpg, is written as .png or .tif.

    Example: narrows decompress photos.nrw -o photos/

    Parameters
    ----------
    archive
        A file that `narrows compress` wrote (.nrw).
    model
        What was kept apart: the pixel model (.nrwm), or the autoencoder of the codes.
    """
    from narrows.codec.decompress import extras_of, model_of, open_archive
    from narrows.data.write import image_place
    from narrows.files import refuse_overwrite
    from narrows.reading import reading

    place = image_place(output, many=True)
    refuse_overwrite(place.path, force)
    given = model_of(model or None)
    path = Path(archive).expanduser()
    if not path.is_file():
        raise DataError(
            f"there is no file {archive}; expected an archive that narrows compress wrote"
        )
    with reading(path), open(path, "rb") as file:
        opened = open_archive(file, given)
        extras = extras_of(opened)
        if not extras.count:
            raise DataError(f"{archive} holds no images")
        _write(opened, extras, given, place)
    print(place.path)


def _write(archive: Any, extras: Any, model: Any, place: Any) -> None:
    from narrows.codec.array_files import ARRAY_WRITERS
    from narrows.codec.decompress import common_form, images_of
    from narrows.codec.picture_files import write_folder, write_picture

    images = _with_progress(images_of(archive, extras, model), extras.count)
    if place.ending in ARRAY_WRITERS:
        ARRAY_WRITERS[place.ending](images, common_form(archive, extras), extras, place.path)
    elif place.is_folder:
        write_folder(images, extras, place.path, lambda name, words: tell(f"note: {name}: {words}"))
    else:
        write_picture(images, extras, place.path)


def _with_progress(images: Any, total: int) -> Any:
    from narrows.model.progress_bar import progress_bar

    with progress_bar("decompress", total) as advance:
        for number, image in enumerate(images, start=1):
            yield image
            advance(lambda number=number: f"{number:,} of {total:,}")
