"""What a file is, by its content: recognisers, each `recognise(path, head) -> bool`.

Most formats begin with a signature of their own. A zip says what is in it in the table at its end,
and a few formats have no signature at all: of those the size says which they can be. An ending
proves nothing, since files are renamed and served under any name.

    head    the first `HEAD` bytes of the file, unpacked if it is gzipped; of a folder, nothing
"""

import gzip
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from narrows.data.readers.idx import GZIP_MAGIC, TYPES

HEAD = 4096  # bytes
TAR_BLOCK = 512
TAR_SUM = slice(148, 156)  # of a header, in octal
ZIP_ERRORS = (zipfile.BadZipFile, OSError, ValueError, NotImplementedError)
PICTURES = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF87a", b"GIF89a"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),  # TIFF and BigTIFF
)
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes; two letters alone could begin any text

Recognise = Callable[[Path, bytes], bool]


def head_of(path: Path) -> bytes:
    """The first bytes of a file, unpacked if it is gzipped; of a folder, nothing. Raises `OSError`."""
    if path.is_dir():
        return b""
    with open(path, "rb") as file:
        head = file.read(HEAD)
        if not head.startswith(GZIP_MAGIC):
            return head
        file.seek(0)
        try:
            return gzip.GzipFile(fileobj=file).read(HEAD)
        except (OSError, EOFError, zlib.error):
            return head


def begins_with(*signatures: bytes, at: int = 0) -> Recognise:
    """A recogniser of files that have one of these signatures at a place."""

    def recognise(path: Path, head: bytes) -> bool:
        return head[at:].startswith(signatures)

    return recognise


def zip_names(path: Path, head: bytes) -> list[str]:
    """The names in a zip; of any other file, none."""
    if not head.startswith(b"PK") or path.is_dir():
        return []
    try:
        with zipfile.ZipFile(path) as stored:
            return stored.namelist()
    except ZIP_ERRORS:
        return []


def is_folder(path: Path, head: bytes) -> bool:
    return path.is_dir()


def is_pack_index(path: Path, head: bytes) -> bool:
    return {"about.npy", "entries.npy", "shards.npy"} <= set(zip_names(path, head))


def is_npz(path: Path, head: bytes) -> bool:
    """A zip of `.npy` files and nothing else."""
    names = zip_names(path, head)
    return bool(names) and all(name.endswith(".npy") for name in names)


def is_tar(path: Path, head: bytes) -> bool:
    """Whether the first header of a tar has the sum that is written in it."""
    header = head[:TAR_BLOCK]
    try:
        stored = int(header[TAR_SUM].strip(b" \0"), 8)
    except ValueError:
        return False
    # its own eight bytes count as spaces
    return stored == sum(header) - sum(header[TAR_SUM]) + 8 * ord(" ")


def is_idx(path: Path, head: bytes) -> bool:
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in TYPES and 1 <= head[3] <= 8


def is_picture(path: Path, head: bytes) -> bool:
    """Whether Pillow's formats that are admitted have its signature."""
    is_webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    is_bmp = head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in BMP_HEADERS
    return head.startswith(PICTURES) or is_webp or is_bmp
