"""The pixels of a block of few values as choices, step by step of the wavefront (`categorical`).

A step is three arrays: the groups of the cold pixels, the groups of the others, the places of those of
either whose group has more than one value; each in the order of the pixels in the step.
"""

import zlib
from typing import Any

import numpy as np

from narrows.codec.categorical import Categorical
from narrows.codec.integers import BITS, Frequencies
from narrows.codec.rans import Decoder, Encoder
from narrows.codec.wavefront import Wavefront, chunks, is_warm, neighbour_count

PROBED = 256
LARGE = 10_000  # numbers of a network


class CategoricalHead:
    """The distribution of the pixels of grey images of few values; see `pixel_model`.

    tensors, options: of a model file, as `Categorical` takes them. Raises `DataError`. A large network
    takes so much of the time that few lanes, which take fewer bytes, are as fast.
    """

    bits_a_lane = 2_000

    def __init__(self, tensors: dict[str, np.ndarray], options: dict[str, Any]):
        self.model = Categorical(tensors, options)
        numbers = sum(tensor.size for tensor in tensors.values())
        if numbers > LARGE:
            self.bits_a_lane = numbers // 4
        self.radius = self.model.radius

    def encode(self, wave: Wavefront, flat: np.ndarray, encoder: Encoder) -> None:
        Coding(self.model, wave, flat[:, 0]).encode(encoder)

    def decode(self, wave: Wavefront, flat: np.ndarray, decoder: Decoder) -> None:
        Coding(self.model, wave, flat[:, 0]).decode(decoder)

    def probe(self) -> int:
        """CRC-32 of the frequencies of 256 rows of neighbours: the k-th of the n-th is
        floor(((n K + k) 40503 mod 65536) V / 65536), and 0 if n mod 4 > k mod 8.
        """
        model = self.model
        rows, inputs = np.arange(PROBED)[:, None], np.arange(neighbour_count(self.radius))
        x = (rows * len(inputs) + inputs) * 40503 % 65536 * model.values >> 16
        x[rows % 4 > inputs % 8] = 0
        at = rows[:, 0]
        x = np.ascontiguousarray(x.T, np.uint8)
        a2 = model.activations(model.inputs(x), at % len(model.bias_at))
        had = (at + np.arange(len(model.valid))[:, None]) % 3 == 0 if model.seen else None
        places = model.group_places(a2, at % len(model.sizes), x, had)
        each = [np.diff(found.ends, axis=0) for found in (model.groups(a2, x), places)]
        return zlib.crc32(np.concatenate(each).T.astype("<i4").tobytes())


class Coding:
    """One block on its way into choices, or back.

    flat: `(length,)` values in the flat array of the wavefront; all pixels for `encode`, zeros for `decode`.
    """

    def __init__(self, model: Categorical, wave: Wavefront, flat: np.ndarray):
        self.model, self.wave, self.flat = model, wave, flat
        self.offsets = wave.offsets.tolist()
        self.warm = np.zeros(wave.length, bool)  # places with a neighbour that is not zero
        self.cold = model.cold
        if model.seen:  # the step from which on an image has had each value
            never = len(wave.bounds)
            self.since = np.full((len(wave.sizes), model.values), never, np.int16)

    def encode(self, encoder: Encoder) -> None:
        """Put all choices."""
        steps = self.wave.steps()
        self.warm = is_warm(self.flat, self.wave.offsets)
        for number in reversed(range(len(steps))):
            self._note_values(steps[number], number)
        first = 0
        for chunk in chunks(steps):
            self._encode_steps(chunk, first, encoder)
            first += len(chunk)

    def _encode_steps(self, steps: list[slice], first: int, encoder: Encoder) -> None:
        """Steps whose distributions are computed together, from the one of number `first` on."""
        model, here = self.model, Pixels(self, slice(steps[0].start, steps[-1].stop))
        value = self.flat.take(here.places)
        group = model.group_of.take(value)
        counts = [step.stop - step.start for step in steps]
        wide, places = here.group_places(group, np.repeat(first + np.arange(len(steps)), counts))
        arrays = [
            (here.cold, self.cold.groups.of(group[here.cold], here.cells[here.cold])),
            (here.warm, here.groups().of(group[here.warm])),
            (wide, places.of(model.place_of.take(value[wide]))),
        ]
        _put_by_steps(encoder, arrays, np.append(0, np.cumsum(counts)))

    def decode(self, decoder: Decoder) -> None:
        """Take all choices, and fill the flat array."""
        for number, step in enumerate(self.wave.steps()):
            here = Pixels(self, step)
            group = self._take_groups(decoder, here)
            value = self.model.first.take(group)
            wide, places = here.group_places(group, np.array([number]))
            value[wide] += decoder.take(len(wide), BITS, places.find)
            self.flat[here.places] = value
            self._warm_after(here.places[value > 0])
            self._note_values(step, number)

    def _take_groups(self, decoder: Decoder, here: "Pixels") -> np.ndarray:
        group = np.empty(len(here.places), np.int8)
        cells = here.cells[here.cold]
        group[here.cold] = decoder.take(
            len(cells), BITS, lambda piece, slots: self.cold.find(cells[piece], slots)
        )
        group[here.warm] = decoder.take(len(here.warm), BITS, here.groups().find)
        return group

    def _note_values(self, step: slice, number: int) -> None:
        """The values of a step are had since then, unless they were before."""
        if self.model.seen:
            at = self.wave.images[step], self.flat[self.wave.places[step]]
            self.since[at] = np.minimum(self.since[at], number)

    def _warm_after(self, at: np.ndarray) -> None:
        """Pixels that are not zero are neighbours of others."""
        for offset in self.offsets:
            self.warm[at - offset] = True

    def neighbours(self, places: np.ndarray, count: int) -> np.ndarray:
        """The values `(count, n)` of the nearest neighbours."""
        x = np.empty((count, len(places)), np.uint8)
        for values, offset in zip(x, self.offsets):
            self.flat.take(places + offset, out=values, mode="clip")
        return x


