"""Pairs: clean images, and the same images as they were spoilt, from two folders or two files.

    {"kind": "clean", "noisy": "spoilt", "size": 64}       options hold for both

Files are matched by their names below the folders without their endings: `clean/a/1.png` and `spoilt/a/1.jpg`. What
has no counterpart is left out and told of, as what cannot be read. Arrays (.npy, .npz, IDX) and named sets are
matched by place. The images of a pair have one size; where one of two folders is grey and the other is not, both
become colour.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from narrows.data.distributed_read import read_distributed as read
from narrows.data.image_set import STEP, ImageSet
from narrows.data.load import Data
from narrows.data.readers.image_files import KINDS
from narrows.data.scratch import scratch
from narrows.errors import DataError, several

TURNED, ORIENTATION = (5, 6, 7, 8), 0x0112  # values of a tag of EXIF that make the width the height


def read_pairs(data: Data, split: str = "train") -> ImageSet:
    """Images as `read` gives them; where `data` has "noisy", with the noisy images that belong to them.

    Raises what `read` raises, and `DataError` where the two do not match.
    """
    if not isinstance(data, Mapping) or "noisy" not in data:
        return read(data, split)
    options = {name: value for name, value in data.items() if name not in ("kind", "noisy")}
    kinds = (data.get("kind"), data["noisy"])
    clean, noisy = (read({"kind": kind, **options}, split) for kind in kinds)
    if clean.images.shape[3:] != noisy.images.shape[3:]:
        clean, noisy = (_in_colour(found, kind, options, split) for found, kind in zip((clean, noisy), kinds))
    clean, noisy = (_by_name if clean.names and noisy.names else _by_place)(clean, noisy)
    shapes = clean.images.shape[1:], noisy.images.shape[1:]
    if shapes[0] != shapes[1]:
        raise _no_pair(clean, noisy, f"the images of a pair need one form, these are {shapes[0]} and {shapes[1]}")
    folders = [Path(kind).expanduser() for kind in kinds if isinstance(kind, str)]
    if "size" in options and len(folders) == 2 and all(folder.is_dir() for folder in folders):
        _of_one_size(clean, noisy, folders)
    skipped = tuple(dict.fromkeys(clean.skipped + noisy.skipped))
    source = f"{clean.source}, beside {noisy.source}"
    return replace(clean, noisy=noisy.images, source=source, skipped=skipped)


def _in_colour(found: ImageSet, kind: Any, options: dict[str, Any], split: str) -> ImageSet:
    """The set, read in colour if it is of pictures."""
    return read({"kind": kind, **options}, split, mode="RGB") if found.names else found


def _by_place(clean: ImageSet, noisy: ImageSet) -> tuple[ImageSet, ImageSet]:
    if clean.names or noisy.names:
        raise _no_pair(clean, noisy, "files are matched by name, arrays by place: give two folders, or two arrays")
    if len(clean) != len(noisy):
        raise _no_pair(clean, noisy, f"they are {len(clean):,} and {len(noisy):,} images; expected as many")
    return clean, noisy


def _by_name(clean: ImageSet, noisy: ImageSet) -> tuple[ImageSet, ImageSet]:
    """The images of each set that have a counterpart, in the order of the clean ones."""
    places, others = _places(clean), _places(noisy)
    both = [name for name in places if name in others]
    if not both:
        first = " and ".join(next(iter(found)) for found in (places, others))
        raise _no_pair(clean, noisy, f"no file of one has the name of one of the other; the first ones are {first}")
    lost = "it has no {} counterpart: a pair is two files of one name"
    return (
        _taken(clean, [places[name] for name in both], lost.format("noisy")),
        _taken(noisy, [others[name] for name in both], lost.format("clean")),
    )


def _places(found: ImageSet) -> dict[str, int]:
    """Names without endings -> places."""
    names = [str(PurePosixPath(name).with_suffix("")) for name in found.names or ()]
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        words = f"several files are called {several(double)}, with other endings: which of them is of the pair?"
        raise DataError(f"{found.source}: {words}")
    return {name: place for place, name in enumerate(names)}


def _taken(found: ImageSet, places: list[int], lost: str) -> ImageSet:
    """Some images of a set; those left out are noted."""
    if places == list(range(len(found))):
        return found
    index, names = np.array(places), found.names or ()
    images = scratch((len(index), *found.images.shape[1:]), found.images.dtype)
    for start in range(0, len(index), STEP):
        images[start : start + STEP] = found.images[index[start : start + STEP]]
    kept = set(places)
    left = tuple((name, f"in {found.source} {lost}") for place, name in enumerate(names) if place not in kept)
    labels = None if found.labels is None else found.labels[index]
    return replace(
        found, images=images, labels=labels, names=tuple(names[k] for k in places), skipped=found.skipped + left
    )


def _of_one_size(clean: ImageSet, noisy: ImageSet, folders: Sequence[Path]) -> None:
    """Refuse pictures of a pair whose own sizes differ, before both were brought to one."""
    pairs = list(zip(clean.names or (), noisy.names or ()))
    differ = [a for a, b in pairs if size_of(folders[0] / a) != size_of(folders[1] / b)]
    if differ:
        raise _no_pair(clean, noisy, f"the pictures of a pair need one size; others have {several(differ)}")


def size_of(path: Path) -> tuple[int, ...]:
    """(width, height) of the picture in a file, upright, of which only the beginning is read."""
    with Image.open(path, formats=KINDS) as file:
        return file.size[::-1] if file.getexif().get(ORIENTATION) in TURNED else file.size


def _no_pair(clean: ImageSet, noisy: ImageSet, why: str) -> DataError:
    return DataError(f"{clean.source} and {noisy.source} are no pair: {why}")
