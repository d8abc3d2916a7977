"""A share of a list of inputs: what one of several machines does of a work on many images.

Share i of n, of N inputs in their fixed order, is the rows from ⌊N (i - 1) / n⌋ up to ⌊N i / n⌋: neighbours, so that
the results of all shares, one after the other, are those of the whole. Where n > N some shares are empty.

Inputs are the files of a folder in the order of their names, the images of a pack, or the rows of an array. They are
named, so that shares of different inputs are not taken for shares of the same, by the first 16 hex digits of

    SHA-256( name | 0 | name | 0 | ... )               of files
    the fingerprint of 5 rows, evenly spaced           of an array, which may be too large to be read for that
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from narrows.data.image_set import ImageSet, Span, fingerprint
from narrows.errors import wrong

LOOKED_AT = 5  # rows of an array


@dataclass(frozen=True)
class Share:
    """Share `place` (1, 2, ..., of) of `of`."""

    place: int
    of: int

    def __str__(self) -> str:
        return f"{self.place}-of-{self.of}"

    def rows(self, total: int) -> slice:
        """Its rows among so many inputs."""
        return slice(total * (self.place - 1) // self.of, total * self.place // self.of)

    def span(self, total: int, inputs: str) -> Span:
        """Its rows among so many inputs, which are named `inputs`."""
        rows = self.rows(total)
        return Span(rows.start, rows.stop, total, inputs)

    def of_files(self, names: Iterable[str]) -> Span:
        """Its rows among files."""
        digest, total = sha256(), 0
        for total, name in enumerate(names, start=1):  # noqa: B007 (the count is used below)
            digest.update(os.fsencode(name) + b"\0")
        return self.span(total, digest.hexdigest()[:16])

    def of_set(self, found: ImageSet) -> ImageSet:
        """Its rows of a set, as views: of a memory map nothing more is read than the rows that name it."""
        looked_at = np.linspace(0, len(found) - 1, LOOKED_AT).astype(int)
        span = self.span(len(found), fingerprint(found.images[looked_at]))
        return replace(
            found,
            images=found.images[span.rows],
            labels=None if found.labels is None else found.labels[span.rows],
            names=None if found.names is None else found.names[span.rows],
            span=span,
        )


def take_share(text: str) -> Share:
    """`2/4` as share 2 of 4. Raises `BuildError`.

    >>> share("2/4")
    Share(place=2, of=4)
    """
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    place, of = map(int, found.groups()) if found else (0, 0)
    if not (1 <= place <= of):
        raise wrong("--shard", text, "i/n with i from 1 to n, such as 2/4 for the second of four")
    return Share(place, of)


def part_path(path: Path, one: Share | None) -> Path:
    """Where the part of an output lies: codes.npz becomes codes-2-of-4.npz; None is the whole."""
    return path if one is None else path.with_stem(f"{path.stem}-{one}")
