"""The images that a verb works on, and the report of files that cannot be read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.options import Reading
from narrows.cli.output import tell
from narrows.errors import wrong

Skipped = Annotated[
    str, Parameter(help="A CSV file for the list of files that could not be read: name, reason.")
]
Skip = Callable[[str, str], None]


def are_pictures(images: str) -> bool:
    """Whether this is an image file, or a folder of them."""
    from narrows.data.readers.formats import PICTURES

    return _format(images) in PICTURES


def is_pack(images: str) -> bool:
    """Whether this is a pack, or any tar of images."""
    return _format(images) == "pack"


def _format(images: str) -> str:
    """The format of a path; "" of a named set, or of what is not there."""
    from narrows.data import NAMED_SETS
    from narrows.data.readers.formats import format_of

    path = Path(images).expanduser()
    return format_of(path) if images not in NAMED_SETS and path.exists() else ""


def chosen_split(images: str, split: str, noisy: str = "", quiet: bool = False) -> str:
    """The split to read: by default the part to test with, if there is one, else all."""
    from narrows.data import NAMED_SETS, has_split

    if split:
        return split
    data = {"kind": images, "noisy": noisy} if noisy else images
    if not has_split(data, "test"):
        return "all"
    if not (quiet or images in NAMED_SETS):
        tell(f"note: only the test part of {images} is read; --split all reads all of it")
    return "test"


def listed_files(images: str, split: str, labels: str = "") -> Any:
    """What a folder, or a file, holds, as `data.readers.listing` says it."""
    from narrows.data.readers.listing import Listing, list_folder

    path = Path(images).expanduser()
    if not path.is_dir():
        return Listing(path.parent, (path.name,))
    listing = list_folder(path, chosen_split(images, split), labels)
    for note in listing.notes:
        tell(f"note: {note}")
    return listing


def pictures(
    images: str, files: Sequence[Path], reading: Reading, skip: Skip, doing: str
) -> Iterator[Any]:
    """These pictures of a folder one after another, with a progress bar."""
    from narrows.data.readers.picture_stream import stream_pictures
    from narrows.model.progress_bar import progress_bar

    path, options = Path(images).expanduser(), picture_options(reading)
    with progress_bar(doing, len(files)) as advance:
        for picture in stream_pictures(path, **options, skip=skip, files=files):
            yield picture
            advance(lambda name=picture.name: name)


def picture_options(reading: Reading) -> dict[str, Any]:
    """The options of reading pictures one after another. Refuses those of arrays."""
    options = reading.as_options()
    options.pop("labels", None)
    for name in ("array", "shape"):
        if name in options:
            raise wrong(f"--{name}", options[name], "a file of arrays; these are pictures")
    return options


def array(
    images: str, reading: Reading, skip: Skip, split: str = "", noisy: str = "", **options: Any
) -> Any:
    """Images as one set; by default the part to test with, if there is one.

    noisy: the same images with noise. options: of `read_data`.
    """
    from narrows.data import read_data
    from narrows.data.pairs import read_pairs

    split = chosen_split(images, split, noisy)
    if noisy:
        data = read_pairs(reading.of(images, noisy), split)
    else:
        data = read_data(reading.of(images), split, **options)
    for name, reason in data.skipped:
        skip(name, reason)
    for note in data.notes:
        tell(f"note: {note}")
    return data


class Skips:
    """Reports a file that was skipped, and why, and remembers it."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []

    def __call__(self, name: str, reason: str) -> None:
        tell(f"skipped {name}: {reason}")
        self.rows.append((name, reason))


@contextmanager
def skipping(output: str, force: bool) -> Iterator[Skips]:
    """Reports skipped files, and lists them in `output` unless that is empty."""
    from narrows.data.outputs import TABLES, file_place
    from narrows.files import refuse_overwrite

    path = None
    if output:
        path = refuse_overwrite(file_place(output, "skipped files", TABLES).path, force)
    skip = Skips()
    yield skip
    if path:
        list_skipped(path, skip.rows)


def list_skipped(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write (name, reason) of skipped files, sorted by name."""
    from narrows.files import write_csv

    in_order = sorted(rows, key=lambda row: row[0].split("/"))
    write_csv(path, ("file", "reason"), in_order)
