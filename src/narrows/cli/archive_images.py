"""The images of a job as the codec takes them: read as often as it asks, always the same."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrows.cli.inputs import Skip, chosen_split, is_pack, picture_options
from narrows.cli.output import tell
from narrows.cli.sharded_job import Job

if TYPE_CHECKING:
    import numpy as np

    from narrows.codec.extras import Extras


def images_of(job: Job, skip: Skip) -> "JobPictures | JobArray":
    """Pictures one after another, in their own sizes and types, or the rows of an array."""
    if job.one_by_one:
        return JobPictures(job, skip)
    return JobPack(job, skip) if is_pack(job.images) else JobArray(job, skip)


class JobPictures:
    """Pictures of a folder, or one of a file. skip: is called once for each that cannot be read."""

    def __init__(self, job: Job, skip: Skip):
        from narrows.codec.extras import Extras

        self.job = job
        self.skip = skip
        self.skipped: set[str] = set()
        self.extras: Extras = Extras()

    def __iter__(self) -> "Iterator[np.ndarray]":
        from narrows.codec.extras import Extras, PictureKind

        self.extras = Extras()
        for picture in self._pictures():
            kind = PictureKind(picture.mode, _levels(picture.levels), picture.profile)
            self.extras.add(picture.file, kind, picture.page)
            yield picture.pixels

    def _pictures(self) -> Iterator[Any]:
        return self.job.pictures(self._skip_once, self.job.verb)

    def _skip_once(self, name: str, reason: str) -> None:
        if name not in self.skipped:
            self.skipped.add(name)
            self.skip(name, reason)


class JobPack(JobPictures):
    """Pictures of a pack."""

    def __init__(self, job: Job, skip: Skip):
        from narrows.data.packs.pictures import PackedPictures

        super().__init__(job, skip)
        split = chosen_split(job.images, job.split)
        self.packed = PackedPictures(Path(job.images).expanduser(), split, job.share)
        job.span = self.packed.span

    def _pictures(self) -> Iterator[Any]:
        from narrows.model.progress_bar import progress_bar

        options = picture_options(self.job.reading)
        with progress_bar(self.job.verb, len(self.packed)) as advance:
            for picture in self.packed.stream(**options, skip=self._skip_once):
                yield picture
                advance(lambda name=picture.name: name)


class JobArray:
    """The rows of an array, with the names that they came with."""

    def __init__(self, job: Job, skip: Skip):
        data = job.array(skip)
        self.images = data.images
        self.extras = _extras_of(data)

    def __iter__(self) -> "Iterator[np.ndarray]":
        from narrows.mapped import in_parts

        return chain.from_iterable(rows for _, rows in in_parts(self.images))


def _extras_of(data: Any) -> "Extras":
    from narrows.codec.extras import Extras, PictureKind, are_names

    extras = Extras(len(data))
    if data.levels is not None:
        extras.kinds[PictureKind(levels=_levels(data.levels))] = 0
    if data.names is not None and are_names(data.names):
        extras.names, extras.pages = list(data.names), [1] * len(data)
    elif data.names is not None:
        tell("note: the names of these images are not those of files, each once; they are not kept")
    return extras


def _levels(levels: Any) -> tuple[float, float] | None:
    return None if levels is None else (float(levels.black), float(levels.white))


@contextmanager
def training_bar() -> Iterator[Callable[[int, int, float], None]]:
    """A progress bar of a training, with the expected bits per pixel; yields what advances it."""
    from narrows.model.progress_bar import progress_bar

    with ExitStack() as stack:
        bars: list[Any] = []
        done = 0

        def advance(step: int, steps: int, bits: float) -> None:
            nonlocal done
            if not bars:
                bars.append(stack.enter_context(progress_bar("pixel model", steps)))
            while done < step:
                done += 1
                bars[0](lambda: f"{bits:.3f} bits per pixel")

        yield advance
