"""A folder of images, or one image file, as a set: one array, in which all have one size and one
mode.

`listing` says which files of a folder are its images, and which classes and splits they have.

Files are decoded a few at a time into one array; a large one is in a temporary file (`scratch`), so
that memory does not grow with their number.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from narrows.data.image_set import ImageSet, Span, refuse_parts
from narrows.data.readers.decode import Decoded
from narrows.data.readers.image_files import Axis
from narrows.data.readers.listing import division_of, list_folder
from narrows.data.readers.pictures_or_patches import How, decode_files
from narrows.data.share import Share

# bytes of a file; below, two threads read half as many images a second as one
THREADED_FROM = 1 << 14


def read_folder(
    path: Path,
    split: str = "all",
    size: Any = None,
    fit: str = "crop",
    grey: bool = False,
    strict: bool = False,
    labels: str = "",
    axis: Axis = None,
    patches: Any = None,
    share: Share | None = None,
    mode: str = "",
) -> ImageSet:
    """The images of a folder, `(N, H, W)` if all are grey, else `(N, H, W, 3)`, or 4 with alpha, of the
    depth of the files.

    size: (H, W) in pixels; images of other sizes are brought to it. None: all must have one size.
    fit: "crop" (default: scale the shorter side, cut the centre out, so that shapes stay as they
        are and no border is made up), "pad" (scale the longer side, fill up with zeros) or
        "stretch".
    grey: make all of them grey.
    strict: raise at the first file that cannot be read, instead of noting it in `skipped`.
    labels: a CSV file of names and classes, see `class_lists`.
    axis: of volumes, along which their slices follow one another.
    patches: cut this many patches instead, of that size, see `patches.cut.as_cut`; each has its
        picture's label.
    share, mode: see `load.read_data`.
    Raises `DataError`: no images, mixed sizes, no such split.
    """
    listing = list_folder(path, split, labels)
    span = share.span_of_files(listing.names) if share else None
    how = How(size, fit, grey, strict, axis, patches, mode)
    decoded = _decode_files(path, listing.names, how, span)
    return ImageSet(
        images=decoded.images,
        labels=listing.labels_of(decoded.items),
        names=decoded.names,
        classes=listing.classes,
        source=f"the folder {path}",
        skipped=(*listing.skipped, *decoded.skipped),
        span=span,
        levels=decoded.levels,
        notes=(*listing.notes, *decoded.notes),
    )


def read_image(
    path: Path,
    split: str = "all",
    size: Any = None,
    fit: str = "crop",
    grey: bool = False,
    axis: Axis = None,
    patches: Any = None,
) -> ImageSet:
    """The pages of one image file, `(N, H, W)` or `(N, H, W, C)`; options as for a folder.

    Raises `DataError` if it cannot be read.
    """
    refuse_parts(path, split)
    how = How(size, fit, grey, strict=True, axis=axis, patches=patches)
    decoded = _decode_files(path.parent, [path.name], how)
    return ImageSet(
        images=decoded.images,
        names=decoded.names,
        source=f"the image {path}",
        levels=decoded.levels,
        notes=decoded.notes,
    )


def folder_has_split(path: Path, split: str) -> bool:
    """Whether a folder has images of that split alone, next to some to train with."""
    return division_of(path).has(split)


def image_files(path: Path, split: str = "all") -> list[Path]:
    """The image files of a split of a folder, by name; of a file, itself. Raises `DataError` if
    there are none.
    """
    if not path.is_dir():
        return [path]
    return [path / name for name in list_folder(path, split).names]


def relative_name(file: Path, root: Path) -> str:
    """A file's name below a folder."""
    return file.relative_to(root).as_posix()


def _decode_files(
    root: Path, names: Sequence[str], how: How, span: Span | None = None
) -> Decoded[str]:
    """The files of these names that could be read, their pixels, and (name, reason) for the others."""
    threads = bool(names) and _is_large(root / names[0])
    return decode_files(root, names, span, root.joinpath, str, threads, how)


def _is_large(file: Path) -> bool:
    return file.exists() and file.stat().st_size >= THREADED_FROM
