"""The files of a tar: where the bytes of each are, as they would be after unpacking.

A file may be in a tar twice, since tars are appended to: the later one counts. A link to a file, hard
or symbolic, has the bytes of that file. A link to a folder is left out, since what is in the folder
is read under its own name.
"""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import IO, Any, NamedTuple, cast

from narrows.errors import DataError, counted
from narrows.reading import reading

TAR_BLOCK = 512
GET_AGAIN = "get it again, or pack its images again"
MOST_LINKS = 40  # that are followed from one to the next, as Linux does


class Place(NamedTuple):
    """Where the bytes of a file are in a tar."""

    offset: int
    size: int


@dataclass
class TarContents:
    """The files of a tar, by name, in their order; hidden ones are left out.

    links: name → where a link leads. repeated: names that are in the tar more than once. skipped:
    (name, reason) of links that are not followed.
    """

    files: dict[str, Place] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def notes(self, path: Path) -> tuple[str, ...]:
        words = f"files are in {path} twice, the later counts"
        return (counted(words, self.repeated),) if self.repeated else ()


def read_members(path: Path) -> TarContents:
    """What is in a tar. Raises `DataError` if it is not one, or is cut short or damaged."""
    contents = TarContents()
    for member in _members(path):
        _enter(contents, member)
    for name in contents.links:
        _follow(contents, name)
    return contents


def is_safe(name: str) -> bool:
    """Whether a name leads to a file in the folder that is not hidden."""
    return "\0" not in name and not any(part[:1] in ("", ".") for part in name.split("/"))


def _members(path: Path) -> Iterator[tarfile.TarInfo]:
    with (
        reading(path, GET_AGAIN, "cannot be read as a tar"),
        open(path, "rb") as file,
        tarfile.open(fileobj=cast(Any, BoundedFile(file)), mode="r:") as tar,
    ):
        while (member := tar.next()) is not None:
            cast(Any, tar).members.clear()  # they would pile up, 1 kB for each
            yield member
        _check_end(path, tar.offset)


class BoundedFile:
    """A file of which never more is read than there is: space for what is asked for is made first,
    and a forged header of a long name asks for as much as it likes.
    """

    def __init__(self, file: IO[bytes]):
        self.file = file
        self.length = os.fstat(file.fileno()).st_size
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        return self.file.read(max(0, min(size, self.length - self.tell())))


def _check_end(path: Path, offset: int) -> None:
    """Refuse a tar whose last header is not that of its end."""
    with open(path, "rb") as file:
        file.seek(offset)
        if file.read(TAR_BLOCK) != bytes(TAR_BLOCK):
            raise DataError(f"{path} is cut short or damaged at byte {offset:,}; {GET_AGAIN}")


def _enter(contents: TarContents, member: tarfile.TarInfo) -> None:
    name = member.name.removeprefix("./")
    is_link = member.issym() or member.islnk()
    is_file = member.isreg() and not member.issparse()
    if not (is_safe(name) and (is_link or is_file)):
        return
    old = contents.files.pop(name, None) or contents.links.pop(name, None)
    if old is not None:
        contents.repeated.append(name)
    if is_link:
        start = dirname(name) if member.issym() else ""  # a hard link names a member of the tar
        contents.links[name] = normpath(join(start, member.linkname))
    else:
        contents.files[name] = Place(member.offset_data, member.size)


def _follow(contents: TarContents, name: str) -> None:
    """Give a link the place of the file that it leads to, or say why not."""
    target = contents.links[name]
    for _ in range(MOST_LINKS):
        if target not in contents.links:
            break
        target = contents.links[target]
    place = contents.files.get(target)
    if place is not None:
        contents.files[name] = place
        return
    reason = f"it is a link to {target}, which is not in the tar"
    if target in contents.links:
        reason = "it is a link that leads back to itself, in a circle"
    elif any(file.startswith(f"{target}/") for file in contents.files):
        reason = f"it is a link to the folder {target}, which is read under its own name"
    contents.skipped.append((name, reason))
