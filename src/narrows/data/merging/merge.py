"""The parts that the shares of a job wrote -> what the job would have written at once.

Nothing is joined unless all shares are there, each once, complete, and of one job: the same verb
and options, the same model, the same inputs. All that is wrong is reported at once.
"""

import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from narrows.data.merging.joins import JOINS
from narrows.data.merging.manifest import (
    MANIFEST_ENDING,
    RUN_AGAIN,
    Manifest,
    manifest_path,
    read_manifest,
)
from narrows.data.outputs import Place, any_place
from narrows.data.share import Share, part_path
from narrows.errors import DataError, Faults, OutputError, several
from narrows.files import refuse_overwrite
from narrows.reading import reading

PART_STEM = re.compile(r"(?P<output>.+)-(?P<place>\d+)-of-(?P<of>\d+)")
AGREEING_FIELDS = {  # in which the manifests of all parts must agree, and what they are called
    "of": "number of shares",
    "work": "verb or options",
    "model": "model",
    "total": "number of inputs",
    "inputs": "list of inputs",
}
MISSING_NAMED = 10  # shares, in an error
READ_ALIKE = "read all of them with --grey, or with one --size"

Parts = dict[Path, Manifest]
SkippedInputs = list[tuple[str, str]]


def merge(
    output: str | Path,
    parts: Sequence[Path] | None = None,
    force: bool = False,
    remove: bool = False,
) -> tuple[int, SkippedInputs]:
    """Join parts into `output`: how many results it holds, and what was skipped, (name, reason).

    parts: by default those next to it, named as `share.part_path` names them.
    remove: delete them afterwards.
    Raises `DataError` with all that is wrong with the parts, `OutputError` if `output` is there,
    unless `force`.
    """
    place = merged_place(str(output))
    path = place.path
    manifests = checked_parts(place, _parts_of(place) if parts is None else parts, force)
    with_results = [part for part, manifest in manifests.items() if manifest.rows]
    if not with_results:
        total = next(iter(manifests.values())).total
        raise DataError(f"none of the {total:,} inputs could be used in any part of {path}")
    with reading(f"the parts of {path}", RUN_AGAIN):
        JOINS[place.ending].join(with_results, path)
    if remove:
        _remove_parts(manifests)
    rows = sum(manifest.rows for manifest in manifests.values())
    skipped = [entry for manifest in manifests.values() for entry in manifest.skipped]
    return rows, skipped


def checked_parts(place: Place, parts: Sequence[Path], force: bool = False) -> Parts:
    """The manifests of parts, in the order of the shares, if nothing is wrong with them, nor with
    writing there.
    """
    path = place.path
    if not parts:
        example = part_path(path, Share(2, 4), place.is_folder).name
        raise DataError(
            f"{path} has no parts next to it: with --shard 2/4, a verb that writes it writes {example}"
        )
    faults = Faults(f"{path} cannot be put together")
    for part, count in Counter(parts).items():
        if count > 1:
            faults.add(f"{part} is given {count} times")
    with faults.catch():
        refuse_overwrite(path, force)
    manifests: Parts = {}
    for part in parts:
        with faults.catch():
            manifests[part] = _read_complete(part, place.ending)
    _check_one_job(faults, manifests)
    if manifests:
        _check_all_shares(
            faults, manifests, faulty=[part for part in parts if part not in manifests]
        )
    faults.stop(DataError)
    return dict(sorted(manifests.items(), key=lambda item: item[1].shard))


def merged_place(output: str) -> Place:
    """Where to write what is joined. Raises `OutputError`."""
    return any_place(output, "joined results", list(filter(None, JOINS)), many=True)


def can_merge(place: Place) -> Place:
    """The place, if parts of it can be joined. Raises `OutputError`."""
    if place.ending not in JOINS:
        known = ", ".join(filter(None, JOINS))
        raise OutputError(
            f"{place.path}: what shares write can be joined as {known} or a folder, not as "
            f"{place.path.suffix or 'a file without an ending'}"
        )
    return place


def _remove_parts(parts: Parts) -> None:
    for part in parts:
        manifest_path(part).unlink()
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()


