"""Where a verb writes: a file, by its ending, or a folder.

codes.npz         a file: its ending is one that the verb writes
cleaned/          a folder: it ends in a slash
cleaned_0.1       a folder: it is there already; or many files are written, and what follows the
                  dot has a digit and is no ending that is known
cleaned           a folder: no ending
run.png           refused for a folder, unless it is there or ends in a slash
codes.doc         refused, before any work is done
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from narrows.errors import OutputError, several

ENDINGS_NAMED = 6  # in an error
TABLES = (".csv",)  # endings of tables of images
PAGES = (".html",)
FILES = (  # endings that nobody means for a folder
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".npz", ".csv", ".parquet"),
    *(".onnx", ".safetensors", ".md", ".html", ".json", ".toml", ".tar", ".zip"),
)


@dataclass(frozen=True)
class Place:
    """A path to write to, and its ending in lower case; "" for a folder."""

    path: Path
    ending: str

    @property
    def is_folder(self) -> bool:
        return not self.ending


def file_place(output: str, what: str, known: Collection[str] = ()) -> Place:
    """A file to write to. known: its endings; any, if there are none. what: is written, in words.

    Raises `OutputError`.
    """
    path = Path(output)
    ending = path.suffix.lower()
    if _is_folder_name(output):
        raise OutputError(f"{output} is a folder; {what} need the name of a file{_such_as(known)}")
    if known and ending not in known:
        got = ending or "a folder"
        raise OutputError(f"{output}: {what} are written as {', '.join(known)}, not as {got}")
    return Place(path, ending or ".")


def folder_place(output: str) -> Place:
    """A folder to write to. Raises `OutputError` if there is a file of that name, or if the name is
    that of a file.
    """
    path = Path(output)
    if path.is_file():
        raise OutputError(f"{output} is a file; a folder's name is needed")
    if path.suffix.lower() in FILES and not _is_folder_name(output):
        raise OutputError(
            f"{output} is the name of a file, and a folder is written; leave {path.suffix} out, or end "
            f"the name in {os.sep}"
        )
    return Place(path, "")


def any_place(output: str, what: str, known: Collection[str], many: bool = False) -> Place:
    """A file or a folder to write to (see the module). many: many files are written.

    Raises `OutputError`.
    """
    path = Path(output)
    ending = path.suffix.lower()
    if _is_folder_name(output) or not ending:
        return folder_place(output)
    if ending in known:
        return Place(path, ending)
    if many and any(letter.isdigit() for letter in ending):
        return folder_place(output)
    raise OutputError(
        f"{output}: {what} are not written as {ending}; use "
        f"{several([*known], ENDINGS_NAMED)}, or end the name of a folder in {os.sep}"
    )


def _is_folder_name(output: str) -> bool:
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def _such_as(known: Collection[str]) -> str:
    return f", such as x{next(iter(known))}" if known else ""
