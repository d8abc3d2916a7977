"""Codes of an autoencoder in few bytes: integers, and one fixed table of their frequencies for each unit.

A code z of D numbers is divided by a step and rounded,

    k_j = round((z_j - offset_j) / step_j),      z_j is put back as offset_j + step_j k_j

and the symbol k_j - low_j is coded with the frequencies that unit j has among all images of the archive:

    f_s = 1 + floor(count_s (M - n) / sum count),   n symbols, M = 2^16, what is left to the first

This takes the entropy of each unit. No network is needed to decode the symbols, so that a machine whose
floating point is slightly different can change a pixel by a rounding, and never lose the stream.

The tables are the head of a pixel model (`pixel_model`) whose images are rows of symbols, `(D,)` of uint16:
step j of their wavefront is unit j of all images of a block.

Steps are 1 if the codes are integers already (`narrows.parts.rounded`). Otherwise each unit has the step
w s_j, with its standard deviation s_j: an error of the same share in every unit.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from narrows.codec.integers import BITS, TOTAL
from narrows.codec.model_checks import require_between, require_shapes
from narrows.codec.rans import Decoder, Encoder, Found
from narrows.codec.wavefront import Wavefront
from narrows.errors import DataError, ImageError

MOST_SYMBOLS = 1 << 12  # of a unit
MOST_UNITS = 1 << 11
LARGEST = 1 << 30  # integer of a code
FINEST = 4095  # of a count


class CodesHead:
    """The distribution of symbols; see the module.

    tensors: low `(D,)`, symbols `(D,)`, how many each unit has, and counts `(sum of symbols,)`. options: step
    and offset, `(D,)` or one number. Raises `ValueError`.
    """

    radius, bits_a_lane = 1, 8_000

    def __init__(self, tensors: Mapping[str, np.ndarray], options: Mapping[str, Any]):
        require_between("channels", options.get("channels", 1), 1, 1)
        self.low, symbols = tensors["low"], tensors["symbols"]
        units = require_between("units", len(self.low), 1, MOST_UNITS)
        shapes = {"low": (units,), "symbols": (units,), "counts": (int(symbols.sum()),)}
        require_shapes(tensors, shapes)
        for count in (symbols.min(), symbols.max()):
            require_between("symbols of a unit", int(count), 1, MOST_SYMBOLS)
        require_between("least count", int(tensors["counts"].min()), 0, 1 << 31)
        counts = np.split(tensors["counts"], np.cumsum(symbols)[:-1])
        self.ends = [np.cumsum(_frequencies(unit)) for unit in counts]
        self.step, self.offset = (_of_units(options[name], units) for name in ("step", "offset"))
        ends = self.codes(np.stack([0 * symbols, symbols - 1]))
        if not np.isfinite(ends).all():
            raise ValueError("steps and offsets of codes that are not finite")

    def encode(self, wave: Wavefront, flat: np.ndarray, encoder: Encoder) -> None:
        self._require_units(wave)
        for unit, step in enumerate(wave.steps()):
            symbols = flat[wave.places[step], 0]
            if symbols.max() >= len(self.ends[unit]):
                raise DataError("these codes have other symbols than the tables of the pixel model")
            encoder.put(*self._intervals(unit, symbols), BITS)

    def decode(self, wave: Wavefront, flat: np.ndarray, decoder: Decoder) -> None:
        self._require_units(wave)
        for unit, step in enumerate(wave.steps()):

            def find(piece: slice, slots: np.ndarray, unit: int = unit) -> Found:
                symbols = np.searchsorted(self.ends[unit], slots, side="right")
                return symbols, *self._intervals(unit, symbols)

            flat[wave.places[step], 0] = decoder.take(step.stop - step.start, BITS, find)

    def _require_units(self, wave: Wavefront) -> None:
        if len(wave.steps()) > len(self.ends):
            raise DataError("these codes have more units than the tables of the pixel model")

    def probe(self) -> int:
        """CRC-32 of all sums of frequencies."""
        return zlib.crc32(np.concatenate(self.ends).astype("<i4").tobytes())

    def codes(self, symbols: np.ndarray) -> np.ndarray:
        """The codes `(N, D)` of symbols, float32."""
        with np.errstate(over="ignore", invalid="ignore"):
            return (self.offset + self.step * (symbols + self.low)).astype(np.float32)

    def _intervals(self, unit: int, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Starts and frequencies of symbols of a unit."""
        ends = np.concatenate([[0], self.ends[unit]])
        start = ends[symbols]
        return start, ends[symbols.astype(np.int64) + 1] - start


