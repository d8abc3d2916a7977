"""Codes of an autoencoder as integers, and these as few bytes: one fixed table of frequencies for each unit.

A code z of D numbers is divided by a step and rounded,

    k_j = round((z_j - offset_j) / step_j),      z_j is put back as offset_j + step_j k_j

and the symbol k_j - low_j is coded with the frequencies that unit j has among all images of the archive:

    f_s = 1 + floor(count_s (M - n) / sum count),   n symbols, M = 2^16, what is left to the first

This takes the entropy of each unit. No network is needed to decode the integers, so that a machine whose
floating point is slightly different can change a pixel by a rounding, and never lose the stream. A block is
the symbols of unit 1 of all its images, then those of unit 2, and so on (`rans`).

Steps are 1 if the codes are integers already. Otherwise each unit has the step w s_j, with its standard
deviation s_j: a uniform error of the same share in every unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from narrows.codec.integers import BITS, TOTAL, Frequencies
from narrows.codec.rans import Decoder, Encoder
from narrows.errors import DataError, ImageError

MOST_SYMBOLS = 1 << 12  # of a unit
MOST_UNITS = 1 << 16
LARGEST = 1 << 30  # integer of a code
BAD = "this archive is damaged: its tables of codes are"


@dataclass(frozen=True)
class CodeTables:
    """How the integers of codes are made and coded. All have one entry a unit.

    step, offset: floats. low: the lowest integer. counts: how often each integer from there on occurs, in
    units of the least part that matters.
    """

    step: np.ndarray
    offset: np.ndarray
    low: np.ndarray
    counts: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, integers: np.ndarray, step: np.ndarray, offset: np.ndarray) -> "CodeTables":
        """The tables of integers `(N, D)`. Raises `ImageError` if a unit has too many."""
        low, high = integers.min(0), integers.max(0)
        widest = int((high - low).max()) + 1
        if widest > MOST_SYMBOLS:
            raise ImageError(
                f"a unit of these codes has {widest:,} values, at most {MOST_SYMBOLS:,} can be coded; "
                "ask for fewer bytes, or look for images unlike the others"
            )
        counts = [np.bincount(unit - least) for unit, least in zip(integers.T, low)]
        return cls(step, offset, low, tuple(map(_shortened, counts)))

    def frequencies(self, unit: int) -> Frequencies:
        """Of the symbols of a unit, `(symbols, 1)`."""
        counts = self.counts[unit].astype(np.int64)
        each = 1 + counts * (TOTAL - len(counts)) // counts.sum()
        each[0] += TOTAL - each.sum()
        return Frequencies(each[:, None], np.cumsum(each)[:, None])

    def integers(self, codes: np.ndarray) -> np.ndarray:
        """Codes `(N, D)` as integers."""
        return as_integers(codes, self.step, self.offset)

    def codes(self, integers: np.ndarray) -> np.ndarray:
        """Integers `(N, D)` as codes, float32."""
        return (self.offset + self.step * integers).astype(np.float32)

    def encode(self, integers: np.ndarray) -> Encoder:
        """The choices of integers `(N, D)`."""
        encoder = Encoder()
        for unit, symbols in enumerate((integers - self.low).T):
            each, ends = (table[:, 0] for table in self.frequencies(unit))
            encoder.put(ends[symbols] - each[symbols], each[symbols], BITS)
        return encoder

    def decode(self, stream: bytes, lanes: int, count: int) -> np.ndarray:
        """The integers `(count, D)` of a stream of that many lanes. Raises `DataError`."""
        decoder = Decoder(stream, lanes)
        units = [self._take(decoder, unit, count) for unit in range(len(self.low))]
        decoder.finish()
        return np.stack(units, axis=1) + self.low

    def _take(self, decoder: Decoder, unit: int, count: int) -> np.ndarray:
        each, ends = (table[:, 0] for table in self.frequencies(unit))

        def find(piece: slice, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            symbols = np.searchsorted(ends, slots, side="right")
            return symbols, ends[symbols] - each[symbols], each[symbols]

        return decoder.take(count, BITS, find)

    # -- in the extras of an archive ---------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        return {
            "step": _plain(self.step),
            "offset": _plain(self.offset),
            "low": self.low.tolist(),
            "counts": [counts.tolist() for counts in self.counts],
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "CodeTables":
        """Raises `DataError` for what `as_json` never says."""
        try:
            low = _integers(said["low"], -LARGEST, LARGEST)
            counts = tuple(_integers(unit, 0, TOTAL) for unit in said["counts"])
            step, offset = (_units(said[name], len(low)) for name in ("step", "offset"))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"{BAD} not what they should be") from error
        if not (1 <= len(low) == len(counts) <= MOST_UNITS and all(map(_is_table, counts))):
            raise DataError(f"{BAD} of {len(low)} and {len(counts)} units")
        return cls(step, offset, low, counts)


def as_integers(codes: np.ndarray, step: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """round((z - offset) / step), int64. Raises `ImageError` for codes that are not finite."""
    scaled = np.rint((codes.astype(np.float64) - offset) / step)
    if not (np.abs(scaled) < LARGEST).all():
        raise ImageError("some of these images have codes that are not finite, or far too large")
    return scaled.astype(np.int64)


def natural_steps(codes: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Step and offset of each unit of codes `(N, D)`: 1 and 0 if all are integers, else `share` of the
    standard deviation (1 for a constant unit) and the mean, as float32 holds them.
    """
    units = codes.shape[1]
    if (codes == np.rint(codes)).all():
        return np.ones(units), np.zeros(units)
    deviation = codes.std(0, dtype=np.float64)
    step = np.where(deviation > 0, share * deviation, 1.0)
    return step.astype(np.float32).astype(np.float64), codes.mean(0).astype(np.float64)


def _shortened(counts: np.ndarray) -> np.ndarray:
    """Counts of at most 4,095, none that was there gone: they are written in the archive."""
    most = int(counts.max())
    if most < 4096:
        return counts
    return np.where(counts > 0, np.maximum(1, counts * 4095 // most), 0)


def _plain(values: np.ndarray) -> float | list[float]:
    """One number if all are equal."""
    return float(values[0]) if (values == values[0]).all() else values.tolist()


def _units(said: Any, units: int) -> np.ndarray:
    values = np.broadcast_to(np.asarray(said, dtype=np.float64), (units,))
    if not np.isfinite(values).all():
        raise ValueError("not finite")
    return values


def _integers(said: Sequence[Any], least: int, most: int) -> np.ndarray:
    if not all(type(value) is int and least <= value <= most for value in said):
        raise ValueError(f"integers from {least} to {most}")
    return np.array(said, dtype=np.int64)


def _is_table(counts: np.ndarray) -> bool:
    return 1 <= len(counts) <= MOST_SYMBOLS and counts.sum() > 0
