"""Archives of tests/fixtures/codec, which must always be decoded exactly, and written again as they are.

    python tests/golden_archives.py     prints, as JSON, what this process makes of them

The images of each are in `expected.json` by their SHA-256. What general compressors leave is not compared:
another version of these may leave other bytes.
"""

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from archive_mutants import parts_of
from narrows.codec.archive import Archive, Writer
from narrows.codec.code_mode import codes_of
from narrows.codec.decompress import decompress
from narrows.codec.index import MODES

FOLDER = Path(__file__).parent / "fixtures" / "codec"
NAMES = ("grey", "levels", "colour", "deep", "codes")  # by a pixel model, which is inside
GENERAL = "general"
TOGETHER = (1, 7, 64, 256)  # images that are compressed at once


def content(name: str) -> bytes:
    return (FOLDER / f"{name}.nrw").read_bytes()


def images_in(archive: bytes) -> Iterable[np.ndarray]:
    """The images; of codes the codes."""
    opened = Archive(BytesIO(archive))
    if MODES[opened.index.mode] == "code":
        return [row for rows in codes_of(opened) for row in rows]
    return decompress(archive)


def digest(images: Iterable[np.ndarray]) -> str:
    """SHA-256 of shapes, types and values."""
    total = sha256()
    for image in images:
        little = np.ascontiguousarray(image, image.dtype.newbyteorder("<"))
        total.update(f"{image.dtype.name} {image.shape}".encode() + little.tobytes())
    return total.hexdigest()


def written_again(archive: bytes) -> bytes:
    """What is written of what an archive holds, by the model that is in it."""
    opened, file = Archive(BytesIO(archive)), BytesIO()
    writer = Writer(file, opened.model, mode=MODES[opened.index.mode])
    writer.write(opened.images(), lambda: opened.index.extras)
    return file.getvalue()


def blocks_of(archive: bytes) -> list[bytes]:
    return parts_of(archive)[1]


def some(count: int) -> np.ndarray:
    """Images `(count, 4, 4)`, the same on every machine: those of the archive, shifted and mirrored."""
    images = np.asarray(decompress(content("grey")))[:, 2:6, 2:6]
    turned = [np.roll(images, k, axis=1 + k % 2)[:, :: 1 - 2 * (k % 2)] for k in range(12)]
    return np.concatenate(turned)[:count]


def together(images: Sequence[np.ndarray]) -> str:
    """The SHA-256 of the archive of these images, once it gives them back."""
    file = BytesIO()
    Writer(file, Archive(BytesIO(content("grey"))).model).write(images)
    assert digest(Archive(file).images()) == digest(images)
    return sha256(file.getvalue()).hexdigest()


def report() -> dict[str, Any]:
    """What this process makes of all: images, bytes, archives of several images at once."""
    return {
        "images": {name: digest(images_in(content(name))) for name in (*NAMES, GENERAL)},
        "written again": [
            name
            for name in NAMES
            if blocks_of(written_again(content(name))) == blocks_of(content(name))
        ],
        "together": {str(count): together(some(count)) for count in TOGETHER},
        "vector units": vector_units(),
    }


def vector_units() -> list[str]:
    """What OpenBLAS and numpy use here."""
    from numpy._core import _multiarray_umath as numpy_core

    features, dispatched = numpy_core.__cpu_features__, numpy_core.__cpu_dispatch__
    used = [name for name in dispatched if features.get(name)]
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return used
    return [*used, *(str(library.get("architecture")) for library in threadpool_info())]


if __name__ == "__main__":
    print(json.dumps(report()))
