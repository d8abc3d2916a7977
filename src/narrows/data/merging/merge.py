"""The parts that the shares of a work have written → what it would have written at once.

Nothing is joined unless all shares are there, each once, whole, and of one work: the same verb and options, the same
model, the same inputs. What is wrong is told all at once.
"""

import csv
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from narrows.data.merging.joins import JOINS
from narrows.data.merging.manifest import AGAIN, ENDING, Manifest, manifest_path, read_manifest
from narrows.data.readers.arrays import NPZ_ERRORS as BROKEN_ARRAYS
from narrows.data.share import Share, part_path
from narrows.errors import DataError, Faults, NarrowsError, OutputError
from narrows.files import refuse_overwrite

NAMED = re.compile(r"-(\d+)-of-(\d+)$")  # at the end of a part's stem
SAME = {  # what the marks of all parts must agree in, and how it is called
    "of": "number of shares", "work": "verb or options", "model": "model", "total": "number of inputs",
    "inputs": "list of inputs",
}  # fmt: skip
TOLD = 10  # missing shares that are named
GREY = "read all of them with --grey, or with one --size"
BROKEN = (*BROKEN_ARRAYS, csv.Error, IndexError, NotImplementedError)
Parts = dict[Path, Manifest]
Marked = list[tuple[Path, Manifest]]


def merge(
    output: Path, parts: Sequence[Path] | None = None, force: bool = False, remove: bool = False
) -> tuple[int, list[tuple[str, str]]]:
    """Join parts into `output`: how many results it holds, and what was skipped, (name, reason).

    parts: by default those beside it, named as `share.part_path` names them. remove: delete them afterwards.
    Raises `DataError` with all that is wrong with the parts, `OutputError` where `output` is there, unless `force`.
    """
    path = Path(output)
    marks = checked(path, _beside(path) if parts is None else parts, force)
    full = [part for part, mark in marks.items() if mark.rows]
    if not full:
        total = next(iter(marks.values())).total
        raise DataError(f"none of the {total:,} inputs could be used in any part of {path}")
    with _reading(f"the parts of {path}"):
        JOINS[path.suffix].join(full, path)
    for part in marks if remove else ():
        manifest_path(part).unlink()
        shutil.rmtree(part) if part.is_dir() else part.unlink()
    return sum(mark.rows for mark in marks.values()), [one for mark in marks.values() for one in mark.skipped]


def checked(path: Path, parts: Sequence[Path], force: bool = False) -> Parts:
    """The marks of parts, in order, once nothing is wrong with them, nor with writing `path`."""
    can_merge(path)
    if not parts:
        example = part_path(path, Share(2, 4)).name
        raise DataError(f"{path} has no parts beside it: with --shard 2/4, a verb that writes it writes {example}")
    faults = Faults(f"{path} cannot be put together")
    with faults.catch():
        refuse_overwrite(path, force)
    marks: Marked = []
    for part in parts:
        with faults.catch():
            marks.append((part, _whole(part, path.suffix)))
    _agree(faults, marks)
    _complete(faults, marks, told=set(parts) - {part for part, _ in marks})
    faults.stop(DataError)
    return dict(sorted(marks, key=lambda one: one[1].shard))


def can_merge(path: Path) -> Path:
    """`path`, if parts of it can be joined. Raises `OutputError`."""
    if path.suffix not in JOINS:
        known = ", ".join(filter(None, JOINS))
        raise OutputError(f"{path}: what shares write can be joined as {known} or a folder, not as {path.suffix}")
    return path


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """What damaged files lead to, in words."""
    try:
        yield
    except BROKEN as error:
        if isinstance(error, NarrowsError):
            raise
        raise DataError(f"{what} cannot be read ({error}); {AGAIN}") from error


def _beside(path: Path) -> list[Path]:
    """What is named as a part of `path` is, or has its mark alone."""
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    names = {one.name.removesuffix(ENDING) for one in there}
    found = [path.with_name(name) for name in names]
    return sorted(
        part for part in found
        if part.suffix == path.suffix and NAMED.sub("", part.stem) == path.stem and part.stem != path.stem
    )  # fmt: skip


def _whole(part: Path, suffix: str) -> Manifest:
    """The mark of a part that holds what it says."""
    if part.suffix != suffix:
        raise DataError(f"{part} is no part of a file that ends in {suffix!r}")
    if not part.exists():
        raise DataError(f"there is no {part}{', only its mark' if manifest_path(part).exists() else ''}; {AGAIN}")
    mark = read_manifest(part)
    with _reading(str(part)):
        rows = JOINS[suffix].rows(part)
    if rows != mark.rows:
        raise DataError(f"{part} holds {rows:,} results, and its mark says {mark.rows:,}; remove it and {AGAIN}")
    return mark


def _agree(faults: Faults, marks: Marked) -> None:
    """Tell of parts that are not of the same work as most are."""
    for field, words in SAME.items():
        faults.found += _others(words, [(part, getattr(mark, field)) for part, mark in marks])
    forms = [(part, mark.form) for part, mark in marks if mark.rows]
    faults.found += [f"{told}; {GREY}" for told in _others("form of its images", forms)]


def _others(words: str, values: Sequence[tuple[Path, Any]]) -> list[str]:
    """A sentence for each part whose value is not that of most."""
    told = [str(value) for _, value in values]
    if len(set(told)) < 2:
        return []
    usual = Counter(told).most_common(1)[0][0]
    first = values[told.index(usual)][0]
    return [
        f"{part.name} has another {words} than {first.name} ({value} against {usual})"
        for (part, _), value in zip(values, told)
        if value != usual
    ]


def _complete(faults: Faults, marks: Marked, told: set[Path]) -> None:
    """Tell of shares that are missing or there twice; told: parts that something else is wrong with."""
    if not marks:
        return
    of = Counter(mark.of for _, mark in marks).most_common(1)[0][0]
    there: dict[int, list[str]] = defaultdict(list)
    for part, mark in marks:
        if mark.of == of:
            there[mark.shard].append(part.name)
    for place, names in there.items():
        if len(names) > 1:
            faults.add(f"share {place} of {of} is there {len(names)} times: {', '.join(names)}")
    known = {(int(found[1]), int(found[2])) for part in told if (found := NAMED.search(part.stem))}
    missing = [place for place in range(1, of + 1) if place not in there and (place, of) not in known]
    if missing:
        more = f" and {len(missing) - TOLD:,} more" if len(missing) > TOLD else ""
        named = ", ".join(map(str, missing[:TOLD]))
        what = f"share {named} of {of} is" if len(missing) == 1 else f"shares {named}{more} of {of} are"
        faults.add(f"{what} missing; run with --shard {missing[0]}/{of}")