def _put_by_steps(
    encoder: Encoder,
    arrays: list[tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]],
    bounds: np.ndarray,
) -> None:
    """Arrays of (pixels, (starts, frequencies)), for each step those that belong to it.

    bounds: where each step begins among the pixels, and the end.
    """
    cuts = [np.searchsorted(pixels, bounds) for pixels, _ in arrays]
    for step in range(len(bounds) - 1):
        for cut, (_, (start, frequency)) in zip(cuts, arrays):
            some = slice(cut[step], cut[step + 1])
            encoder.put(start[some], frequency[some], BITS)


class Pixels:
    """Pixels whose neighbours are known, and their distributions. warm, cold: which are."""

    def __init__(self, coding: Coding, pixels: slice):
        wave, model = coding.wave, coding.model
        self.coding, self.model, self.pixels = coding, model, pixels
        self.places = wave.places[pixels]
        self.cells = model.cells(wave.rows[pixels], wave.columns[pixels])
        warm = coding.warm.take(self.places)
        self.warm, self.cold = np.flatnonzero(warm), np.flatnonzero(~warm)
        self.x = coding.neighbours(self.places.take(self.warm), len(coding.offsets))
        self.activations = model.activations(model.inputs(self.x), self.cells.take(self.warm))

    def groups(self) -> Frequencies:
        """Of the groups of the warm pixels."""
        return self.model.groups(self.activations, self.x)

    def group_places(self, group: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, Frequencies]:
        """The pixels whose group has several values, and the distribution of their places.

        step: `(n,)` the number of the step of each pixel, or one for all.
        """
        model, coding = self.model, self.coding
        wide = np.flatnonzero(model.is_wide.take(group))
        chosen = group.take(wide).astype(np.intp)
        x = coding.neighbours(self.places.take(wide), model.copies)
        had = self._had(wide, chosen, step) if model.seen else None
        return wide, model.group_places(self._activations_of(wide), chosen, x, had)

    def _activations_of(self, pixels: np.ndarray) -> np.ndarray:
        """a2 `(B, n)` of warm and cold pixels."""
        column = np.full(len(self.places), -1)
        column[self.warm] = np.arange(len(self.warm))
        at = column.take(pixels)
        a2 = np.empty((len(self.activations), len(pixels)), self.activations.dtype)
        of_cold = np.flatnonzero(at < 0)
        if len(self.warm):
            self.activations.take(at, axis=1, out=a2, mode="wrap")
        a2[:, of_cold] = self.coding.cold.activations.take(self.cells.take(pixels[of_cold]), axis=1)
        return a2

    def _had(self, pixels: np.ndarray, group: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Whether the image of each pixel has had the values of its group, `(P, n)`."""
        model, coding = self.model, self.coding
        values = model.first.take(group) + np.arange(len(model.valid))[:, None]
        image = coding.wave.images[self.pixels].take(pixels)
        since = coding.since[image, np.minimum(values, model.values - 1)]
        return since < (step.take(pixels) if len(step) > 1 else step)
