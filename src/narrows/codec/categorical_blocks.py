"""The pixels of a block of few values as choices, step by step of the wavefront (`categorical`).

A step is three arrays: the groups of the cold pixels, the groups of the others, the places of those of
either whose group has more than one value; each in the order of the pixels in the step.
"""

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from narrows.codec.categorical import Categorical
from narrows.codec.integers import BITS, Frequencies
from narrows.codec.rans import Decoder, Encoder
from narrows.codec.wavefront import Wavefront, neighbour_count

CHUNK = 1 << 14  # pixels whose distributions an encoder computes at once, at least
PROBED = 256


class CategoricalHead:
    """The distribution of the pixels of grey images of few values; see `pixel_model`.

    tensors, options: of a model file, as `Categorical` takes them. Raises `DataError`.
    """

    def __init__(self, tensors: dict[str, np.ndarray], options: dict[str, Any]):
        self.model = Categorical(tensors, options)
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
        a2 = model.activations(x.astype(np.uint8), at % len(model.bias_at))
        places = model.group_places(a2, at % len(model.sizes)).each
        values = np.concatenate([model.groups(a2).each, places]).T
        return zlib.crc32(values.astype("<i4").tobytes())


class Chosen(NamedTuple):
    """Starts and frequencies of what was chosen."""

    start: np.ndarray
    frequency: np.ndarray

    def replace(self, some: np.ndarray, by: Frequencies, symbols: np.ndarray) -> None:
        self.start[some], self.frequency[some] = by.of(symbols)

    def put(self, some: np.ndarray | slice, encoder: Encoder) -> None:
        encoder.put(self.start[some], self.frequency[some], BITS)


class Coding:
    """One block on its way into choices, or back.

    flat: `(length,)` values in the flat array of the wavefront; all pixels for `encode`, zeros for `decode`.
    """

    def __init__(self, model: Categorical, wave: Wavefront, flat: np.ndarray):
        self.model, self.wave, self.flat = model, wave, flat
        self.offsets = wave.offsets
        self.warm = np.zeros(wave.length, bool)  # places with a neighbour that is not zero
        self.cold = model.cold

    def encode(self, encoder: Encoder) -> None:
        """Put all choices."""
        self._warm_after(np.flatnonzero(self.flat))
        for steps in _chunks(self.wave.steps()):
            self._encode_steps(steps, encoder)

    def _encode_steps(self, steps: list[slice], encoder: Encoder) -> None:
        """Steps whose distributions are computed together."""
        first = steps[0].start
        pixels = slice(first, steps[-1].stop)
        at, cells = self._pixels(pixels)
        value, warm = self.flat[at], self.warm[at]
        activations = self._activations(at, cells, warm)
        groups, wide, places = self._chosen(value, cells, warm, activations)
        for step in steps:
            here = np.arange(step.start - first, step.stop - first)
            groups.put(here[~warm[here]], encoder)
            groups.put(here[warm[here]], encoder)
            places.put(slice(*np.searchsorted(wide, (here[0], here[-1] + 1))), encoder)

    def _chosen(
        self, value: np.ndarray, cells: np.ndarray, warm: np.ndarray, activations: np.ndarray
    ) -> tuple[Chosen, np.ndarray, Chosen]:
        """The groups of pixels; which of them have a place; these places."""
        group = self.model.group_of[value]
        groups = Chosen(*self.cold.groups.of(group, cells))
        groups.replace(warm, self.model.groups(activations[warm]), group[warm])
        wide = np.flatnonzero(self.model.sizes[group] > 1)
        places = self.model.group_places(activations[wide], group[wide])
        return groups, wide, Chosen(*places.of(self.model.place_of[value[wide]]))

    def decode(self, decoder: Decoder) -> None:
        """Take all choices, and fill the flat array."""
        for step in self.wave.steps():
            at, cells = self._pixels(step)
            warm = self.warm[at]
            activations = self._activations(at, cells, warm)
            group = self._groups(decoder, cells, warm, activations)
            value = self.model.first[group]
            wide = np.flatnonzero(self.model.sizes[group] > 1)
            places = self.model.group_places(activations[wide], group[wide])
            value[wide] += decoder.take(len(wide), BITS, places.find)
            self.flat[at] = value
            self._warm_after(at[value > 0])

    def _groups(
        self, decoder: Decoder, cells: np.ndarray, warm: np.ndarray, activations: np.ndarray
    ) -> np.ndarray:
        group = np.empty(len(cells), np.int8)
        cold_cells = cells[~warm]
        group[~warm] = decoder.take(
            len(cold_cells), BITS, lambda piece, slots: self.cold.find(cold_cells[piece], slots)
        )
        groups = self.model.groups(activations[warm])
        group[warm] = decoder.take(groups.each.shape[1], BITS, groups.find)
        return group

    def _pixels(self, pixels: slice) -> tuple[np.ndarray, np.ndarray]:
        """The places of pixels in the flat array, and in the cold table."""
        cells = self.model.cells(self.wave.rows[pixels], self.wave.columns[pixels])
        return self.wave.places[pixels], cells

    def _activations(self, at: np.ndarray, cells: np.ndarray, warm: np.ndarray) -> np.ndarray:
        """a2 `(n, B)` of pixels."""
        activations = self.cold.activations[cells]
        x = self.flat.take(at[warm][:, None] + self.offsets)
        activations[warm] = self.model.activations(x, cells[warm])
        return activations

    def _warm_after(self, at: np.ndarray) -> None:
        """Pixels that are not zero are neighbours of others."""
        after = at[:, None] - self.offsets
        self.warm[after[after < len(self.warm)]] = True


def _chunks(steps: list[slice]) -> Iterator[list[slice]]:
    """Steps in groups of at least `CHUNK` pixels, but for the last."""
    chunk: list[slice] = []
    for step in steps:
        chunk.append(step)
        if step.stop - chunk[0].start >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
