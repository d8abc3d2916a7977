"""Pairs: clean images, and noisy versions of the same images, from two folders or two files.

    {"kind": "clean", "noisy": "noisy", "size": 64}       options hold for both

Files are matched by their names below the folders without their endings: `clean/a/1.png` and
`noisy/a/1.jpg`. Names that differ in their Unicode normal form alone are the same. What has no
counterpart is left out and reported, like files that cannot be read. Arrays (.npy, .npz, IDX) and
named sets are matched by place. The images of a pair have one size; if one of two folders is grey
and the other is not, both become colour.

Patches (`patches`) are cut from both pictures of a pair at the same places, which are chosen by the
clean one.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

import numpy as np
from PIL import Image, UnidentifiedImageError

from narrows.data.distributed_read import read_distributed
from narrows.data.image_set import ImageSet
from narrows.data.load import Data
from narrows.data.patches.names import places_in
from narrows.data.patches.plan import Cut, as_cut
from narrows.data.readers.image_files import PILLOW_FORMATS, first_page
from narrows.data.readers.limits import larger_limits
from narrows.data.readers.listing import list_folder
from narrows.data.scratch import scratch
from narrows.errors import DataError, several
from narrows.mapped import give_pages_back

EXIF_ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)  # its values by which the width becomes the height
COPIED_AT_ONCE = 4096  # images


def read_pairs(data: Data, split: str = "train") -> ImageSet:
    """Images as `read_data` gives them; if `data` has "noisy", with the noisy images that belong to
    them.

    Raises what `read_data` raises, and `DataError` if the two do not match.
    """
    if not isinstance(data, Mapping) or "noisy" not in data:
        return read_distributed(data, split)
    options = {name: value for name, value in data.items() if name not in ("kind", "noisy")}
    kinds = (data.get("kind"), data["noisy"])
    clean, noisy = _read_both(kinds, options, split)
    if clean.names and noisy.names:
        clean, noisy = _match_names(clean, noisy)
    else:
        _refuse_unequal(clean, noisy)
    _refuse_other_shapes(clean, noisy)
    if "patches" in options:
        _refuse_other_sizes(kinds, lambda folders: _matched_files(folders, split))
    elif "size" in options:
        names = list(zip(clean.names or (), noisy.names or ()))
        _refuse_other_sizes(kinds, lambda folders: names)
    return replace(
        clean,
        noisy=noisy.images,
        source=f"{clean.source}, with {noisy.source}",
        skipped=tuple(dict.fromkeys(clean.skipped + noisy.skipped)),
        notes=tuple(dict.fromkeys(clean.notes + noisy.notes)),
    )


def _read_both(
    kinds: Sequence[Any], options: Mapping[str, Any], split: str
) -> tuple[ImageSet, ImageSet]:
    """The clean and the noisy images; both in colour if one is."""
    specs = [{"kind": kind, **options} for kind in kinds]
    clean = read_distributed(specs[0], split)
    if options.get("patches") is not None:
        specs[1]["patches"] = _same_places(options, clean)
    noisy = read_distributed(specs[1], split)
    if clean.images.shape[3:] == noisy.images.shape[3:]:
        return clean, noisy
    if clean.names:
        clean = read_distributed(specs[0], split, mode="RGB")
    if noisy.names:
        noisy = read_distributed(specs[1], split, mode="RGB")
    return clean, noisy


def _same_places(options: Mapping[str, Any], clean: ImageSet) -> Cut:
    """What cuts the noisy pictures where the clean ones were cut."""
    cut = as_cut(options["patches"], options.get("size"), options.get("fit", "crop"))
    return replace(cut, places=places_in(clean.names or ()))


def _match_names(clean: ImageSet, noisy: ImageSet) -> tuple[ImageSet, ImageSet]:
    """The images of each set that have a counterpart, in the order of the clean ones."""
    clean_places = _places_by_stem(clean)
    noisy_places = _places_by_stem(noisy)
    matched = [stem for stem in clean_places if stem in noisy_places]
    if not matched:
        first = f"{next(iter(clean_places))} and {next(iter(noisy_places))}"
        raise _no_pairs(
            clean,
            noisy,
            f"no file of one has the name of one of the other; the first ones are {first}",
        )
    reason = "it has no {} counterpart: a pair is two files of one name"
    return (
        _take_images(clean, [clean_places[stem] for stem in matched], reason.format("noisy")),
        _take_images(noisy, [noisy_places[stem] for stem in matched], reason.format("clean")),
    )


def _places_by_stem(images: ImageSet) -> dict[str, int]:
    """Names without endings -> places."""
    stems = _stems(images.names or ())
    repeated = [stem for stem, count in Counter(stems).items() if count > 1]
    if repeated:
        raise DataError(
            f"{images.source}: several files are called {several(repeated)}, with other endings: "
            "which of them is of the pair?"
        )
    return {stem: place for place, stem in enumerate(stems)}


def _stems(names: Sequence[str]) -> list[str]:
    """Names without endings. Some systems write é as one character, others as e and an accent: as
    both are one name, they get one normal form, unless it makes one name of two.
    """
    stems = [str(PurePosixPath(name).with_suffix("")) for name in names]
    normal = [normalize("NFC", stem) for stem in stems]
    return normal if len(set(normal)) == len(set(stems)) else stems


def _take_images(images: ImageSet, places: list[int], reason: str) -> ImageSet:
    """The images at these places; those left out are noted in `skipped`, with the reason."""
    if places == list(range(len(images))):
        return images
    index = np.array(places)
    taken = scratch((len(index), *images.images.shape[1:]), images.images.dtype)
    for start in range(0, len(index), COPIED_AT_ONCE):
        rows = slice(start, start + COPIED_AT_ONCE)
        taken[rows] = images.images[index[rows]]
        give_pages_back(images.images)
        give_pages_back(taken)
    names = images.names or ()
    left_out = sorted(set(range(len(images))) - set(places))
    skipped = [(names[place], f"in {images.source} {reason}") for place in left_out]
    return replace(
        images,
        images=taken,
        labels=None if images.labels is None else images.labels[index],
        names=tuple(names[place] for place in places),
        skipped=(*images.skipped, *skipped),
    )


def _refuse_unequal(clean: ImageSet, noisy: ImageSet) -> None:
    """Refuse arrays that cannot be matched by place."""
    if clean.names or noisy.names:
        raise _no_pairs(
            clean,
            noisy,
            "files are matched by name, arrays by place: give two folders, or two arrays",
        )
    if len(clean) != len(noisy):
        raise _no_pairs(
            clean, noisy, f"they are {len(clean):,} and {len(noisy):,} images; expected as many"
        )


def _refuse_other_shapes(clean: ImageSet, noisy: ImageSet) -> None:
    clean_shape = clean.images.shape[1:]
    noisy_shape = noisy.images.shape[1:]
    if clean_shape != noisy_shape:
        raise _no_pairs(
            clean,
            noisy,
            f"the images of a pair need one shape, these are {clean_shape} and {noisy_shape}",
        )


def _refuse_other_sizes(
    kinds: Sequence[Any], matched: Callable[[Sequence[Path]], Sequence[tuple[str, str]]]
) -> None:
    """Refuse pictures of a pair whose own sizes differ, before both were brought to one.

    matched: the names of the files of each pair, of two folders.
    """
    folders = [Path(kind).expanduser() for kind in kinds if isinstance(kind, str)]
    if len(folders) != 2 or not all(folder.is_dir() for folder in folders):
        return
    clean, noisy = folders
    differing = [
        a for a, b in matched(folders) if size_in_file(clean / a) != size_in_file(noisy / b)
    ]
    if differing:
        raise DataError(
            f"the folder {clean} and the folder {noisy} are not pairs: the pictures of a pair need one "
            f"size; others have {several(differing)}"
        )


def _matched_files(folders: Sequence[Path], split: str) -> list[tuple[str, str]]:
    """The names of the files of each pair, of two folders."""
    clean, noisy = [list_folder(folder, split).names for folder in folders]
    others = dict(zip(_stems(noisy), noisy))
    return [(name, others[stem]) for stem, name in zip(_stems(clean), clean) if stem in others]


def size_in_file(path: Path) -> tuple[int, ...]:
    """(width, height) of the picture in a file, upright; only the beginning of the file is read."""
    try:
        with larger_limits(), Image.open(path, formats=PILLOW_FORMATS) as file:
            width, height = file.size
            is_turned = file.getexif().get(EXIF_ORIENTATION) in QUARTER_TURNS
    except UnidentifiedImageError:  # a kind that Pillow does not know
        height, width = first_page(path).pixels.shape[:2]
        return width, height
    return (height, width) if is_turned else (width, height)


def _no_pairs(clean: ImageSet, noisy: ImageSet, reason: str) -> DataError:
    return DataError(f"{clean.source} and {noisy.source} are not pairs: {reason}")
