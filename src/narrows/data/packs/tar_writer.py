"""The tars of a pack, in the layout of WebDataset: the files of an image follow one another and
share its key.

    000000000.png     the image, byte for byte as it was
    000000000.json    {"file": "cat/1.png", "class": "cat"}: its name, and its class in words
    000000000.cls     its class as a number

A tar is blocks of 512 bytes: for each file one that says its name and size, then its bytes, filled
up with zeros; two blocks of zeros are the end.

Reference: WebDataset, https://github.com/webdataset/webdataset; POSIX.1-1988, "ustar interchange
format".
"""

import json
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from narrows.data.packs.index import ENTRY, Index, read_index
from narrows.data.packs.tar_members import TAR_BLOCK
from narrows.errors import DataError, OutputError, wrong
from narrows.files import publish, temporary_folder

TAR_END = bytes(2 * TAR_BLOCK)
ENTRY_ROW = struct.Struct("<IQQIq")  # as `ENTRY`
# name, mode, owners, size, time, sum, kind, form
TAR_HEADER = struct.Struct("100s 8s8s8s 12s12s 8s s 100x 8s 247x")
FILE_MODE = 0o644  # who may read the file
SUM_OFFSET = 148  # of the checksum in the header


class Labelling(NamedTuple):
    """kind_of: the class of an image in words, by its name. label: the number of each class. classes:
    their names in the order of their numbers; None if the classes are numbers.
    """

    kind_of: Callable[[str], str | None]
    label: Mapping[str, int]
    classes: tuple[str, ...] | None


UNLABELLED = Labelling(lambda name: None, {}, None)


class TarWriter:
    """The tars of a pack while they grow.

    They are written in a temporary folder and get their names in `finish`; if it is not reached,
    nothing remains of them. What the disk refuses in `with` is raised as `OutputError`.
    """

    def __init__(self, path: Path, labelling: Labelling, splits: bool, most: int | None):
        self.path = path
        self.labelling = labelling
        self.splits = splits
        self.most = most
        self.entries = bytearray()
        self.names = bytearray()
        self.shards: list[str] = []
        self.bytes: list[int] = []
        self.skipped: list[tuple[str, str]] = []
        self.count = 0
        self.stack = ExitStack()
        self.tar: IO[bytes] | None = None
        self.folder = path.parent  # a temporary one in `with`

    def __enter__(self) -> "TarWriter":
        self.folder = self.stack.enter_context(temporary_folder(self.path))
        return self

    def __exit__(self, kind: Any, error: Any, *trace: Any) -> None:
        self.stack.__exit__(kind, error, *trace)
        if isinstance(error, OSError):
            words = error.strerror or error
            raise OutputError(f"{self.path} cannot be written: {words}") from error

    def add(self, name: str, content: bytes | str) -> None:
        """One more image; or, as words, why it cannot be read."""
        if isinstance(content, str):
            self.skipped.append((name, content))
            return
        kind = self.labelling.kind_of(name)
        label = self.labelling.label[kind] if kind else -1
        files = files_of_image(f"{self.count:09d}", name, content, kind, label)
        tar = self._tar_for(sum(map(size_in_tar, files.values())))
        offsets = [add_file(tar, file, data) for file, data in files.items()]
        crc = zlib.crc32(content)
        self.entries += ENTRY_ROW.pack(len(self.shards) - 1, offsets[0], len(content), crc, label)
        self.names += os.fsencode(name) + b"\0"
        self.count += 1

    def finish(self) -> None:
        """Give the tars their names, then write the index. Raises `DataError` if no image could be
        read.
        """
        if not self.count:
            name, reason = self.skipped[0]
            raise DataError(
                f"none of the {len(self.skipped)} images can be read; the first, {name}: {reason}"
            )
        self._end_tar()
        index_path = self.path.with_suffix(".index")
        replaced = _tars_of(index_path)
        index_path.unlink(missing_ok=True)  # an old one would describe the new tars
        for name in self.shards:
            publish(self.folder / name, self.path.with_name(name))
        self.stack.close()
        self._index().write(index_path)
        for name in replaced - set(self.shards):  # what is left of a pack that was replaced
            self.path.with_name(name).unlink(missing_ok=True)

    def counts(self) -> dict[str, Any]:
        """What was written, as `pack` returns it."""
        suffix = ".tar" if self.most is None else ".index"
        return {
            "images": self.count,
            "classes": len(self.labelling.label),
            "shards": len(self.shards),
            "bytes": sum(self.bytes),
            "skipped": tuple(self.skipped),
            "path": self.path.with_suffix(suffix),
        }

    def _index(self) -> Index:
        return Index(
            folder=self.path.parent,
            shards=tuple(self.shards),
            bytes=tuple(self.bytes),
            entries=np.frombuffer(self.entries, ENTRY),
            blob=np.frombuffer(self.names, np.uint8),
            classes=self.labelling.classes,
            splits=self.splits,
            labelled=bool(self.labelling.label),
        )

    def _tar_for(self, size: int) -> IO[bytes]:
        """The tar to write `size` bytes into: the present one, or the next if it would grow too long."""
        if self.tar:
            if self.most is None or self.tar.tell() + size + len(TAR_END) <= self.most:
                return self.tar
            self._end_tar()
        path = self.path
        if self.most is not None:
            path = path.with_stem(f"{path.stem}-{len(self.shards):05d}")
        self.shards.append(path.name)
        self.tar = self.stack.enter_context((self.folder / path.name).open("wb"))
        return self.tar

    def _end_tar(self) -> None:
        if self.tar:
            self.tar.write(TAR_END)
            self.bytes.append(self.tar.tell())
            self.tar.close()


