"""The pixels of a block of few values as choices, step by step of the wavefront (`categorical`).

A step is three arrays: the groups of the cold pixels, the groups of the others, the places of those of
either whose group has more than one value; each in the order of the pixels in the step.
"""

import zlib
from typing import Any, NamedTuple

import numpy as np

from narrows.codec.categorical import Categorical
from narrows.codec.integers import BITS, Frequencies
from narrows.codec.rans import Decoder, Encoder
from narrows.codec.wavefront import Wavefront, chunks, neighbour_count

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
        x = x.astype(np.uint8)
        a2 = model.activations(model.inputs(x), at % len(model.bias_at))
        had = (at + np.arange(len(model.valid))[:, None]) % 3 == 0
        places = model.group_places(a2, at % len(model.sizes), x, had).each
        near = model.group_of[x[:, : model.group_copies].T]
        values = np.concatenate([model.groups(a2, near).each, places]).T
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
        never = len(wave.bounds)
        self.since = np.full(
            (len(wave.sizes), model.values), never, np.int16
        )  # the step of each value

    def encode(self, encoder: Encoder) -> None:
        """Put all choices."""
        steps = self.wave.steps()
        self._warm_after(np.flatnonzero(self.flat))
        for number in reversed(range(len(steps))):
            self._note_values(steps[number], number)
        first = 0
        for chunk in chunks(steps):
            self._encode_steps(chunk, first, encoder)
            first += len(chunk)

    def _encode_steps(self, steps: list[slice], first: int, encoder: Encoder) -> None:
        """Steps whose distributions are computed together, from the one of number `first` on."""
        here = Pixels(self, slice(steps[0].start, steps[-1].stop))
        counts = [step.stop - step.start for step in steps]
        group, groups = self._chosen_groups(here)
        wide, places = here.group_places(group, first + np.repeat(np.arange(len(steps)), counts))
        in_wide = Chosen(*places.of(self.model.place_of[self.flat[here.places[wide]]]))
        for some in np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1]):
            groups.put(some[~here.warm[some]], encoder)
            groups.put(some[here.warm[some]], encoder)
            in_wide.put(slice(*np.searchsorted(wide, (some[0], some[-1] + 1))), encoder)

    def _chosen_groups(self, here: "Pixels") -> tuple[np.ndarray, Chosen]:
        """The groups of pixels, and their starts and frequencies."""
        group = self.model.group_of[self.flat[here.places]]
        chosen = Chosen(*self.cold.groups.of(group, here.cells))
        chosen.replace(here.warm, here.groups(), group[here.warm])
        return group, chosen

    def decode(self, decoder: Decoder) -> None:
        """Take all choices, and fill the flat array."""
        for number, step in enumerate(self.wave.steps()):
            here = Pixels(self, step)
            group = self._take_groups(decoder, here)
            value = self.model.first[group]
            wide, places = here.group_places(group, number)
            value[wide] += decoder.take(len(wide), BITS, places.find)
            self.flat[here.places] = value
            self._warm_after(here.places[value > 0])
            self._note_values(step, number)

    def _take_groups(self, decoder: Decoder, here: "Pixels") -> np.ndarray:
        group = np.empty(len(here.cells), np.int8)
        cells = here.cells[~here.warm]
        group[~here.warm] = decoder.take(
            len(cells), BITS, lambda piece, slots: self.cold.find(cells[piece], slots)
        )
        groups = here.groups()
        group[here.warm] = decoder.take(groups.each.shape[1], BITS, groups.find)
        return group

    def _note_values(self, step: slice, number: int) -> None:
        """The values of a step are had since then, unless they were before."""
        if self.model.seen:
            at = self.wave.images[step], self.flat[self.wave.places[step]]
            self.since[at] = np.minimum(self.since[at], number)

    def _warm_after(self, at: np.ndarray) -> None:
        """Pixels that are not zero are neighbours of others."""
        after = at[:, None] - self.offsets
        self.warm[after[after < len(self.warm)]] = True


class Pixels:
    """Pixels whose neighbours are known, and their distributions."""

    def __init__(self, coding: Coding, pixels: slice):
        wave = coding.wave
        self.coding, self.model = coding, coding.model
        self.images, self.places = wave.images[pixels], wave.places[pixels]
        self.cells = self.model.cells(wave.rows[pixels], wave.columns[pixels])
        self.warm = coding.warm[self.places]
        self.x = coding.flat.take(self.places[self.warm][:, None] + coding.offsets)
        inputs = self.model.inputs(self.x)
        self.warm_activations = self.model.activations(inputs, self.cells[self.warm])
        self.activations = coding.cold.activations.take(self.cells, axis=0)
        self.activations[self.warm] = self.warm_activations

    def groups(self) -> Frequencies:
        """Of the groups of the warm pixels."""
        near = self.model.group_of.take(self.x[:, : self.model.group_copies].T)
        return self.model.groups(self.warm_activations, near)

    def group_places(
        self, group: np.ndarray, step: np.ndarray | int
    ) -> tuple[np.ndarray, Frequencies]:
        """The pixels whose group has several values, and the distribution of their places."""
        wide = np.flatnonzero(self.model.sizes[group] > 1)
        chosen = group[wide]
        near = self.coding.offsets[: self.model.copies]
        x = self.coding.flat.take(self.places[wide][:, None] + near)
        values = self.model.first[chosen] + np.arange(len(self.model.valid))[:, None]
        since = self.coding.since[self.images[wide], np.minimum(values, self.model.values - 1)]
        had = since < (step[wide] if isinstance(step, np.ndarray) else step)
        return wide, self.model.group_places(self.activations[wide], chosen, x, had)
