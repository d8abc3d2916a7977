"""A folder of images, or one image file, as a set: one array, in which all have one size and one mode.

    photos/a.png  photos/b.jpg                    images without labels
    photos/cat/1.png  photos/dog/2.png            first-level sub-folders are the classes
    photos/train/cat/1.png  photos/test/...       with both `train` and `test`: splits, and classes below them

Folders are read to any depth, in the order of their names; hidden files, files that are no images by their
ending, and links to folders are ignored. Labels are given only where every image lies in a class. With splits,
classes are counted over both, so that a label means the same in each.

Files are decoded some at a time into one array; a large one lies in a temporary file (`scratch`), so that memory does
not grow with their number.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.image_set import ImageSet, one_split
from narrows.data.readers.decode import decode
from narrows.data.readers.image_files import SUFFIXES, fitter, open_picture
from narrows.data.share import Share
from narrows.errors import DataError

SPLITS = ("train", "test")
LARGE = 1 << 14  # bytes; below, two threads read half as many images a second as one


def read_folder(
    path: Path,
    split: str = "all",
    size: Any = None,
    fit: str = "crop",
    grey: bool = False,
    strict: bool = False,
    share: Share | None = None,
    mode: str = "",
) -> ImageSet:
    """The images of a folder, uint8 `(N, H, W)` if all are grey, else `(N, H, W, 3)`, or 4 with alpha.

    size: (H, W) in pixels; images of other sizes are brought to it. None: all must have one size.
    fit: "crop" (default: scale the shorter side, cut the centre out, so that shapes stay as they are and no border is
        made up), "pad" (scale the longer side, fill up with zeros) or "stretch".
    grey: make all of them grey.
    strict: raise at the first file that cannot be read, instead of noting it in `skipped`.
    share, mode: as of `load.read`.
    Raises `DataError`: no images, mixed sizes, no such split.
    """
    roots = _roots(path)
    found = {part: _walk(root) for part, root in roots.items()}
    chosen = [file for part in _chosen(path, roots, split) for file in found[part]]
    if not chosen:
        raise _no_images(f"{path} holds no images (split {split!r})")
    classes = _classes(roots, found)
    span = share.of_files(relative_name(file, path) for file in chosen) if share else None
    chosen = chosen[span.rows] if span else chosen
    kept, images, skipped = _open_all(path, chosen, size, fit, grey, strict, least=0 if span else 1, mode=mode)
    return ImageSet(
        images=images,
        labels=_labels(kept, classes, roots) if classes else None,
        names=tuple(relative_name(file, path) for file in kept),
        classes=classes,
        source=f"the folder {path}",
        skipped=skipped,
        span=span,
    )


def read_image(path: Path, split: str = "all", size: Any = None, fit: str = "crop", grey: bool = False) -> ImageSet:
    """One image file as a set of one, uint8 `(1, H, W)` or `(1, H, W, C)`; `size`, `fit`, `grey` as for a folder.

    Raises `DataError` where it cannot be read.
    """
    one_split(path, split)
    _, images, _ = _open_all(path.parent, [path], size, fit, grey, strict=True)
    return ImageSet(images, names=(path.name,), source=f"the image {path}")


def image_files(path: Path) -> list[Path]:
    """All image files under a folder, by name; of a file, itself. Raises `DataError` where there are none."""
    files = _walk(path) if path.is_dir() else [path]
    if not files:
        raise _no_images(f"{path} holds no images")
    return files


def relative_name(file: Path, root: Path) -> str:
    """A file's name below a folder."""
    return file.relative_to(root).as_posix()


def _no_images(what: str) -> DataError:
    return DataError(f"{what}; known endings: {', '.join(SUFFIXES)}")


def _roots(path: Path) -> dict[str, Path]:
    """The folders whose sub-folders are classes: those of the splits, or the folder itself."""
    splits = {part: path / part for part in SPLITS}
    return splits if all(root.is_dir() for root in splits.values()) else {"all": path}


def _chosen(path: Path, roots: dict[str, Path], split: str) -> Iterable[str]:
    if "all" in roots and split == "test":
        raise DataError(
            f"{path} has no test split: for that it needs the sub-folders train and test; "
            "read it with split='all', or give the path of the test images themselves"
        )
    return roots if split == "all" or "all" in roots else [split]


def _walk(root: Path) -> list[Path]:
    """All image files under a folder, by name; hidden files and folders left out."""
    files = []
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith(".")]
        files += [Path(folder, n) for n in names if n.lower().endswith(SUFFIXES) and not n.startswith(".")]
    return sorted(files, key=lambda file: file.relative_to(root).parts)


def _classes(roots: dict[str, Path], found: dict[str, list[Path]]) -> tuple[str, ...] | None:
    inside = [file.relative_to(roots[part]).parts for part, files in found.items() for file in files]
    if not all(len(parts) > 1 for parts in inside):
        return None
    return tuple(sorted({parts[0] for parts in inside}))


def _labels(files: Sequence[Path], classes: tuple[str, ...], roots: dict[str, Path]) -> np.ndarray:
    place = {root / name: k for root in roots.values() for k, name in enumerate(classes)}
    return np.array([next(place[up] for up in file.parents if up in place) for file in files], np.int64)


def _open_all(
    root: Path, files: Sequence[Path], size: Any, fit: str, grey: bool, strict: bool, **wanted: Any
) -> tuple[list[Path], np.ndarray, tuple[tuple[str, str], ...]]:
    """The files that could be read, their pixels, and (name, reason) for the others; wanted: as of `decode`."""
    to_size = fitter(size, fit)
    large = bool(files) and files[0].exists() and files[0].stat().st_size >= LARGE
    return decode(
        root, files, lambda file: to_size(open_picture(file, grey)), lambda file: relative_name(file, root),
        large, strict,
        **wanted,
    )  # fmt: skip
