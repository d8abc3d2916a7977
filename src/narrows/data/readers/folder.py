"""A folder of images, or one image file, as a set: one array, in which all have one size and one
mode.

    photos/a.png  photos/b.jpg                    images without labels
    photos/cat/1.png  photos/dog/2.png            first-level sub-folders are the classes
    photos/train/cat/1.png  photos/test/...       with both `train` and `test`: splits, and classes below them

Folders are read to any depth, in the order of their names; hidden files, files without an image's
ending, and links to folders are ignored. Labels are given only if every image is in a class. With
splits, classes are counted over both, so that a label means the same in each.

Files are decoded a few at a time into one array; a large one is in a temporary file (`scratch`), so
that memory does not grow with their number.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from narrows.data.image_set import ImageSet, refuse_parts
from narrows.data.readers.decode import Decoded, decode_all
from narrows.data.readers.image_files import SUFFIXES, fitter, open_picture
from narrows.data.share import Share
from narrows.errors import DataError

SPLIT_FOLDERS = ("train", "test")
# bytes of a file; below, two threads read half as many images a second as one
THREADED_FROM = 1 << 14


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
    """The images of a folder, uint8 `(N, H, W)` if all are grey, else `(N, H, W, 3)`, or 4 with
    alpha.

    size: (H, W) in pixels; images of other sizes are brought to it. None: all must have one size.
    fit: "crop" (default: scale the shorter side, cut the centre out, so that shapes stay as they
        are and no border is made up), "pad" (scale the longer side, fill up with zeros) or
        "stretch".
    grey: make all of them grey.
    strict: raise at the first file that cannot be read, instead of noting it in `skipped`.
    share, mode: see `load.read_data`.
    Raises `DataError`: no images, mixed sizes, no such split.
    """
    roots = _roots(path)
    files = {part: find_images(root) for part, root in roots.items()}
    chosen = [file for part in _chosen_roots(path, roots, split) for file in files[part]]
    if not chosen:
        raise _no_images(f"{path} holds no images (split {split!r})")
    classes = _classes(roots, files)
    span = None
    if share is not None:
        span = share.span_of_files(relative_name(file, path) for file in chosen)
        chosen = chosen[span.rows]
    least = 0 if share else 1
    decoded = _decode_files(path, chosen, size, fit, grey, strict, least, mode)
    return ImageSet(
        images=decoded.images,
        labels=_labels_of(decoded.items, classes, roots) if classes else None,
        names=tuple(relative_name(file, path) for file in decoded.items),
        classes=classes,
        source=f"the folder {path}",
        skipped=decoded.skipped,
        span=span,
    )


def read_image(
    path: Path, split: str = "all", size: Any = None, fit: str = "crop", grey: bool = False
) -> ImageSet:
    """One image file as a set of one, uint8 `(1, H, W)` or `(1, H, W, C)`; options as for a folder.

    Raises `DataError` if it cannot be read.
    """
    refuse_parts(path, split)
    decoded = _decode_files(path.parent, [path], size, fit, grey, strict=True)
    return ImageSet(decoded.images, names=(path.name,), source=f"the image {path}")


def folder_has_splits(path: Path, split: str = "") -> bool:
    """Whether a folder is divided into `train` and `test`, and has that split."""
    return split != "val" and all((path / part).is_dir() for part in SPLIT_FOLDERS)


def image_files(path: Path) -> list[Path]:
    """All image files under a folder, by name; of a file, itself. Raises `DataError` if there are
    none.
    """
    files = find_images(path) if path.is_dir() else [path]
    if not files:
        raise _no_images(f"{path} holds no images")
    return files


def find_images(root: Path) -> list[Path]:
    """All image files under a folder, by name; hidden files and folders are left out."""
    files = []
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith(".")]
        files += [Path(folder, name) for name in names if _is_image(name)]
    return sorted(files, key=lambda file: file.relative_to(root).parts)


def relative_name(file: Path, root: Path) -> str:
    """A file's name below a folder."""
    return file.relative_to(root).as_posix()


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _no_images(what: str) -> DataError:
    return DataError(f"{what}; known endings: {', '.join(SUFFIXES)}")


def _roots(path: Path) -> dict[str, Path]:
    """The folders whose sub-folders are classes: those of the splits, or the folder itself."""
    if folder_has_splits(path):
        return {part: path / part for part in SPLIT_FOLDERS}
    return {"all": path}


def _chosen_roots(path: Path, roots: dict[str, Path], split: str) -> Iterable[str]:
    if split not in (*roots, "all") and (split != "train" or "all" not in roots):
        raise DataError(
            f"{path} has no {split} split: for that it needs the sub-folders train and test; "
            f"read it with split='all', or give the path of the {split} images themselves"
        )
    return roots if split == "all" or "all" in roots else [split]


def _classes(roots: dict[str, Path], files: dict[str, list[Path]]) -> tuple[str, ...] | None:
    """All first-level sub-folders with images, by name; None if an image is outside of them."""
    inside = [file.relative_to(roots[part]).parts for part in roots for file in files[part]]
    if any(len(parts) == 1 for parts in inside):
        return None
    return tuple(sorted({parts[0] for parts in inside}))


def _labels_of(
    files: Sequence[Path], classes: tuple[str, ...], roots: dict[str, Path]
) -> np.ndarray:
    label = {root / name: k for root in roots.values() for k, name in enumerate(classes)}
    labels = [next(label[up] for up in file.parents if up in label) for file in files]
    return np.array(labels, np.int64)


def _decode_files(
    root: Path,
    files: Sequence[Path],
    size: Any,
    fit: str,
    grey: bool,
    strict: bool,
    least: int = 1,
    mode: str = "",
) -> Decoded[Path]:
    """The files that could be read, their pixels, and (name, reason) for the others."""
    to_size = fitter(size, fit)
    threads = bool(files) and files[0].exists() and files[0].stat().st_size >= THREADED_FROM

    def open_file(file: Path) -> Image.Image:
        return to_size(open_picture(file, grey))

    def name(file: Path) -> str:
        return relative_name(file, root)

    return decode_all(root, files, open_file, name, threads, strict, least, mode)
