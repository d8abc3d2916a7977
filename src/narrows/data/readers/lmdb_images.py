"""LMDB: encoded images by key, as LSUN, text recognition and Caffe keep them.

    any key       an encoded file (PNG, JPEG, WebP, ...), or Caffe's `Datum`, which may have a label
    image-1       an image, whose text is under label-1

Values are read in the order of their keys. Pickles are refused: to read one is to run it. A set is
a file `data.mdb` in a folder; of a folder with several, those whose names say train, val and test
are its splits. No library is needed (see `lmdb_pages`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.image_set import ImageSet, join_sets, refuse_parts
from narrows.data.readers.datum import parse_datum
from narrows.data.readers.decode import decode_all
from narrows.data.readers.folder import THREADED_FROM
from narrows.data.readers.image_files import picture_opener
from narrows.data.readers.lmdb_pages import LmdbFile, Value
from narrows.data.readers.pixels import Page, fitter
from narrows.data.readers.reading import Labels, labels_or_note
from narrows.data.readers.recognise_stores import lmdb_files
from narrows.data.share import Share
from narrows.errors import DataError
from narrows.reading import reading

COUNTS = (b"num-samples", b"length", b"__len__", b"__keys__")  # keys that are not of images
TEXT = (b"image-", b"label-")  # the beginnings of the keys of an image and of its text
PICKLE = re.compile(rb"\x80[\x02-\x05].*\.", re.DOTALL)
LEADS_OUT = re.compile(r"(^|/)\.\.(/|$)|^/|\0")


def lmdb_has_split(path: Path, split: str) -> bool:
    """Whether a folder holds one file a split, and has this one."""
    return split in lmdb_files(path)


def read_lmdb(
    path: Path,
    split: str = "all",
    size: Any = None,
    fit: str = "crop",
    grey: bool = False,
    strict: bool = False,
    share: Share | None = None,
    mode: str = "",
) -> ImageSet:
    """The images of an LMDB file. Options: see `folder.read_folder`. Raises `DataError`."""
    files = lmdb_files(path) or {"": path}
    if "" in files:
        refuse_parts(path, split)
    elif split != "all" and split not in files:
        raise DataError(f"{path} has no {split} split, only {' and '.join(files)}")
    chosen = [file for part, file in files.items() if split in (part, "all") or not part]
    if share and len(chosen) == 1:
        return _read(chosen[0], size, fit, grey, strict, mode, share)
    images = join_sets([_read(file, size, fit, grey, strict, mode) for file in chosen])
    return share.take(images) if share else images


@dataclass
class _Decoder:
    """Opens values as pictures, and keeps the labels of those that have one."""

    file: LmdbFile
    size: Any
    fit: str
    grey: bool
    labels: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self):
        self.to_size = fitter(self.size, self.fit)
        self.open_file = picture_opener(self.size, self.fit, self.grey)

    def open(self, value: Value) -> Iterator[Page]:
        data = self.file[value]
        datum = parse_datum(data)
        if datum is None:
            return self._decode(data)
        if datum.label is not None:
            self.labels[value.key] = datum.label
        if isinstance(datum.image, bytes):
            return self._decode(datum.image)
        return iter([Page(self.to_size(datum.image))])

    def _decode(self, data: bytes) -> Iterator[Page]:
        if PICKLE.fullmatch(data):
            raise DataError("it is a pickled object, which could run code; expected encoded images")
        return self.open_file(data)


def _read(
    path: Path,
    size: Any,
    fit: str,
    grey: bool,
    strict: bool,
    mode: str,
    share: Share | None = None,
) -> ImageSet:
    with reading(path, fault="cannot be read as LMDB"):
        file = LmdbFile(path)
        every, texts = _images_and_texts(file)
    if not every:
        raise DataError(f"{path} holds no images")
    decoder = _Decoder(file, size, fit, grey)
    threads = sum(value.stop - value.start for value in every) >= THREADED_FROM * len(every)
    span, values = None, every
    if share is not None:
        span = share.span_of_files(map(_name, values))
        values = values[span.rows]
    least = 0 if share else 1
    decoded = decode_all(path, values, decoder.open, _name, threads, strict, least, mode)
    labels = _labels(path, decoded.items, decoder, texts, every)
    return ImageSet(
        images=decoded.images,
        labels=labels.values,
        names=decoded.names,
        classes=labels.classes,
        source=f"the LMDB {path}",
        skipped=decoded.skipped,
        span=span,
        levels=decoded.levels,
        notes=(*labels.notes, *decoded.notes),
    )


def _images_and_texts(file: LmdbFile) -> tuple[list[Value], dict[bytes, Value]]:
    """The images of a file, and the texts that belong to them, by their keys."""
    values = [value for value in file if value.key not in COUNTS]
    texts = {value.key: value for value in values if value.key.startswith(TEXT[1])}
    of_text = [value for value in values if value.key.startswith(TEXT[0])]
    is_all = bool(texts) and len(of_text) + len(texts) == len(values)
    return of_text if is_all else values, texts


def _name(value: Value) -> str:
    """A key as text; what leads out of a folder, as its bytes."""
    text = value.key.decode("utf-8", "backslashreplace")
    return value.key.hex() if LEADS_OUT.search(text) else text


def _labels(
    path: Path,
    values: Sequence[Value],
    decoder: _Decoder,
    texts: dict[bytes, Value],
    every: Sequence[Value],
) -> Labels:
    """The labels of datums, or the texts that belong to images, if all have one.

    every: the images of all shares, whose texts are the classes.
    """
    if decoder.labels or not texts:
        return _as_labels(path, [decoder.labels.get(value.key) for value in values])
    keys = [value.key.replace(*TEXT, 1) for value in every]
    words = [
        decoder.file[texts[key]].decode("utf-8", "replace") if key in texts else None
        for key in keys
    ]
    labels = _as_labels(path, words)
    if labels.values is None:
        return labels
    place = {value.key: k for k, value in enumerate(every)}
    return labels._replace(values=labels.values[[place[value.key] for value in values]])


def _as_labels(path: Path, found: Sequence[int | str | None]) -> Labels:
    missing = sum(label is None for label in found)
    if missing == len(found):
        return Labels()
    if missing:
        return Labels(notes=(f"{path}: {missing:,} images have no label, so all are left out",))
    return labels_or_note(np.array(found), len(found), "of the images", path)
