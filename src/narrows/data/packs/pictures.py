"""The pictures of a pack, or of any tar of images, one after another, each in its own size and mode.

As `narrows.data.readers.picture_stream` of a folder; a set to train on is one array (`reader`).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from narrows.data.image_set import Span
from narrows.data.packs.reader import Pack, places_in_split
from narrows.data.readers.image_files import Axis, picture_opener
from narrows.data.readers.picture_stream import Picture, ignore_skipped, pictures_of
from narrows.data.readers.pixels import Page
from narrows.data.share import Share


class PackedPictures:
    """The pictures of a split of a pack. span: which of them are read, if only a share is asked for.

    Raises `DataError`, as `reader.Pack`.
    """

    def __init__(self, path: Path, split: str = "all", share: Share | None = None):
        self.pack = Pack(path)
        self.places = places_in_split(self.pack, split)
        self.span: Span | None = None
        if share is not None:
            self.span = share.span_of_files(map(self.pack.index.name, self.places))
            self.places = self.places[self.span.rows]

    def __len__(self) -> int:
        """How many files."""
        return len(self.places)

    def stream(
        self,
        size: Any = None,
        fit: str = "crop",
        grey: bool = False,
        strict: bool = False,
        axis: Axis = None,
        skip: Any = ignore_skipped,
    ) -> Iterator[Picture]:
        """One after another; options as of `picture_stream.stream_pictures`."""
        open_data = picture_opener(size, fit, grey, axis)

        def opened(place: int) -> Iterator[Page]:
            return open_data(self.pack.data(place))

        for name, reason in self.pack.index.skipped:
            skip(name, reason)
        sources = ((self.pack.index.name(place), partial(opened, place)) for place in self.places)
        return pictures_of(sources, self.pack.path, strict, skip)
