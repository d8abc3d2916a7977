"""The work of one verb on images: all of them, or with `--shard i/n` one share of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from narrows.cli.inputs import (
    Skip,
    Skips,
    are_pictures,
    array,
    listed_files,
    pictures,
    skipping,
)
from narrows.cli.options import Reading

if TYPE_CHECKING:
    from narrows.data.outputs import Place

Shard = Annotated[
    str, Parameter(help="i/n, such as 2/4: process only the i-th of n shares; see merge.")
]


class Job:
    """What a verb is asked to do. A verb that can be split into shares calls, in this order,

    free(place)         where to write
    model()             the model
    skipping(file)      a block, in which the images are read, by `array` or `pictures`, and
                        results are written
    done(place, rows)   the number of results
    """

    def __init__(
        self,
        verb: str,
        run: str,
        images: str,
        reading: Reading,
        shard: str,
        force: bool,
        split: str = "",
        **options: Any,
    ):
        from narrows.data.share import take_share

        self.verb = verb
        self.run = run
        self.images = images
        self.reading = reading
        self.force = force
        self.split = split
        self.share = take_share(shard) if shard else None
        if split:
            options["split"] = split
        given = {**options, **reading.as_options()}
        given.pop("strict", None)  # changes no result
        self.work = " ".join([verb, *(f"{name}={value}" for name, value in given.items())])
        self.skipped: list[tuple[str, str]] = []
        self.manifests: list[Path] = []
        self.span: Any = None
        self.form = ""

    def free(self, place: "Place") -> "Place":
        """Where to write, which becomes a share's part of it; refused if it exists."""
        from narrows.data.merging.manifest import manifest_path
        from narrows.data.merging.merge import can_merge
        from narrows.data.outputs import Place
        from narrows.data.share import part_path
        from narrows.files import refuse_overwrite

        path = place.path
        if self.share:
            path = part_path(can_merge(place).path, self.share, place.is_folder)
            self.manifests.append(refuse_overwrite(manifest_path(path), self.force))
        return Place(refuse_overwrite(path, self.force), place.ending)

    def model(self) -> Any:
        from narrows.model.files.store import load

        return load(self.run)

    @contextmanager
    def skipping(self, output: str) -> Iterator[Skips]:
        """As `inputs.skipping`; a share lists its own files. The manifests of an earlier run are
        removed first.
        """
        from narrows.data.share import part_path

        for manifest in self.manifests:
            manifest.unlink(missing_ok=True)
        name = str(part_path(Path(output), self.share)) if output else ""
        with skipping(name, self.force) as skip:
            yield skip
            self.skipped = skip.rows

    @property
    def one_by_one(self) -> bool:
        """Whether the images are files, which may have several sizes."""
        return are_pictures(self.images)

    @cached_property
    def listing(self) -> Any:
        """The image files to work on, with their classes: see `data.readers.listing`."""
        return listed_files(self.images, self.split, self.reading.labels)

    def pictures(self, skip: Skip, doing: str) -> Iterator[Any]:
        """The pictures one after another; of a share only its own."""
        listing = self.listing
        for name, reason in listing.skipped:
            skip(name, reason)
        files = [listing.path / name for name in listing.names]
        if self.share:
            self.span = self.share.span_of_files(listing.names)
            files = files[self.span.rows]
        return pictures(self.images, files, self.reading, skip, doing)

    def array(self, skip: Skip, mode: str = "") -> Any:
        """The images as one set, which may be empty in a share."""
        data = array(self.images, self.reading, skip, self.split, share=self.share, mode=mode)
        self.span = data.span
        if not mode and len(data):
            self.form = f"{data.images.shape[1:]} of {data.images.dtype}"
        return data

    @property
    def first(self) -> int:
        """The position of the first image among those of all shares."""
        return self.span.first if self.span else 0

    def done(self, place: "Place", rows: int) -> Path:
        """The output is complete; a share gets its manifest now."""
        from narrows.data.merging.manifest import Manifest, model_digest, write_manifest
        from narrows.errors import escaped

        share = self.share
        path = place.path
        if share is None:
            return path
        if place.is_folder:
            path.mkdir(parents=True, exist_ok=True)  # a share may have no results
        manifest = Manifest(
            work=escaped(self.work),
            model=model_digest(self.run) if self.run else "",
            shard=share.place,
            of=share.of,
            rows=rows,
            form=self.form,
            skipped=[(escaped(name), escaped(reason)) for name, reason in self.skipped],
            **asdict(self.span),
        )
        write_manifest(path, manifest)
        return path
