"""TFRecord: a file of records, each an `Example` of TensorFlow, read without TensorFlow.

    record     uint64 length · uint32 sum of the length · the bytes · uint32 sum of the bytes
    sum        ((c >> 15 | c << 17) + 0xa282ead8) mod 2³²,  c the CRC-32C of the bytes (`crc32c`)

An `Example` is a message of protocol buffers, a map from names to lists (`examples`). The image is
under image/encoded, image or image_raw (or the option `array`): a picture file of its own, or else
pixels of 8 bits, of height, width and depth (image/height, ...), or square. The label is the integer
under image/class/label or label. Other options are those of a folder.

Reference: TensorFlow, TFRecord and tf.train.Example, https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isqrt, prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrows.data.image_set import ImageSet, refuse_parts
from narrows.data.readers.crc32c import crc32c, masked
from narrows.data.readers.decode import decode_all
from narrows.data.readers.examples import Features, parse_example
from narrows.data.readers.folder import THREADED_FROM
from narrows.data.readers.image_files import as_grey, picture_opener
from narrows.data.readers.pixels import Page, fitter
from narrows.data.readers.reading import Labels, labels_or_note, left_out, readable, set_of
from narrows.data.readers.recognise import HEAD, is_picture

HEADER, SUM = struct.Struct("<QI"), struct.Struct("<I")
CHECKED_AT_ONCE = 1024  # records
IMAGE_KEYS = ("image/encoded", "image", "image_raw")
LABEL_KEYS = ("image/class/label", "label")
SIZE_KEYS = ("height", "width", "depth")
SHORT = b"\xff\x0a"  # the signature of JPEG XL, with which raw pixels may begin too


class Record(NamedTuple):
    """Where the bytes of a record are."""

    start: int
    size: int

    def content(self, blob: mmap.mmap) -> bytes:
        return blob[self.start : self.start + self.size]


def read_tfrecord(
    path: Path,
    split: str = "all",
    array: str = "",
    size: Any = None,
    fit: str = "crop",
    grey: bool = False,
    strict: bool = False,
) -> ImageSet:
    """The images of the Examples in a file. array: the name of the feature that is the image.

    size, fit, grey, strict: see `folder.read_folder`. Raises `DataError`.
    """
    refuse_parts(path, split)
    with readable(path, "a TFRecord"), open(path, "rb") as file:
        blob = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        records = _records(blob)
        _refuse_damaged(blob, records)
    opener = _Opener(blob, records, array, size, fit, grey)
    threads = len(blob) / len(records) >= THREADED_FROM
    decoded = decode_all(path, range(len(records)), opener.open, _name, threads, strict)
    found = _labels([opener.labels[k] for k in decoded.items], path)
    images = set_of(decoded.images, found, path, f"the records in {path}")
    notes = (*images.notes, *decoded.notes)
    return replace(images, skipped=decoded.skipped, levels=decoded.levels, notes=notes)


@dataclass
class _Opener:
    """Opens the pictures of records, and keeps their labels."""

    blob: mmap.mmap
    records: list[Record]
    array: str
    size: Any
    fit: str
    grey: bool
    labels: dict[int, list[Any]] = field(default_factory=dict)

    def __post_init__(self):
        self.to_size = fitter(self.size, self.fit)
        self.open_file = picture_opener(self.size, self.fit, self.grey)

    def open(self, k: int) -> Iterator[Page]:
        features = parse_example(self.records[k].content(self.blob))
        self.labels[k] = next((features[key] for key in LABEL_KEYS if key in features), [])
        content = _content(features, self.array)
        shape = _raw_shape(features, content)
        if _is_encoded(content, shape):
            return self.open_file(content)
        page = Page(self.to_size(_pixels(content, shape)))
        return iter([as_grey(page) if self.grey else page])


def _records(blob: mmap.mmap) -> list[Record]:
    """Where the records are; the sum of each length is checked. Raises `ValueError`."""
    records = []
    place = 0
    while place < len(blob):
        head = blob[place : place + HEADER.size]
        if len(head) < HEADER.size:
            raise ValueError(f"it ends within record {len(records)}")
        length, checksum = HEADER.unpack(head)
        # the CRC-32C of eight bytes
        if int(masked(crc32c([head[:8]]))[0]) != checksum:
            raise ValueError(f"the length of record {len(records)} is damaged")
        record = Record(place + HEADER.size, length)
        place = record.start + length + SUM.size
        if place > len(blob):
            raise ValueError(f"it is cut short within record {len(records)}")
        records.append(record)
    return records


def _refuse_damaged(blob: mmap.mmap, records: list[Record]) -> None:
    """Refuse records whose bytes have not the sum that follows them: `ValueError`."""
    for first in range(0, len(records), CHECKED_AT_ONCE):
        some = records[first : first + CHECKED_AT_ONCE]
        stored = [SUM.unpack_from(blob, record.start + record.size)[0] for record in some]
        damaged = np.flatnonzero(masked(crc32c([r.content(blob) for r in some])) != stored)
        if len(damaged):
            raise ValueError(f"the bytes of record {first + damaged[0]} are damaged")


def _name(k: int) -> str:
    return f"record {k}"


def _labels(labels: list[list[Any]], path: Path) -> Labels:
    if not all(len(label) == 1 and isinstance(label[0], int) for label in labels):
        if any(labels):
            return left_out("label", path, "not one integer in each record")
        return Labels()
    return labels_or_note(np.array(labels)[:, 0], len(labels), "label", path)


def _content(features: Features, array: str) -> bytes:
    """The bytes of the picture in an Example. Raises `ValueError`."""
    keys = (array,) if array else IMAGE_KEYS
    key = next((key for key in keys if features.get(key)), "")
    if not key or not isinstance(features[key][0], bytes):
        raise ValueError(f"it has no image under {', '.join(keys)}, only {', '.join(features)}")
    return features[key][0]


def _raw_shape(features: Features, content: bytes) -> list[int]:
    """The shape of raw pixels: as the Example says, or square."""
    sizes = [features.get(name) or features.get(f"image/{name}") for name in SIZE_KEYS]
    numbers = [size[0] for size in sizes if size and isinstance(size[0], int)]
    return numbers or [isqrt(len(content))] * 2


def _is_encoded(content: bytes, shape: list[int]) -> bool:
    """Whether the bytes are a picture file, not raw pixels of that shape."""
    has_signature = is_picture(Path(), content[:HEAD]) and not content.startswith(SHORT)
    return has_signature or prod(shape) != len(content)


def _pixels(content: bytes, shape: list[int]) -> np.ndarray:
    pixels = np.frombuffer(content, np.uint8).reshape(shape)
    return pixels[..., 0] if shape[2:] == [1] else pixels