def _parts_of(place: Place) -> list[Path]:
    """What is named as a part of a place, or has only its manifest."""
    path = place.path
    if not path.parent.is_dir():
        return []
    names = {file.name.removesuffix(MANIFEST_ENDING) for file in path.parent.iterdir()}
    parts = [path.with_name(name) for name in names]
    return sorted(part for part in parts if _is_part(part, place))


def _is_part(part: Path, place: Place) -> bool:
    """Whether a file or a folder is named as a part of a place."""
    whole = _without_ending(place.path, place.ending)
    match = PART_STEM.fullmatch(_without_ending(part, place.ending))
    same_ending = place.is_folder or part.suffix == place.path.suffix
    return bool(match) and match["output"] == whole and same_ending


def _without_ending(path: Path, ending: str) -> str:
    return path.stem if ending else path.name


def _read_complete(part: Path, ending: str) -> Manifest:
    """The manifest of a part, if the part holds what it says."""
    if ending and part.suffix.lower() != ending:
        raise DataError(f"{part} is not a part of a file that ends in {ending!r}")
    if not ending and part.is_file():
        raise DataError(f"{part} is a file, not a part of a folder")
    if not part.exists():
        rest = ", only its manifest" if manifest_path(part).exists() else ""
        raise DataError(f"there is no {part}{rest}; {RUN_AGAIN}")
    manifest = read_manifest(part)
    with reading(part, RUN_AGAIN):
        rows = JOINS[ending].count_results(part)
    if rows != manifest.rows:
        raise DataError(
            f"{part} holds {rows:,} results, and its manifest says {manifest.rows:,}; remove it "
            f"and {RUN_AGAIN}"
        )
    return manifest


def _check_one_job(faults: Faults, parts: Parts) -> None:
    """Report parts that are not of the same job as most are."""
    for field, words in AGREEING_FIELDS.items():
        values = {part: getattr(manifest, field) for part, manifest in parts.items()}
        for fault in _unlike_most(words, values):
            faults.add(fault)
    forms = {part: manifest.form for part, manifest in parts.items() if manifest.rows}
    for fault in _unlike_most("form of its images", forms):
        faults.add(f"{fault}; {READ_ALIKE}")


def _unlike_most(words: str, values: dict[Path, Any]) -> list[str]:
    """A sentence for each part whose value is not that of most."""
    counts = Counter(values.values())
    if len(counts) < 2:
        return []
    usual, _ = counts.most_common(1)[0]
    usual_part = next(part for part, value in values.items() if value == usual)
    return [
        f"{part.name} has another {words} than {usual_part.name} ({value} against {usual})"
        for part, value in values.items()
        if value != usual
    ]


def _check_all_shares(faults: Faults, parts: Parts, faulty: Sequence[Path]) -> None:
    """Report shares that are missing or there twice; faulty: parts that something else is wrong with."""
    counts = Counter(manifest.of for manifest in parts.values())
    of, _ = counts.most_common(1)[0]
    names: dict[int, list[str]] = defaultdict(list)
    for part, manifest in parts.items():
        if manifest.of == of:
            names[manifest.shard].append(part.name)
    for place, copies in names.items():
        if len(copies) > 1:
            faults.add(f"share {place} of {of} is there {len(copies)} times: {', '.join(copies)}")
    present = set(names) | {
        share.place for part in faulty if (share := _share_named(part)) and share.of == of
    }
    missing = of - sum(1 <= place <= of for place in present)
    if missing:
        faults.add(_missing_shares(present, missing, of))


def _share_named(part: Path) -> Share | None:
    """The share that a part is, by its name."""
    match = PART_STEM.fullmatch(part.stem) or PART_STEM.fullmatch(part.name)
    return Share(int(match["place"]), int(match["of"])) if match else None


def _missing_shares(present: set[int], missing: int, of: int) -> str:
    """The shares that are missing, the first few by name: there may be a million million."""
    absent = (place for place in range(1, of + 1) if place not in present)
    first = list(islice(absent, MISSING_NAMED))
    cure = f"run with --shard {first[0]}/{of}"
    if missing == 1:
        return f"share {first[0]} of {of} is missing; {cure}"
    more = f" and {missing - len(first):,} more" if missing > len(first) else ""
    return f"shares {several(first, MISSING_NAMED)}{more} of {of} are missing; {cure}"
