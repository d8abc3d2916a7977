"""What a folder holds, decided once for all that read it: which files are the images of a split, of
which class each is, and what is left out, with the reason.

    photos/a.png  photos/b.jpg                    images without classes
    photos/cat/1.png  photos/dog/2.png            first-level sub-folders are the classes
    photos/train/cat/1.png  photos/test/...       parts (`parts`), and classes below them
    photos/1.png  photos/labels.csv               classes by a list (`class_lists`)

Classes are counted over all parts, so that a label means the same in each. Labels are given only if
every image of the split has a class.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from narrows.data.readers.class_lists import (
    ClassList,
    find_class_list,
    labels_of,
    read_class_list,
)
from narrows.data.readers.image_files import SUFFIXES
from narrows.data.readers.parts import MASKS, Division, class_of, divide, part_of
from narrows.data.readers.walk import Walk, list_contents
from narrows.errors import DataError, NarrowsError, counted, escaped


@dataclass(frozen=True)
class Listing:
    """The images of one split of a folder.

    names: relative to the folder. labels: int64 `(N,)`, places in `classes`; None if there are none.
    skipped: (name, reason) of images and folders that are left out. notes: what else to say.
    masks: the folders of masks, relative to the folder.
    """

    path: Path
    names: tuple[str, ...]
    labels: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()

    def labels_of(self, names: Sequence[str]) -> np.ndarray | None:
        """The labels of some of its images; None if there are none."""
        if self.labels is None:
            return None
        label = dict(zip(self.names, self.labels.tolist()))
        return np.array([label[name] for name in names], np.int64)

    @property
    def kinds(self) -> list[str]:
        """The class of each image, as text; empty if there are none."""
        return class_names_of(self.labels, self.classes)


def class_names_of(labels: np.ndarray | None, classes: Sequence[str] | None) -> list[str]:
    """Labels as the names of their classes, or as numbers if these have none; empty without labels."""
    numbers: list[int] = [] if labels is None else labels.tolist()
    if not classes:
        return [str(label) for label in numbers]
    return [classes[label] for label in numbers]


def list_folder(path: Path, split: str = "all", labels: str = "") -> Listing:
    """The images of a split. labels: a CSV file of classes, which replaces those of the folders.

    Raises `DataError`: no images, no such split, a list that cannot be read.
    """
    division = division_of(path)
    chosen = division.chosen(split, path)
    walks = {top: Walk(path) for top in division.all_folders() or ("",)}
    names = {top: tuple(walk.images(top)) for top, walk in walks.items()}
    listing = passed_over(path, division, [walks[top] for top in chosen])
    listing = replace(
        listing,
        names=sum((names[top] for top in chosen), ()),
        notes=(*division.notes(split, path), *listing.notes),
    )
    if not listing.names:
        raise no_images(f"{path} holds no images (split {split!r})", listing)
    return _with_classes(listing, sum(names.values(), ()), bool(division), labels)


def division_of(path: Path) -> Division:
    """How a folder is divided into parts."""
    contents = list_contents(path)

    def has_others() -> bool:
        others = [name for name in contents.folders if not part_of(name)]
        found = (name for top in others for name in Walk(path).images(top))
        return bool(contents.images) or next(found, None) is not None

    return divide(contents.folders, has_others)


def passed_over(path: Path, division: Division, walks: Iterable[Walk]) -> Listing:
    """What walks below the parts of a folder left out, and what is in none of its parts."""
    stray = _strays(path, division) if division else Walk(path)
    every = [stray, *walks]
    return Listing(
        path,
        names=(),
        skipped=tuple(row for walk in every for row in walk.left_out),
        notes=tuple(note for walk in every for note in walk.notes()),
        masks=tuple(name for walk in every for name in walk.masks),
    )


def no_images(what: str, listing: Listing) -> DataError:
    """The error for a folder without images; what is left out may be why."""
    left_out = [f"{name}: {reason}" for name, reason in listing.skipped]
    why = "".join(f"; {words}" for words in (*listing.notes, *left_out[:3]))
    return DataError(f"{what}; known endings: {', '.join(SUFFIXES)}{why}")


def _strays(path: Path, division: Division) -> Walk:
    """What is in a divided folder and in none of its parts: all of it is left out."""
    contents = list_contents(path)
    reason = f"it is in none of the parts {division.names()}"
    stray = Walk(path, others=sorted(contents.others))
    stray.left_out = [(name, reason) for name in sorted(contents.images)]
    for folder in sorted(contents.folders):
        part = part_of(folder)
        if part == MASKS:
            stray.masks.append(folder)
        elif not part and (count := sum(1 for _ in Walk(path).images(folder))):
            stray.left_out.append((f"{folder}/", f"{reason}, with its images, {count:,}"))
    return stray


def _with_classes(listing: Listing, every: Sequence[str], divided: bool, labels: str) -> Listing:
    """The listing with its labels: by the list that is asked for, else by folders, else by a list
    that is found. every: the names of all images, those of other splits too.
    """
    if labels:
        return _by_list(listing, every, read_class_list(Path(labels).expanduser()))
    listing, place = _by_folder(listing, every, divided), find_class_list(listing.path)
    if not place:
        return listing
    if listing.labels is not None:
        return _noting(listing, f"the folders are the classes; {place} is used with labels={place}")
    try:
        return _by_list(listing, every, read_class_list(place))
    except NarrowsError as error:
        return _noting(listing, f"there are no labels: {error}")


def _by_folder(listing: Listing, every: Sequence[str], divided: bool) -> Listing:
    outside = [name for name in listing.names if not class_of(name, divided)]
    if len(outside) == len(listing.names):
        return listing
    if outside:
        words = "images are next to the folders of classes, so there are no labels"
        return _noting(listing, counted(words, outside))
    known = sorted({kind for name in every if (kind := class_of(name, divided))})
    place = {kind: k for k, kind in enumerate(known)}
    labels = [place[class_of(name, divided) or ""] for name in listing.names]
    return replace(listing, labels=np.array(labels, np.int64), classes=tuple(map(escaped, known)))


def _by_list(listing: Listing, every: Sequence[str], listed: ClassList) -> Listing:
    kinds = {name: kind for name, kind in zip(every, listed.of(every)) if kind is not None}
    if unused := listed.unused(every):
        words = f"{listed.path} lists files that are not here"
        listing = _noting(listing, counted(words, unused))
    if missing := [name for name in listing.names if name not in kinds]:
        words = f"images are not in {listed.path}, so there are no labels"
        return replace(_noting(listing, counted(words, missing)), labels=None, classes=None)
    labels, classes = labels_of(list(kinds.values()), listed.path)
    label = dict(zip(kinds, labels))
    return replace(
        _noting(listing, f"the classes are those of {listed.path}"),
        labels=np.array([label[name] for name in listing.names], np.int64),
        classes=classes and tuple(map(escaped, classes)),
    )


def _noting(listing: Listing, note: str) -> Listing:
    return replace(listing, notes=(*listing.notes, note))
