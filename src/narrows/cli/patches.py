"""The verb that cuts training patches, patches; and `--patches` of the verbs that train."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.inputs import Skipped, listed_files, skipping
from narrows.cli.options import Force, Integer, Json, Output, Reading, integers
from narrows.cli.output import give_facts, tell
from narrows.errors import wrong

Sides = Annotated[
    list[int] | None, Parameter(consume_multiple=True, negative="", converter=integers)
]
Patches = Annotated[
    list[int] | None,
    Parameter(
        consume_multiple=True,
        negative="",
        converter=integers,
        help="Cut this many patches of --size pixels from large pictures, instead of shrinking them; "
        "10,000 of 64 x 64 by default.",
    ),
]
Flag = Annotated[bool, Parameter(negative="")]

LOOKED_AT = 32  # pictures
SHRUNK = 2  # times, from which on patches are suggested


def patches(
    folder: str,
    /,
    *,
    output: Output,
    size: Sides = None,
    count: Annotated[Integer, Parameter(name=["--count", "-n"])] = 10_000,
    seed: Integer = 0,
    distance: Integer | None = None,
    split: str = "all",
    grey: Flag = False,
    labels: str = "",
    strict: Flag = False,
    skipped: Skipped = "",
    force: Force = False,
    json: Json = False,
) -> None:
    """Cut training patches out of large pictures, more where there is more contrast.

    They are exact crops, in the bit depth of their files, each named after its picture and position:
    photo_y0128_x0064.png. patches.csv lists them. They are written into a folder, a pack
    (.tar), or an array (.npy, .npz).

    Example: narrows patches photos/ -o patches/ --size 64 -n 10000

    Parameters
    ----------
    folder
        A folder of pictures, or one picture.
    size
        Height and width of a patch in pixels, or one number for both; 64 by default.
    count
        Number of patches, divided among the pictures by their area.
    seed
        Seed of the places; another seed gives other patches.
    distance
        Minimum distance in pixels between the corners of two patches of a picture; by default half
        the size.
    split
        train, val, test or all.
    grey
        Convert colour pictures to grey.
    labels
        A CSV file with the columns file and label: the classes of the pictures.
    strict
        Stop at the first picture that cannot be read, or is smaller than a patch.
    """
    from narrows.data.patches.plan import as_cut
    from narrows.data.patches.write import Options

    asked = {"count": count, "seed": seed, "distance": distance}
    cut = as_cut({name: value for name, value in asked.items() if value is not None}, _sides(size))
    place = _free(output, force)
    _refuse_others(folder)
    listing = listed_files(folder, split, labels)
    write = WRITERS.get(place.ending, _write_array)
    with skipping(skipped, force) as skip:
        for name, reason in listing.skipped:
            skip(name, reason)
        written = write(listing, place.path, cut, Options(grey, strict, skip), force)
    for note in written.notes:
        tell(f"note: {note}")
    pictures = len({row[1] for row in written.rows})
    facts = {"patches": len(written.rows), "pictures": pictures, "skipped": len(skip.rows)}
    give_facts({**facts, "path": str(place.path)}, json)


def _free(output: str, force: bool) -> Any:
    """Where to write, refused before any work is done."""
    from narrows.data.outputs import any_place
    from narrows.data.write import ARRAY_WRITERS
    from narrows.files import refuse_overwrite

    place = any_place(output, "patches", [".tar", *ARRAY_WRITERS], many=True)
    refuse_overwrite(place.path, force)
    return place


def _write_folder(listing: Any, folder: Path, cut: Any, options: Any, force: bool) -> Any:
    from narrows.data.patches.write import write_patches

    with _shown(options, cut) as shown:
        return write_patches(listing, folder, cut, shown)


def _write_pack(listing: Any, path: Path, cut: Any, options: Any, force: bool) -> Any:
    from narrows.data.patches.write import write_pack

    with _shown(options, cut) as shown:
        return write_pack(listing, path, cut, shown, force)


@contextmanager
def _shown(options: Any, cut: Any) -> Iterator[Any]:
    """The options, with a bar of progress."""
    from narrows.model.progress_bar import progress_bar

    with progress_bar("cutting patches", cut.count) as advance:
        yield options._replace(progress=lambda name: advance(lambda: name))


def _write_array(listing: Any, path: Path, cut: Any, options: Any, force: bool) -> Any:
    from narrows.data.patches.write import write_array

    return write_array(listing, path, cut, options, force)


WRITERS = {"": _write_folder, ".tar": _write_pack}  # by the ending of the output; others: arrays


def _refuse_others(folder: str) -> None:
    """Refuse what is not a folder of pictures, or a picture."""
    from narrows.cli.inputs import are_pictures
    from narrows.errors import DataError

    if not Path(folder).expanduser().exists():
        raise DataError(f"there is no folder or file {folder}; expected a folder of pictures")
    if not are_pictures(folder):
        raise DataError(f"{folder} is not a folder of pictures, nor a picture, to cut patches from")


def _sides(size: list[int] | None) -> Any:
    """The option `size`, as readers take it."""
    return Reading(size=size).as_options().get("size")


# -- train --patches ------------------------------------------------------------------------------


def with_patches(data: Any, patches: list[int] | None, seed: int | None) -> Any:
    """Data of which patches are cut, if that is asked for; patches: [] for the usual number.

    Raises `BuildError`.
    """
    from narrows.data.patches.plan import SIZE, as_cut

    if patches is None:
        return data
    if len(patches) > 1:
        raise wrong("--patches", " ".join(map(str, patches)), "one number, or none")
    spec = dict(data) if isinstance(data, Mapping) else {"kind": data}
    cut: dict[str, int] = {"seed": seed or 0}
    if patches:
        cut["count"] = patches[0]
    spec = {"size": SIZE, **spec, "patches": cut}
    as_cut(cut, spec["size"], spec.get("fit", "crop"))  # refuses before anything is read
    return spec


def advice_on_size(data: str, reading: Reading) -> str:
    """What to say if pictures would be shrunk to less than half; empty if they would not be."""
    from narrows.cli.inputs import are_pictures
    from narrows.data.patches.plan import SIZE
    from narrows.data.readers.pixels import as_size

    path = Path(data).expanduser()
    if reading.size is None or not are_pictures(data) or not path.is_dir():
        return ""
    rows, columns = as_size(_sides(reading.size) or SIZE)
    times = sorted(min(h / rows, w / columns) for w, h in _sizes(path))
    middle = times[len(times) // 2] if times else 0
    if middle <= SHRUNK:
        return ""
    return (
        f"these pictures are shrunk about {middle:.1f} times, to {rows} x {columns}; to learn from their "
        "details, as to denoise, let --patches cut patches instead"
    )


def _sizes(path: Path) -> list[tuple[int, ...]]:
    """(width, height) of the first pictures of a folder that can be read."""
    from contextlib import suppress
    from itertools import islice

    from narrows.data.pairs import size_in_file
    from narrows.data.readers.walk import Walk

    sizes = []
    for name in islice(Walk(path).images(""), LOOKED_AT):  # of a million, not all are listed
        with suppress(Exception):  # reported when it is read
            sizes.append(size_in_file(path / name))
    return sizes
