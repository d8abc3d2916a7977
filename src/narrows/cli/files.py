"""Where images for a verb come from, and how files that cannot be read are told of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.options import Reading
from narrows.cli.say import tell

Skipped = Annotated[str, Parameter(help="A file for the list of what could not be read: name, reason.")]
Skip = Callable[[str, str], None]


def are_pictures(images: str) -> bool:
    """Whether this is an image file, or a folder of them."""
    from narrows.data import SETS
    from narrows.data.pictures import ENDINGS

    path = Path(images).expanduser()
    return images not in SETS and (path.is_dir() or (path.suffix.lower() in ENDINGS and path.is_file()))


def pictures(images: str, reading: Reading, skip: Skip, doing: str) -> Iterator[Any]:
    """Pictures one after another, with a bar."""
    from narrows.data.folder import image_files
    from narrows.data.stream import stream
    from narrows.model.progress import progress

    path = Path(images).expanduser()
    with progress(doing, len(image_files(path))) as advance:
        for picture in stream(path, **reading.as_options(), skip=skip):
            yield picture
            advance(lambda name=picture.name: name)


def array(images: str, reading: Reading, skip: Skip, split: str = "") -> Any:
    """Images as one set; by default the test part of named sets."""
    from narrows.data import SETS, read

    found = read(reading.of(images), split or ("test" if images in SETS else "all"))
    for name, reason in found.skipped:
        skip(name, reason)
    return found


@contextmanager
def skipping(output: str, force: bool) -> Iterator[Skip]:
    """A function that tells of a file that was skipped, and why; they are listed in `output`, if it has a name."""
    from narrows.files import may_write, write_csv

    path, rows = may_write(output, force) if output else None, []

    def skip(name: str, reason: str) -> None:
        tell(f"skipped {name}: {reason}")
        rows.append((name, reason))

    yield skip
    if path:
        write_csv(path, ("file", "reason"), rows)
