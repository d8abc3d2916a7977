"""Names of patches, which say where each comes from.

    cat/photo.jpg, at y = 128 and x = 64      cat/photo_y0128_x0064.png
    page 3 of scan.tif                        scan#3_y0000_x0512.png

By them the patches of one picture are known wherever they go: into a folder, a pack, or a training,
in which all patches of a file are either trained on or held back.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from unicodedata import normalize

import numpy as np

PATCH = re.compile(r"(?P<picture>.+)_y(?P<y>\d+)_x(?P<x>\d+)(\.\w+)?", re.DOTALL)
PAGE = re.compile(r"#\d+$")


def patch_name(picture: str, y: int, x: int, ending: str) -> str:
    """The name of a patch.

    >>> patch_name("cat/photo", 128, 64, ".png")
    'cat/photo_y0128_x0064.png'
    """
    return f"{picture}_y{y:04d}_x{x:04d}{ending}"


def place_in(name: str) -> tuple[int, int]:
    """(y, x) of a patch, from its name."""
    match = PATCH.fullmatch(name)
    assert match is not None, name
    return int(match["y"]), int(match["x"])


def places_in(names: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
    """The places of patches in each picture, by the name that they have in common (`picture_name`)."""
    places: dict[str, list[tuple[int, int]]] = {}
    for name in names:
        picture = PATCH.fullmatch(name)
        if picture is not None:
            places.setdefault(normalize("NFC", picture["picture"]), []).append(place_in(name))
    return places


def picture_name(name: str) -> str:
    """The name that the patches of a picture, or of a page, begin with, in one normal form."""
    return normalize("NFC", without_endings([name])(name))


def without_endings(files: Sequence[str]) -> Callable[[str], str]:
    """From names of files, and of their pages, to names without endings; with them if otherwise two
    would be one.
    """
    stems = Counter(str(PurePosixPath(file).with_suffix("")) for file in files)
    if len(stems) < len(files):
        return lambda name: name

    def without_ending(name: str) -> str:
        file = PAGE.sub("", name)
        return str(PurePosixPath(file).with_suffix("")) + name[len(file) :]

    return without_ending


def groups_of(names: Sequence[str] | None) -> np.ndarray | None:
    """A number for each image, the same for all patches of one file, int64 `(N,)`; None if no name is
    that of a patch.
    """
    if not names or not any(map(PATCH.fullmatch, names)):
        return None
    _, groups = np.unique(np.array([_file_of(name) for name in names]), return_inverse=True)
    return groups.astype(np.int64)


def _file_of(name: str) -> str:
    """The file from which a patch was cut, by its name; patches may have been cut of patches."""
    while match := PATCH.fullmatch(name):
        name = PAGE.sub("", match["picture"])
    return name
