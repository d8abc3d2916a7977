"""One verb's work on images: all of them, or with `--shard i/n` a share of them, which leaves a part and its mark."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.inputs import Skip, Skips, are_pictures, array, pictures, skipping
from narrows.cli.options import Reading

Shard = Annotated[str, Parameter(help="i/n: do the i-th of n shares alone; `narrows merge` joins what they write.")]


class Job:
    """What a verb is asked to do. A verb that can be shared out calls, in this order,

    free(output)        where to write
    model()             the model
    skipping(file)      a block, in which the images are read, by `array` or `pictures`, and results are written
    done(path, rows)    how many results there are
    """

    def __init__(self, verb: str, run: str, images: str, reading: Reading, shard: str, force: bool, **options: Any):
        from narrows.data.share import take_share

        self.verb, self.run, self.images, self.reading, self.force = verb, run, images, reading, force
        self.share = take_share(shard) if shard else None
        asked = {**options, **reading.as_options()}
        self.work = " ".join([verb, *(f"{name}={value}" for name, value in asked.items() if name != "strict")])
        self.skipped: list[tuple[str, str]] = []
        self.marks: list[Path] = []
        self.span: Any = None
        self.form = ""

    def free(self, output: str) -> Path:
        """Where to write, once that is known to be free."""
        from narrows.data.merging.manifest import manifest_path
        from narrows.data.merging.merge import can_merge
        from narrows.data.share import part_path
        from narrows.files import refuse_overwrite

        if self.share is None:
            return refuse_overwrite(output, self.force)
        path = refuse_overwrite(part_path(can_merge(Path(output)), self.share), self.force)
        self.marks.append(refuse_overwrite(manifest_path(path), self.force))
        return path

    def model(self) -> Any:
        from narrows.model.files.store import load

        return load(self.run)

    @contextmanager
    def skipping(self, output: str) -> Iterator[Skips]:
        """As `files.skipping`; a share lists its own. What an earlier run has marked as whole is so no more."""
        from narrows.data.share import part_path

        for mark in self.marks:
            mark.unlink(missing_ok=True)
        name = str(part_path(Path(output), self.share)) if output else ""
        with skipping(name, self.force) as skip:
            yield skip
            self.skipped = skip.rows

    @property
    def one_by_one(self) -> bool:
        """Whether the images are files, which may have several sizes."""
        return are_pictures(self.images)

    def pictures(self, skip: Skip, doing: str) -> Iterator[Any]:
        """The pictures one after another, of a share its own."""
        from narrows.data.readers.folder import image_files, relative_name

        path, files = Path(self.images).expanduser(), None
        if self.share:
            files = image_files(path)
            self.span = self.share.span_of_files(relative_name(file, path) for file in files)
            files = files[self.span.rows]
        return pictures(self.images, self.reading, skip, doing, files)

    def array(self, skip: Skip, mode: str = "") -> Any:
        """The images as one set; of a share it may be empty."""
        found = array(self.images, self.reading, skip, share=self.share, mode=mode)
        self.span = found.span
        if not mode and len(found):
            self.form = f"{found.images.shape[1:]} of {found.images.dtype}"
        return found

    @property
    def first(self) -> int:
        """The place of the first image in the whole."""
        return self.span.first if self.span else 0

    def done(self, path: Path, rows: int) -> Path:
        """What was written is whole; of a share, that is marked now."""
        from narrows.data.merging.manifest import Manifest, model_digest, write_manifest

        if one := self.share:
            if not path.suffix:
                path.mkdir(parents=True, exist_ok=True)  # of a share without results
            about = {"work": self.work, "model": model_digest(self.run), "shard": one.place, "of": one.of}
            found = {"rows": rows, "form": self.form, "skipped": self.skipped}
            write_manifest(path, Manifest(**about, **asdict(self.span), **found))
        return path
