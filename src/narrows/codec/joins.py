"""Archives, one after the other, in one: what `narrows merge` does of the archives that shares wrote.

Blocks are copied as they are, each once its checksum is what it should be; a form of no images between
two archives keeps their blocks apart (`index`). All must have the same mode and the same pixel model, and
one of them is kept.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from narrows.codec.archive import BEGINNING, index_of, write_end
from narrows.codec.extras import Extras, read_extras
from narrows.codec.index import BREAK, INSIDE, NO_MODEL, Index
from narrows.codec.packing import DAMAGED
from narrows.codec.verify import checked_blocks
from narrows.data.merging.joins import JOINS, Joins
from narrows.errors import DataError
from narrows.files import atomic
from narrows.reading import reading

ENDING = ".nrw"


def register_joins() -> None:
    """Let `narrows.data.merging` join archives."""
    JOINS[ENDING] = Joins(count_files, join_archives)


def count_files(path: Path) -> int:
    """How many files, or images of an array, an archive has."""
    with reading(path), open(path, "rb") as file:
        index = index_of(file)
    return read_extras(index.extras, index.count).files


def join_archives(parts: Sequence[Path], path: Path) -> None:
    """Write the images of all parts as one archive. Raises `DataError` if they do not go together."""
    with atomic(path) as temporary, open(temporary, "wb") as out:
        out.write(BEGINNING)
        joint, extras, model = Index(), Extras(), b""
        for number, part in enumerate(parts):
            with reading(part), open(part, "rb") as file:
                index = index_of(file)
                _check_alike(joint, index, part, first=not number)
                model = _copy_blocks(file, index, out) or model
            _extend(joint, index)
            further = read_extras(index.extras, index.count)
            extras = further if not number else extras
            if number:
                extras.extend(further)
        out.write(model)
        joint.extras = extras.to_bytes()
        write_end(out, joint)


def _check_alike(joint: Index, index: Index, part: Path, first: bool) -> None:
    """Refuse an archive that is of another mode or model than those before."""
    if first:
        joint.mode, joint.tile, joint.area = index.mode, index.tile, index.area
    if (index.mode, index.tile, index.area) != (joint.mode, joint.tile, joint.area):
        raise DataError(
            f"{part} is of another mode, or has blocks of another size, than the first part"
        )
    if NO_MODEL not in (index.model, joint.model) and _model_of(index) != _model_of(joint):
        raise DataError(f"{part} has another pixel model than the parts before")


def _model_of(index: Index) -> tuple[object, ...]:
    return index.model, index.model_length, index.model_crc, index.model_digest


def _extend(joint: Index, index: Index) -> None:
    """Enter the forms, the blocks and the model of an archive."""
    if joint.forms and index.forms:
        joint.forms.append(BREAK)
    joint.forms += index.forms
    joint.blocks += index.blocks
    if joint.model == NO_MODEL:
        joint.model, joint.model_length = index.model, index.model_length
        joint.model_crc, joint.model_digest = index.model_crc, index.model_digest


def _copy_blocks(file: BinaryIO, index: Index, out: BinaryIO) -> bytes:
    """Copy the blocks, and return the bytes of the model if it is inside."""
    for block in checked_blocks(file, index):
        out.write(block)
    model = file.read(index.model_length)
    if index.model == INSIDE and zlib.crc32(model) != index.model_crc:
        raise DataError(DAMAGED.format("its pixel model"))
    return model
