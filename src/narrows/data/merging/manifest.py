"""The manifest of a part: written last, next to what one share of a job wrote, it says that the
part is complete.

    codes-2-of-4.npz            what was written; of images, a folder `clean-2-of-4/`
    codes-2-of-4.npz.part.json  its manifest

The manifest says which share of which job this is, so that parts of different jobs are not joined.
"""

import os
from hashlib import file_digest
from pathlib import Path
from typing import Annotated

import msgspec

from narrows.errors import DataError
from narrows.files import write_file
from narrows.reading import reading

MANIFEST_FORMAT = 1
RUN_AGAIN = "run that share again, with --force"
MANIFEST_ENDING = ".part.json"
Count = Annotated[int, msgspec.Meta(ge=0)]
Place = Annotated[int, msgspec.Meta(ge=1, lt=10**9)]  # as `--shard` takes them


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """What is known of a part.

    work: the verb and the options that decide what comes out.
    model: identifies the model, see `model_digest`.
    shard, of: which share.
    first, stop, total, inputs: see `Span`.
    rows: how many results it holds, one for each input that could be used.
    form: shape and type of the images as they were read, if all have one.
    skipped: (name, reason) of those that could not be used.
    """

    work: str
    model: str
    shard: Place
    of: Place
    first: Count
    stop: Count
    total: Count
    inputs: str
    rows: Count
    form: str = ""
    skipped: list[tuple[str, str]] = []
    format: int = MANIFEST_FORMAT

    def __post_init__(self) -> None:
        """Raises `ValueError` if its numbers contradict one another."""
        inputs = self.stop - self.first
        if not (self.shard <= self.of and self.first <= self.stop <= self.total):
            raise ValueError(f"share {self.shard} of {self.of} has {inputs} of {self.total} inputs")
        if self.rows > inputs:
            raise ValueError(f"it has {self.rows:,} results of {inputs:,} inputs")


def manifest_path(part: Path) -> Path:
    """Where the manifest of a part is."""
    return part.with_name(part.name + MANIFEST_ENDING)


def write_manifest(part: Path, manifest: Manifest) -> None:
    """Say that a part is complete."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    write_file(manifest_path(part), text + b"\n")


def read_manifest(part: Path) -> Manifest:
    """The manifest of a part. Raises `DataError` if there is none, or it cannot be used."""
    path = manifest_path(part)
    if not path.exists():
        raise DataError(
            f"{part} has no manifest {path.name}: it was not written to its end; {RUN_AGAIN}"
        )
    with reading(f"the manifest {path}", RUN_AGAIN):
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    if manifest.format != MANIFEST_FORMAT:
        raise DataError(
            f"the manifest {path} has format {manifest.format}, and this version reads "
            f"{MANIFEST_FORMAT}; {RUN_AGAIN}"
        )
    return manifest


def model_digest(model: str | os.PathLike[str]) -> str:
    """16 hex digits that identify a model by its file, or by that in its run folder."""
    path = Path(model)
    if path.is_dir():
        path = path / "model.safetensors"
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()[:16]
