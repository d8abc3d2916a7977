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
    images: the images again, from what was decoded and their shapes.
    """

    pictures: Callable[[Images], Images]
    shapes: Callable[[Sequence[Shape]], Sequence[Shape]]
    images: Callable[[Sequence[np.ndarray], Sequence[Shape]], Images]


def _as_stream(images: Images) -> Images:
    return [np.concatenate([image.ravel() for image in images])]


def _from_stream(streams: Sequence[np.ndarray], shapes: Sequence[Shape]) -> Images:
    ends = np.cumsum([prod(shape) for shape in shapes])
    parts = np.split(streams[0], ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes)]


ARRANGEMENTS = {
    "each": Arrangement(
        lambda images: images, lambda shapes: shapes, lambda pictures, shapes: pictures
    ),
    "sprite": Arrangement(
        lambda images: sprites(list(images)),
        lambda shapes: [grid.picture for grid in grids(shapes)],
        from_sprites,
    ),
    "stream": Arrangement(_as_stream, lambda shapes: [(sum(map(prod, shapes)),)], _from_stream),
}


def encode(codec: Codec, images: Images, arrangement: str = "each") -> list[bytes]:
    """The files of a set."""
    return [codec.encode(picture) for picture in ARRANGEMENTS[arrangement].pictures(images)]


def decode(
    codec: Codec, files: Sequence[bytes], shapes: Sequence[Shape], arrangement: str = "each"
) -> Images:
    """The images of these shapes, from their files."""
    way = ARRANGEMENTS[arrangement]
    pictures = [codec.decode(file, shape) for file, shape in zip(files, way.shapes(shapes))]
    return way.images(pictures, shapes)
