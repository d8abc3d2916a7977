"""What a file is, by its content: recognisers, each `recognise(path, head) -> bool`.

Most formats begin with a signature of their own. A zip says what is in it in the table at its end,
and a few formats have no signature at all: of those the size says which they can be. An ending
proves nothing, since files are renamed and served under any name.

    head    the first `HEAD` bytes of the file, unpacked if it is gzipped; of a folder, nothing
"""

import gzip
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from narrows.data.readers.idx import GZIP_MAGIC, TYPES

HEAD = 4096  # bytes
TAR_BLOCK = 512
TAR_SUM = slice(148, 156)  # of a header, in octal
ZIP_ERRORS = (zipfile.BadZipFile, OSError, ValueError, NotImplementedError)
PICTURES = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF87a", b"GIF89a"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),  # TIFF and BigTIFF
    *(
        b"qoif",
        b"\xff\x0a",
        b"\0\0\0\x0cJXL ",
        b"\0\0\0\x0cjP  ",
        b"\xff\x4f\xff\x51",
    ),  # QOI, JPEG XL, 2000
)
NETPBM = re.compile(rb"P[1-6fF][\s#]")
BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
NIFTI = (b"n+1\0", b"ni1\0")  # at byte 344
WHITE = str.maketrans("\t\r\n", "   ")
LEAST_COLUMNS = 4  # of a table of images
TFRECORD_HEADER = 12  # bytes: a length and its sum
FEATURES = 0x0A  # the first byte of an Example that has features
OLD_TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # after the protocol of a pickle
STL10_IMAGE = 3 * 96 * 96  # bytes
RECORDS_CHECKED = 256
NAMES_CHECKED = 200
IDX_NAME = re.compile(r"idx\d|\.idx$")
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


def is_idx_folder(path: Path, head: bytes) -> bool:
    """Whether most names in a folder, of those met first, are those of IDX files."""
    if not path.is_dir():
        return False
    with os.scandir(path) as entries:
        names = [entry.name for entry in islice(entries, NAMES_CHECKED)]
    return 2 * sum(map(is_idx_name, names)) > len(names)


def is_idx_name(name: str) -> bool:
    return IDX_NAME.search(name.lower().removesuffix(".gz")) is not None


def is_picture(path: Path, head: bytes) -> bool:
    """Whether a format of pictures that is admitted has its signature (see `image_files`)."""
    is_webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    is_bmp = head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in BMP_HEADERS
    is_heif = head[4:8] == b"ftyp" and head[8:12] in BRANDS
    is_medical = head[128:132] == b"DICM" or head[344:348] in NIFTI or head[4:8] == b"n+2\0"
    is_known = head.startswith(PICTURES) or NETPBM.match(head) is not None
    return is_known or is_webp or is_bmp or is_heif or is_medical


def is_csv(path: Path, head: bytes) -> bool:
    """A table of text, of which most cells of the first or second line are numbers, or numbered
    names such as pixel0.
    """
    text = head.decode("utf-8-sig", errors="ignore")
    if not text.isprintable() and not text.translate(WHITE).isprintable():
        return False
    return any(_is_mostly_numbered(line) for line in text.splitlines()[:2])


def _is_mostly_numbered(line: str) -> bool:
    cells = re.split("[,;\t]", line)
    numbered = sum(cell.strip(' "')[-1:].isdigit() for cell in cells)
    return len(cells) >= LEAST_COLUMNS and 2 * numbered > len(cells)


def is_cifar(path: Path, head: bytes) -> bool:
    """A folder of batches, or a binary batch: records of 3,073 or 3,074 bytes that begin with a label."""
    if path.is_dir():
        batch = any((path / f"data_batch_1{end}").is_file() for end in ("", ".bin"))
        names = ("train.bin", "test.bin", "fine_label_names.txt"), ("train", "test", "meta")
        return batch or any(all((path / name).is_file() for name in some) for some in names)
    return _has_labels(path, 3073, (9,)) or _has_labels(path, 3074, (19, 99))


def _has_labels(path: Path, record: int, most: Sequence[int]) -> bool:
    """Whether a file consists of records that begin with bytes of at most these values."""
    size = path.stat().st_size
    if not size or size % record:
        return False
    with open(path, "rb") as file:
        for place in range(0, min(size, RECORDS_CHECKED * record), record):
            file.seek(place)
            if any(byte > limit for byte, limit in zip(file.read(len(most)), most)):
                return False
    return True


def is_stl10(path: Path, head: bytes) -> bool:
    """A folder of STL-10, or one of its files, which have no header: by their size and name."""
    if path.is_dir():
        return any((path / f"{part}_X.bin").is_file() for part in ("train", "test"))
    size = path.stat().st_size
    return size > 0 and size % STL10_IMAGE == 0 and path.name.lower().endswith("_x.bin")


def is_pickle(path: Path, head: bytes) -> bool:
    return len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5 and not is_torch(path, head)


def is_tfrecord(path: Path, head: bytes) -> bool:
    """Whether the first record, an Example, ends within the file, a sum after its length and one
    after it.
    """
    if len(head) < TFRECORD_HEADER + 2 or path.is_dir():
        return False
    size = int.from_bytes(head[:8], "little")
    ends_inside = 0 < size <= path.stat().st_size - TFRECORD_HEADER - 4
    return ends_inside and head[TFRECORD_HEADER] == FEATURES


def is_torch(path: Path, head: bytes) -> bool:
    """A zip with the pickle of its structure, or the older form, a pickle of a magic number."""
    names = zip_names(path, head)
    return head[2:].startswith(OLD_TORCH) or any(name.endswith("/data.pkl") for name in names)
