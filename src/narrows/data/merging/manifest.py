"""The mark of a part: written last of all, beside what one share of a work has written, it says that this is whole.

    codes-2-of-4.npz            what was written; of images, a folder `clean-2-of-4/`
    codes-2-of-4.npz.part.json  its mark

The mark says which share of which work this is, so that parts of different works are not joined.
"""

import os
from hashlib import file_digest
from pathlib import Path

import msgspec

from narrows.errors import DataError
from narrows.files import write_file

FORMAT = 1
AGAIN = "run that share again, with --force"
ENDING = ".part.json"


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """What is known of a part.

    work: the verb and the options that decide what comes out. model: names the model, as `digest` does. shard, of:
    which share. first, stop, total, inputs: as of `Span`. rows: how many results it holds, one an input that could be
    used. form: shape and type of the images as they were read, where all have one. skipped: (name, reason) of those
    that could not be used.
    """

    work: str
    model: str
    shard: int
    of: int
    first: int
    stop: int
    total: int
    inputs: str
    rows: int
    form: str = ""
    skipped: list[tuple[str, str]] = []
    format: int = FORMAT


def manifest_path(part: Path) -> Path:
    """Where the mark of a part lies."""
    return part.with_name(part.name + ENDING)


def write_manifest(part: Path, mark: Manifest) -> None:
    """Mark a part as whole."""
    write_file(manifest_path(part), msgspec.json.format(msgspec.json.encode(mark), indent=2) + b"\n")


def read_manifest(part: Path) -> Manifest:
    """The mark of a part. Raises `DataError` where there is none, or it is not one."""
    path = manifest_path(part)
    try:
        mark = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise DataError(f"{part} has no mark {path.name}: it was not written to its end; {AGAIN}") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(f"the mark {path} cannot be read ({error}); {AGAIN}") from error
    if mark.format != FORMAT:
        raise DataError(f"the mark {path} has format {mark.format}, and this version reads {FORMAT}; {AGAIN}")
    return mark


def digest(model: str | os.PathLike[str]) -> str:
    """16 hex digits that name a model by its file, or by that of its run's folder."""
    path = Path(model)
    with open(path / "model.safetensors" if path.is_dir() else path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()[:16]