def _tars_of(index: Path) -> set[str]:
    """The tars that an index names; none if it is not there or damaged."""
    try:
        return {name for name in read_index(index).shards if name.endswith(".tar")}
    except DataError:
        return set()


def add_file(tar: IO[bytes], name: str, data: bytes) -> int:
    """Write one more file into a tar; returns where its bytes begin. The same bytes always give the
    same tar.
    """
    tar.write(tar_header(name, len(data)))
    offset = tar.tell()
    tar.write(data)
    tar.write(bytes(-len(data) % TAR_BLOCK))
    return offset


def tar_header(name: str, size: int) -> bytes:
    """The block that says a file's name (up to 100 bytes) and size; equal to `tarfile`'s, in a
    fifth of its time.

    Numbers are octal digits, and the sum of all bytes of the block is one of them, counted with
    blanks in its place.
    """
    if not (size < 8**11):
        raise wrong(name, size, "less than 8 GiB, the most that a file in a tar may have")
    mode = b"%07o\0" % FILE_MODE
    owner = b"%07o\0" % 0
    length = b"%011o\0" % size
    time = b"%011o\0" % 0
    no_sum = b" " * 8
    block = TAR_HEADER.pack(
        name.encode(), mode, owner, owner, length, time, no_sum, b"0", b"ustar\x0000"
    )
    return block[:SUM_OFFSET] + b"%06o\0 " % sum(block) + block[SUM_OFFSET + len(no_sum) :]


def size_in_tar(data: bytes) -> int:
    """The bytes that a file takes in a tar, its header included."""
    return TAR_BLOCK + len(data) + -len(data) % TAR_BLOCK


def files_of_image(
    key: str, name: str, data: bytes, kind: str | None, label: int
) -> dict[str, bytes]:
    """The files of one image, by name; kind: its class in words, None if there are no classes."""
    ending = os.path.splitext(name)[1].lower()
    facts = {"file": name}
    if kind is not None:
        facts["class"] = kind
    files = {f"{key}{ending}": data, f"{key}.json": json.dumps(facts).encode()}
    if kind is not None:
        files[f"{key}.cls"] = str(label).encode()
    return files