def code_tables(
    integers: np.ndarray, step: np.ndarray, offset: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and options of the head for integers `(N, D)`. Raises `ImageError` if a unit has too many."""
    counts = [_short(of_unit) for of_unit in symbol_counts(integers)]
    symbols = np.array([len(of_unit) for of_unit in counts])
    tensors = {"low": integers.min(0), "symbols": symbols, "counts": np.concatenate(counts)}
    return tensors, {"step": _plain(step), "offset": _plain(offset)}


def symbol_counts(integers: np.ndarray) -> list[np.ndarray]:
    """How often each unit of `(N, D)` has each symbol. Raises `ImageError` if there are too many."""
    low, high = integers.min(0), integers.max(0)
    widest, units = int((high - low).max()) + 1, len(low)
    if widest > MOST_SYMBOLS or units > MOST_UNITS:
        raise ImageError(
            f"these codes have {units:,} units of up to {widest:,} values, at most {MOST_UNITS:,} and "
            f"{MOST_SYMBOLS:,} can be coded; take a model with a smaller code, or fewer bytes"
        )
    return [np.bincount(unit - least) for unit, least in zip(integers.T, low)]


def as_integers(codes: np.ndarray, step: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """round((z - offset) / step), int64. Raises `ImageError` for codes that are not finite."""
    scaled = np.rint((codes.astype(np.float64) - offset) / step)
    if not (np.abs(scaled) < LARGEST).all():
        raise ImageError("some of these images have codes that are not finite, or far too large")
    return scaled.astype(np.int64)


def steps_of(codes: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Step and offset of each unit of codes `(N, D)`: 1 and 0 if all are integers, else `share` of the
    standard deviation (1 for a constant unit) and the mean, as float32 holds them.
    """
    units = codes.shape[1]
    if are_integers(codes):
        return np.ones(units), np.zeros(units)
    deviation = codes.std(0, dtype=np.float64)
    step = np.where(deviation > 0, share * deviation, 1.0)
    return step.astype(np.float32).astype(np.float64), codes.mean(0).astype(np.float64)


def are_integers(codes: np.ndarray) -> bool:
    return bool((codes == np.rint(codes)).all())


def _frequencies(counts: np.ndarray) -> np.ndarray:
    if not counts.any():
        raise ValueError("a unit without symbols")
    each = 1 + counts * (TOTAL - len(counts)) // counts.sum()
    each[0] += TOTAL - each.sum()
    return each


def _short(counts: np.ndarray) -> np.ndarray:
    """Counts of at most 4,095 as they are written, none that was there gone."""
    most = int(counts.max())
    if most <= FINEST:
        return counts
    return np.where(counts > 0, np.maximum(1, counts * FINEST // most), 0)


def _plain(values: np.ndarray) -> float | list[float]:
    """One number if all are equal."""
    return float(values[0]) if (values == values[0]).all() else values.tolist()


def _of_units(said: Any, units: int) -> np.ndarray:
    numbers = said if isinstance(said, list) else [said] * units
    if len(numbers) != units or not all(type(number) in (int, float) for number in numbers):
        raise ValueError(f"steps or offsets that are not one number, or {units}")
    return np.array(numbers, np.float64)
