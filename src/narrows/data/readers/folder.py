"""A folder of images, or one image file, as a set: one array, in which all have one size and one
mode.

`listing` says which files of a folder are its images, and which classes and splits they have.

Files are decoded a few at a time into one array; a large one is in a temporary file (`scratch`), so
that memory does not grow with their number.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from narrows.data.image_set import ImageSet, refuse_parts
from narrows.data.readers.decode import Decoded, decode_all
from narrows.data.readers.image_files import Axis, picture_opener
from narrows.data.readers.listing import division_of, list_folder
from narrows.data.readers.pixels import Page
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
    share, mode: see `load.read_data`.
    Raises `DataError`: no images, mixed sizes, no such split.
    """
    listing = list_folder(path, split, labels)
    files, span = [path / name for name in listing.names], None
    if share is not None:
        span = share.span_of_files(listing.names)
        files = files[span.rows]
    least = 0 if share else 1
    open_file = picture_opener(size, fit, grey, axis)
    decoded = _decode_files(path, files, open_file, strict, least, mode)
    return ImageSet(
        images=decoded.images,
        labels=listing.labels_of([relative_name(file, path) for file in decoded.items]),
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
) -> ImageSet:
    """The pages of one image file, `(N, H, W)` or `(N, H, W, C)`; options as for a folder.

    Raises `DataError` if it cannot be read.
    """
    refuse_parts(path, split)
    open_file = picture_opener(size, fit, grey, axis)
    decoded = _decode_files(path.parent, [path], open_file, strict=True)
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
    root: Path,
    files: Sequence[Path],
    open_file: Callable[[Path], Iterator[Page]],
    strict: bool,
    least: int = 1,
    mode: str = "",
) -> Decoded[Path]:
    """The files that could be read, their pixels, and (name, reason) for the others."""
    threads = bool(files) and files[0].exists() and files[0].stat().st_size >= THREADED_FROM

    def name(file: Path) -> str:
        return relative_name(file, root)

    return decode_all(root, files, open_file, name, threads, strict, least, mode)
