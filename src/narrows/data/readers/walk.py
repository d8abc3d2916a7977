"""The image files below a folder, in the order of their names, with a note of all that is passed
over.

    hidden files and folders        not looked at
    linked folders                  followed once each; not if they lead back, or to what is read anyway
    folders of masks                not entered (`parts`)
    files of other kinds            not tried; named, except those that usually come with images

One folder's names are in memory at a time.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from narrows.data.readers.image_files import SUFFIXES
from narrows.data.readers.parts import MASKS, part_of
from narrows.errors import counted
from narrows.reading import reading

COMPANIONS = (  # endings of files that come with images and are none
    ".txt", ".md", ".rst", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".toml",
    ".cls", ".html", ".htm", ".pdf", ".log", ".py", ".ipynb", ".sh", ".xlsx", ".md5", ".sha256",
    ".part.json", "thumbs.db", "desktop.ini", "readme", "license", "copying",
)  # fmt: skip

LINK_TO_NOTHING = "it is a link to nothing"


def is_image_name(name: str) -> bool:
    """Whether a file of that name is tried as an image."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


@dataclass
class Contents:
    """What is in one folder: names of images, of folders (true if they are links), of links to
    nothing, and of files that are not tried.
    """

    images: list[str] = field(default_factory=list)
    folders: dict[str, bool] = field(default_factory=dict)
    dangling: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def list_contents(folder: Path) -> Contents:
    """What is in a folder, hidden files left out. Raises `DataError` if it cannot be listed."""
    contents = Contents()
    with reading(f"the folder {folder}", fault="cannot be listed"), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                _sort_in(contents, entry)
    return contents


def _sort_in(contents: Contents, entry: os.DirEntry[str]) -> None:
    if entry.is_dir():
        contents.folders[entry.name] = entry.is_symlink()
    elif is_image_name(entry.name):
        contents.images.append(entry.name)
    elif entry.is_symlink() and not os.path.exists(entry.path):
        contents.dangling.append(entry.name)
    elif not entry.name.lower().endswith(COMPANIONS):
        contents.others.append(entry.name)


@dataclass
class Walk:
    """The images below folders of `root`, by their names relative to it.

    followed: linked folders, with where they lead. left_out: (name, reason) of folders that are not
    read. masks: folders of masks. others: files that are not tried.
    """

    root: Path
    followed: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    _read: dict[str, str] = field(default_factory=dict)

    def images(self, top: str = "") -> Iterator[str]:
        """The names of the images below a folder; "" is the root."""
        start = os.path.realpath(self.root / top)
        self._read = {start: f"{top or self.root}/"}
        yield from self._below(top, [start], 0)

    def _below(self, folder: str, inside: list[str], depth: int) -> Iterator[str]:
        """inside: the real paths of the folder, and of where links on the way to it were."""
        contents = list_contents(self.root / folder)
        prefix = f"{folder}/" if folder else ""
        self.others += [prefix + name for name in sorted(contents.others)]
        self.left_out += [(prefix + name, LINK_TO_NOTHING) for name in sorted(contents.dangling)]
        for name in sorted([*contents.images, *contents.folders]):
            if name not in contents.folders:
                yield prefix + name
            elif depth == 0 and part_of(name) == MASKS:
                self.masks.append(prefix + name)
            elif way := self._way_into(prefix + name, contents.folders[name], inside):
                yield from self._below(prefix + name, way, depth + 1)

    def _way_into(self, name: str, is_link: bool, inside: list[str]) -> list[str]:
        """`inside` of a folder in this one; empty if it is not to be read."""
        *before, here = inside
        real = os.path.join(here, os.path.basename(name))
        way = [*before, real]
        if is_link:
            real = os.path.realpath(self.root / name)
            way = [*inside, real]
        if reason := self._reason_against(real, is_link, inside):
            self.left_out.append((name, reason))
            return []
        if is_link:
            self._read[real] = name
            self.followed.append(f"{name} -> {real}")
        return way

    def _reason_against(self, real: str, is_link: bool, inside: list[str]) -> str:
        """Why a folder is not to be read, by its real path."""
        if not is_link:
            return f"it is read already, as {self._read[real]}" if real in self._read else ""
        if any(_is_in(place, real) for place in inside):
            return f"it is a link that leads back to {real}, in a circle"
        for place, name in self._read.items():
            if _is_in(real, place) and "/." not in real[len(place) :]:  # hidden ones are not read
                return f"it is a link to {real}, which is read already, in {name}"
        return ""

    def notes(self) -> tuple[str, ...]:
        """What is to say of the folders and files that were passed."""
        said = {
            "linked folders, which are followed": self.followed,
            "folders of masks, which are not read as images": [f"{name}/" for name in self.masks],
            "files of other kinds, which are not read": self.others,
        }
        return tuple(counted(what, names) for what, names in said.items() if names)


def _is_in(place: str, folder: str) -> bool:
    """Whether a real path is a folder, or is inside it."""
    return place == folder or place.startswith(folder.rstrip("/") + "/")
