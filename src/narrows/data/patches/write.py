"""Patches as files of their own, in a folder or a pack, or as an array, and the list that says where
each comes from.

    file,picture,y,x                  patches.csv
    cat/photo_y0128_x0064.png,cat/photo.jpg,128,64

y and x are those of the upper left corner, in pixels from 0. Where pictures have classes that are
not their folders, these are the column label. A patch keeps the depth, channels, levels and colour
profile of its picture: PNG of 8 or 16 bits, else TIFF.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from narrows.data.packs.pack import refuse_overwrite_of_pack
from narrows.data.packs.tar_writer import Labelling, TarWriter
from narrows.data.patches.cut import Cutter, decode_patches
from narrows.data.patches.names import PATCH, place_in
from narrows.data.patches.plan import Cut
from narrows.data.readers.decode import open_ahead
from narrows.data.readers.image_files import picture_opener
from narrows.data.readers.listing import Listing, division_of
from narrows.data.readers.pixels import Page
from narrows.data.save_picture import encode_pages, save_pages
from narrows.data.write import path_below, write_images
from narrows.errors import DataError
from narrows.files import refuse_overwrite, write_csv

LIST = "patches.csv"
COLUMNS = ("file", "picture", "y", "x")

Row = tuple[str | int, ...]


class Written(NamedTuple):
    """What was written: a row for each patch (see the module), and what to say of it."""

    rows: list[Row]
    notes: list[str]


class Options(NamedTuple):
    """How pictures are cut.

    grey: without colours. strict: raise at the first that gives no patches. skip: is called with the
    name of each that gives none, and why. progress: is called with the name of each patch.
    """

    grey: bool
    strict: bool
    skip: Callable[[str, str], None]
    progress: Callable[[str], None] = lambda name: None


def write_patches(listing: Listing, folder: Path, cut: Cut, options: Options) -> Written:
    """Cut the pictures of a folder into files of another, which is made; the list comes last.

    Patches that an earlier list names are removed if they are not written again. Raises `DataError` if
    there is not one, `OutputError` if they cannot be written.
    """
    replaced = _listed(folder / LIST)
    cutter = _cutter(listing, cut, options)

    def save(name: str, picture: str, page: Page) -> None:
        save_pages([page], path_below(folder, name))

    rows = _written_one_by_one(listing, cutter, options, save)
    write_list(folder / LIST, rows, listing)
    for name in replaced - {str(row[0]) for row in rows}:
        with suppress(OSError):
            path_below(folder, name).unlink()
    return _written(cutter, rows)


def write_pack(
    listing: Listing, path: Path, cut: Cut, options: Options, force: bool = False
) -> Written:
    """Cut the pictures of a folder into a pack (see `packs.pack`); the list is next to it. Raises what
    `write_patches` raises.
    """
    refuse_overwrite_of_pack(path, force)
    list_path = refuse_overwrite(path.with_suffix(".csv"), force)
    cutter = _cutter(listing, cut, options)
    kind_of_picture = dict(zip(listing.names, listing.kinds))
    kind_of: dict[str, str] = {}  # by the name of a patch
    number_of = {} if listing.labels is None else dict(zip(listing.kinds, listing.labels.tolist()))
    labelling = Labelling(kind_of.get, number_of, listing.classes)
    is_divided = "/" in listing.names[0] and bool(division_of(listing.path))
    with TarWriter(path, labelling, is_divided, None) as writer:

        def save(name: str, picture: str, page: Page) -> None:
            if kind_of_picture:
                kind_of[name] = kind_of_picture[picture]
            writer.add(name, encode_pages([page], Path(name))[0])

        rows = _written_one_by_one(listing, cutter, options, save)
        writer.finish()
    write_list(list_path, rows, listing)
    return _written(cutter, rows)


def _written(cutter: Cutter[str], rows: list[Row]) -> Written:
    cut = cutter.cut
    too_few = [cut.too_few(len(rows))] if len(rows) < cut.count else []
    return Written(rows, [cutter.note, *too_few])


def _written_one_by_one(
    listing: Listing, cutter: Cutter[str], options: Options, save: Callable[[str, str, Page], None]
) -> list[Row]:
    """Saves each patch: its name, its picture, and the page. The rows of the list; `DataError` if there
    are none.
    """
    rows: list[Row] = []
    for picture, entry in open_ahead(listing.names, cutter.open, threads=True):
        if not isinstance(entry, str):
            name, page = entry
            save(name, picture, page._replace(mode=""))
            options.progress(name)
            rows.append((name, picture, *place_in(name)))
        elif options.strict:
            raise DataError(f"{listing.path / picture}: {entry}; replace or remove it")
        else:
            options.skip(picture, entry)
    if not rows:
        size = cutter.cut.size_in_words
        raise DataError(f"no patch of {size} pixels could be cut from {listing.path}")
    return rows


def _cutter(listing: Listing, cut: Cut, options: Options) -> Cutter[str]:
    return Cutter(listing.names, _opener(listing, options), str, cut, threads=True)


def _opener(listing: Listing, options: Options) -> Callable[[str], Iterator[Page]]:
    open_file = picture_opener(None, "crop", options.grey)
    return lambda name: open_file(listing.path / name)


def write_array(
    listing: Listing, path: Path, cut: Cut, options: Options, force: bool = False
) -> Written:
    """Cut the pictures of a folder into one array, in which all have one depth and as many channels;
    the list is next to it. Raises what `write_patches` raises.
    """
    list_path = refuse_overwrite(path.with_suffix(".csv"), force)
    names, where = listing.names, listing.path
    opener = _opener(listing, options)
    decoded = decode_patches(cut, where, names, names, opener, str, True, options.strict, 1, "")
    for name, reason in decoded.skipped:
        options.skip(name, reason)
    write_images(decoded.images, path, force=force)
    named = zip(decoded.names, decoded.items)
    rows: list[Row] = [(name, picture, *place_in(name)) for name, picture in named]
    write_list(list_path, rows, listing)
    return Written(rows, list(decoded.notes))


def write_list(path: Path, rows: Sequence[Row], listing: Listing) -> None:
    """The list of patches, with their labels if these are not the names of folders."""
    kinds = dict(zip(listing.names, listing.kinds))
    if not kinds or all(name.startswith(f"{kind}/") for name, kind in kinds.items()):
        write_csv(path, COLUMNS, rows)
        return
    write_csv(path, (*COLUMNS, "label"), [(*row, kinds[str(row[1])]) for row in rows])


def _listed(path: Path) -> set[str]:
    """The patches that a list names; none if there is no such list."""
    with suppress(OSError, ValueError, csv.Error), open(path, encoding="utf-8", newline="") as file:
        return {row[0] for row in csv.reader(file) if row and PATCH.fullmatch(row[0])}
    return set()
