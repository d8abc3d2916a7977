"""A share of a list of inputs: what one of several machines does of a job on many images.

Share i of n, of N inputs in their fixed order, is the rows from ⌊N (i - 1) / n⌋ up to ⌊N i / n⌋:
neighbours, so that the results of all shares, one after the other, are those of the complete job.
If n > N some shares are empty.

Inputs are the files of a folder in the order of their names, the images of a pack, or the rows of
an array. So that shares of different inputs are not taken for shares of the same, they are
identified by the first 16 hex digits of

    SHA-256( name | 0 | name | 0 | ... )               of files
    the fingerprint of 5 rows, evenly spaced           of an array, which may be too large to be read for that
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from narrows.data.image_set import ImageSet, Span, fingerprint
from narrows.errors import wrong

ROWS_IDENTIFYING = 5  # of an array


@dataclass(frozen=True)
class Share:
    """Share `place` (1, 2, ..., of) of `of`."""

    place: int
    of: int

    def __str__(self) -> str:
        return f"{self.place}-of-{self.of}"

    def rows(self, total: int) -> slice:
        """Its rows among `total` inputs."""
        return slice(total * (self.place - 1) // self.of, total * self.place // self.of)

    def span(self, total: int, inputs: str) -> Span:
        """Its rows among `total` inputs, which are identified by `inputs`."""
        rows = self.rows(total)
        return Span(rows.start, rows.stop, total, inputs)

    def span_of_files(self, names: Iterable[str]) -> Span:
        """Its rows among files."""
        digest = sha256()
        total = 0
        for name in names:
            digest.update(os.fsencode(name) + b"\0")
            total += 1
        return self.span(total, digest.hexdigest()[:16])

    def span_of_rows(self, total: int, rows_at: Callable[[Sequence[int]], np.ndarray]) -> Span:
        """Its rows among those of an array. rows_at: the rows at some places, by which it is known."""
        identifying = np.linspace(0, total - 1, ROWS_IDENTIFYING).astype(int)
        return self.span(total, fingerprint(rows_at(identifying.tolist())))

    def take(self, images: ImageSet) -> ImageSet:
        """Its rows of a set, as views: of a memory map only the rows that identify it are read."""
        span = self.span_of_rows(len(images), lambda places: images.images[places])
        labels = images.labels
        names = images.names
        return replace(
            images,
            images=images.images[span.rows],
            labels=None if labels is None else labels[span.rows],
            names=None if names is None else names[span.rows],
            span=span,
        )


def take_share(text: str) -> Share:
    """`2/4` as share 2 of 4. Raises `BuildError`.

    >>> take_share("2/4")
    Share(place=2, of=4)
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if match:
        place, of = map(int, match.groups())
        if 1 <= place <= of:
            return Share(place, of)
    raise wrong("--shard", text, "i/n with i from 1 to n, such as 2/4 for the second of four")


def part_path(path: Path, share: Share | None, is_folder: bool = False) -> Path:
    """The path of a share's part of an output: codes.npz becomes codes-2-of-4.npz, the folder
    cleaned_0.1 becomes cleaned_0.1-2-of-4; None is the complete output.
    """
    if share is None:
        return path
    if is_folder:
        return path.with_name(f"{path.name}-{share}")
    return path.with_stem(f"{path.stem}-{share}")
