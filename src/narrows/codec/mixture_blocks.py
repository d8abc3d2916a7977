"""The pixels of a block of colours or of many values as choices, step by step of the wavefront (`mixture`).

A step is C arrays, one for each channel, in the order of coding; each in the order of the pixels in the step.
"""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from narrows.codec.logistics import BITS
from narrows.codec.mixture import Mixture, Surroundings
from narrows.codec.rans import Decoder, Encoder
from narrows.codec.wavefront import Wavefront, chunks

PROBED = 16  # rows and columns


class MixtureHead:
    """The distribution of the pixels of images of 1 to 4 channels; see `pixel_model`.

    tensors, options: of a model file, as `Mixture` takes them. Raises `DataError`.
    """

    bits_a_lane = 5_000

    def __init__(self, tensors: dict[str, np.ndarray], options: dict[str, Any]):
        self.model = Mixture(tensors, options)
        self.radius = self.model.radius

    def encode(self, wave: Wavefront, flat: np.ndarray, encoder: Encoder) -> None:
        planes = self.model.planes(flat)
        for steps in chunks(wave.steps()):
            here = slice(steps[0].start, steps[-1].stop)
            intervals = list(self._intervals(planes, flat, wave.places[here], wave.offsets))
            for step in steps:
                some = slice(step.start - here.start, step.stop - here.start)
                for start, frequency in intervals:
                    encoder.put(start[some], frequency[some], BITS)

    def _intervals(
        self, planes: np.ndarray, flat: np.ndarray, places: np.ndarray, offsets: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Start and frequency of each plane of pixels."""
        model = self.model
        around, y = Surroundings(model, planes, places, offsets), planes[places]
        for plane, channel in enumerate(model.order):
            value = flat[places, channel].astype(np.int64)
            base = value - y[:, plane].astype(np.int64)
            yield around.mixtures(plane, base).interval(value)
            if plane < model.channels - 1:
                around.know(plane, y[:, plane])

    def decode(self, wave: Wavefront, flat: np.ndarray, decoder: Decoder) -> None:
        planes = np.zeros(flat.shape, np.float32)
        offsets = wave.offsets
        for step in wave.steps():
            self._decode_step(planes, flat, wave.places[step], offsets, decoder)

    def _decode_step(
        self,
        planes: np.ndarray,
        flat: np.ndarray,
        places: np.ndarray,
        offsets: np.ndarray,
        decoder: Decoder,
    ) -> None:
        """Take the channels of some pixels, and fill both arrays."""
        model = self.model
        around = Surroundings(model, planes, places, offsets)
        zero = np.zeros(len(places), np.int64)
        values: list[np.ndarray] = []
        for plane, channel in enumerate(model.order):
            other = model.base[plane]
            base = values[other] if other >= 0 else zero
            found = decoder.take(len(places), BITS, around.mixtures(plane, base).find)
            values.append(found)
            flat[places, channel] = found
            planes[places, plane] = y = found - base
            if plane < model.channels - 1:
                around.know(plane, y)

    def probe(self) -> int:
        """CRC-32 of the starts and frequencies of an image of 16 x 16 pixels, plane by plane. The k-th value
        in the order of reading, in row r, is floor(V / 2 + ((40503 k mod 65536) - 32768) V / 2^(17 + r)).
        """
        values, channels = self.model.values, self.model.channels
        count = np.arange(PROBED * PROBED * channels).reshape(PROBED, PROBED, channels)
        far = (count * 40503 % 65536 - 32768) * values
        row = np.arange(PROBED)[:, None, None]
        image = (far + (values << (16 + row))) >> (17 + row)
        wave = Wavefront([(PROBED, PROBED)], self.radius)
        flat = wave.lay_out([image])
        found = self._intervals(self.model.planes(flat), flat, wave.places, wave.offsets)
        return zlib.crc32(np.array(list(found)).astype("<i4").tobytes())
