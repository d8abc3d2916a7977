"""What of a set of images is one file.

    each      an image is a file
    sprite    all images of one shape are one picture (`sprites`)
    stream    all images, one after another, are one array of bytes, for general compressors

A set is `(N, H, W)`, `(N, H, W, 3)`, or a list of images of different sizes. The files and the shapes of
the images give the set back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from narrows.codec.classical import Codec
from narrows.codec.sprites import Shape, from_sprites, grids, sprites

Images = np.ndarray | Sequence[np.ndarray]


@dataclass(frozen=True)
class Arrangement:
    """pictures: what is encoded of a set; shapes: the shapes of these, from the shapes of the images;
    images: the images again, from what was decoded and their shapes. Each gets the largest side of a
    picture, too.
    """

    pictures: Callable[[Images, int], Images]
    shapes: Callable[[Sequence[Shape], int], Sequence[Shape]]
    images: Callable[[Sequence[np.ndarray], Sequence[Shape], int], Images]


def _as_stream(images: Images, most: int) -> Images:
    return [np.concatenate([image.ravel() for image in images])]


def _from_stream(streams: Sequence[np.ndarray], shapes: Sequence[Shape], most: int) -> Images:
    ends = np.cumsum([prod(shape) for shape in shapes])
    parts = np.split(streams[0], ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes)]


ARRANGEMENTS = {
    "each": Arrangement(
        lambda images, most: images,
        lambda shapes, most: shapes,
        lambda pictures, shapes, most: pictures,
    ),
    "sprite": Arrangement(
        lambda images, most: sprites(list(images), most),
        lambda shapes, most: [grid.picture for grid in grids(shapes, most)],
        from_sprites,
    ),
    "stream": Arrangement(
        _as_stream, lambda shapes, most: [(sum(map(prod, shapes)),)], _from_stream
    ),
}


def encode(codec: Codec, images: Images, arrangement: str = "each") -> list[bytes]:
    """The files of a set."""
    pictures = ARRANGEMENTS[arrangement].pictures(images, codec.side)
    return [codec.encode(picture) for picture in pictures]


def shapes_of(codec: Codec, shapes: Sequence[Shape], arrangement: str = "each") -> Sequence[Shape]:
    """The shapes of the pictures of which the files of a set are."""
    return ARRANGEMENTS[arrangement].shapes(shapes, codec.side)


def decode(
    codec: Codec, files: Sequence[bytes], shapes: Sequence[Shape], arrangement: str = "each"
) -> Images:
    """The images of these shapes, from their files."""
    parts = zip(files, shapes_of(codec, shapes, arrangement))
    pictures = [codec.decode(file, shape) for file, shape in parts]
    return ARRANGEMENTS[arrangement].images(pictures, shapes, codec.side)
