"""What is to be cut: how many patches, of which size, with which seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from narrows.data.readers.pixels import Size, as_size
from narrows.errors import unknown, wrong

COUNT = 10_000  # patches
SIZE = 64  # pixels
OPTIONS = ("count", "seed", "distance", "scales", "every")


@dataclass(frozen=True)
class Cut:
    """What is to be cut.

    distance: between two places in a picture, at least, in pixels. places: (y, x) in each picture, by
        its name as `names.picture_name` makes it, instead of random ones. scales: each picture is cut
        at each of these sizes, relative to its own, as if they were pages of its file. every: also of
        every second, third, ... of its rows and columns, unfiltered, in which details are as sharp as
        pixels. Each size gives as many patches.
    """

    count: int
    size: Size
    seed: int
    distance: int
    places: Mapping[str, Sequence[tuple[int, int]]] | None = None
    scales: tuple[float, ...] = (1.0,)
    every: tuple[int, ...] = ()

    @property
    def factors(self) -> tuple[float, ...]:
        """Of each size, relative to the picture's own."""
        return (*self.scales, *(1 / step for step in self.every))

    @property
    def size_in_words(self) -> str:
        return f"{self.size[0]} x {self.size[1]}"

    def too_few(self, count: int) -> str:
        """What to say if fewer could be cut."""
        return (
            f"Only {count:,} of {self.count:,} patches fit into the pictures {self.distance} pixels apart; "
            "a smaller distance, or larger pictures, give more."
        )


def as_cut(patches: Any, size: Any = None, fit: str = "crop") -> Cut:
    """What the options of a reader ask for.

    patches: how many, or a dict of "count" (10,000 by default), "seed" (0), "distance" (from one another,
        at least, in pixels; half the smaller side of a patch), "scales" ([1]; [1, 0.7] cuts the
        pictures at 0.7 times their size, too) and "every" ([]; [2] cuts every second row and column of
        them, too).
    size: (H, W), or one number for both; 64 by default. fit: is refused, as nothing is scaled.
    A `Cut` is returned as it is. Raises `UnknownName`, `BuildError` and `DataError`.
    """
    if isinstance(patches, Cut):
        return patches
    if fit != "crop":
        raise wrong("fit", fit, "none with patches, which are cut and not scaled")
    options = dict(patches) if isinstance(patches, Mapping) else {"count": patches}
    for name in set(options) - set(OPTIONS):
        raise unknown("option of patches", name, OPTIONS)
    sides = as_size(SIZE if size is None else size)
    values: dict[str, Any] = {
        "count": COUNT,
        "seed": 0,
        "distance": max(1, min(sides) // 2),
        **options,
    }
    for name, least in (("count", 1), ("seed", 0), ("distance", 1)):
        value = values[name]
        if type(value) is not int or value < least:
            raise wrong(f"{name} of patches", value, f"an integer from {least}")
    values["scales"] = _factors("scales", values.get("scales", Cut.scales), (int, float), 0, 1)
    if not values["scales"]:
        raise wrong("scales of patches", values["scales"], "one at least, such as [1]")
    values["every"] = _factors("every", values.get("every", Cut.every), (int,), 1, inf)
    return Cut(size=sides, **values)


def _factors(
    name: str, given: Any, types: tuple[type, ...], above: float, most: float
) -> tuple[Any, ...]:
    """Numbers of an option that takes several. Raises `BuildError`."""
    numbers = list(given) if isinstance(given, Sequence) else [given]
    if all(type(number) in types and above < number <= most for number in numbers):
        return tuple(numbers)
    expected = {"scales": "numbers in (0, 1], such as [1, 0.7]", "every": "integers from 2"}
    raise wrong(f"{name} of patches", given, expected[name])
