"""A folder of images, or one image file.

    photos/a.png  photos/b.jpg                    images without labels
    photos/cat/1.png  photos/dog/2.png            first-level sub-folders are the classes
    photos/train/cat/1.png  photos/test/...       with both `train` and `test`: splits, and classes below them

Folders are read to any depth, in the order of their names; hidden files, files that are no images by their
ending, and links to folders are ignored. Labels are given only where every image lies in a class. With splits,
classes are counted over both, so that a label means the same in each.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from narrows.data.imageset import ImageSet, one_split
from narrows.data.pictures import ENDINGS, fitter, open_picture, stack
from narrows.errors import DataError

SPLITS = ("train", "test")
LARGE = 1 << 14  # bytes; below, two threads read half as many images a second as one


def read_folder(
    path: Path, split: str = "all", size: Any = None, fit: str = "crop", strict: bool = False
) -> ImageSet:
    """The images of a folder, uint8 `(N, H, W)` if all are grey, else `(N, H, W, 3)`, or 4 with alpha.

    size: (H, W) in pixels; images of other sizes are brought to it. None: all must have one size.
    fit: "crop" (default: scale the shorter side, cut the centre out), "pad" (scale the longer side, fill up with
        zeros) or "stretch".
    strict: raise at the first file that cannot be read, instead of noting it in `skipped`.
    Raises `DataError`: no images, mixed sizes, no such split.
    """
    roots = _roots(path)
    found = {part: _walk(root) for part, root in roots.items()}
    chosen = [file for part in _chosen(path, roots, split) for file in found[part]]
    if not chosen:
        raise DataError(f"{path} holds no images (split {split!r}); known endings: {', '.join(ENDINGS)}")
    classes = _classes(roots, found)
    kept, pictures, skipped = _open_all(path, chosen, size, fit, strict)
    return ImageSet(
        images=_one_size(path, pictures),
        labels=_labels(kept, classes, roots) if classes else None,
        names=tuple(_name(file, path) for file in kept),
        classes=classes,
        source=f"the folder {path}",
        skipped=skipped,
    )


def read_image(path: Path, split: str = "all", size: Any = None, fit: str = "crop") -> ImageSet:
    """One image file as a set of one, uint8 `(1, H, W)` or `(1, H, W, C)`; `size`, `fit` as for a folder.

    Raises `DataError` where it cannot be read.
    """
    one_split(path, split)
    _, pictures, _ = _open_all(path.parent, [path], size, fit, strict=True)
    return ImageSet(stack(pictures), names=(path.name,), source=f"the image {path}")


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
        files += [Path(folder, n) for n in names if n.lower().endswith(ENDINGS) and not n.startswith(".")]
    return sorted(files, key=lambda file: file.relative_to(root).parts)


def _classes(roots: dict[str, Path], found: dict[str, list[Path]]) -> tuple[str, ...] | None:
    inside = [file.relative_to(roots[part]).parts for part, files in found.items() for file in files]
    if not all(len(parts) > 1 for parts in inside):
        return None
    return tuple(sorted({parts[0] for parts in inside}))


def _labels(files: Sequence[Path], classes: tuple[str, ...], roots: dict[str, Path]) -> np.ndarray:
    place = {root / name: k for root in roots.values() for k, name in enumerate(classes)}
    return np.array([next(place[up] for up in file.parents if up in place) for file in files], np.int64)


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _open_all(
    root: Path, files: Sequence[Path], size: Any, fit: str, strict: bool
) -> tuple[list[Path], list[Image.Image], tuple[tuple[str, str], ...]]:
    """The files that could be read, their pictures, and (name, reason) for the others."""
    to_size = fitter(size, fit)

    def attempt(file: Path) -> Image.Image | str:
        try:
            return to_size(open_picture(file))
        except Exception as error:  # a decoder that is fed broken bytes may raise anything
            return _reason(error)

    kept, pictures, skipped = [], [], []
    for file, result in zip(files, _each(attempt, files)):
        if isinstance(result, Image.Image):
            kept.append(file)
            pictures.append(result)
            continue
        if strict:
            raise DataError(f"{file} cannot be read: {result}; replace or remove it")
        skipped.append((_name(file, root), result))
    if not kept:
        name, reason = skipped[0]
        raise DataError(f"none of the {len(files)} images in {root} can be read; the first, {name}: {reason}")
    return kept, pictures, tuple(skipped)


def _each(function: Callable[[Path], Any], files: Sequence[Path]) -> Iterator[Any]:
    """The function of each file, in order; in threads where files are large enough for threads to pay."""
    if files[0].exists() and files[0].stat().st_size >= LARGE:
        with ThreadPoolExecutor() as pool:
            yield from pool.map(function, files)
    else:
        yield from map(function, files)


def _reason(error: Exception) -> str:
    """Why a file could not be read, in a few words."""
    if isinstance(error, UnidentifiedImageError):
        return "it is no image of a known kind, or is damaged"
    if isinstance(error, Image.DecompressionBombError):
        return f"it is too large, and may be meant to fill the memory ({error})"
    return str(error).strip() or type(error).__name__


def _one_size(path: Path, pictures: Sequence[Image.Image]) -> np.ndarray:
    sizes = Counter((picture.height, picture.width) for picture in pictures)
    if len(sizes) > 1:
        most = sizes.most_common(5)
        told = ", ".join(f"{h} x {w} ({count})" for (h, w), count in most) + (", ..." if len(sizes) > 5 else "")
        raise DataError(
            f"{path} holds images of {len(sizes)} sizes (height x width): {told}; bring them to one with "
            f"size={most[0][0]} and fit='crop', 'pad' or 'stretch'"
        )
    return stack(pictures)
