"""Pictures that are larger than the images a model was fitted on, or have other channels.

A picture of H × W is covered by tiles of the model's h × w that overlap by half. What the model gives for them is
joined with weights that fall to next to nothing at a tile's edge, so that no seam shows:

    out(p) = Σ_t w(p - t) f(x_t)(p - t) / Σ_t w(p - t),      w(i, j) = sin²(π (i + ½) / h) sin²(π (j + ½) / w)

The places t are those of a regular grid, the last ones flush with the picture's edge: no pixel is made up. Where f
changes nothing, so does this.

Channels: a grey picture goes through a model of colour three times grey, and comes back as the mean; a colour picture
goes through a model of grey channel by channel; alpha that a model does not know is set aside and put back.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from narrows.errors import ImageError
from narrows.layout import WHITE_LEVELS
from narrows.model.estimator.base import ImageModel

Function = Callable[[np.ndarray], np.ndarray]
VALUES = 4_000_000  # of tiles in one go, so that a large picture's tiles are never all in memory


def process_tiled(model: ImageModel, images: Any, verb: str) -> np.ndarray:
    """`model.reconstruct` or `model.denoise` (`verb`) of pictures of any size, in their own form and type.

    images: `(N, H, W)` or `(N, H, W, C)`, at least as large as the images that the model was fitted on. Raises
    `ImageError` where they are smaller.
    """
    images = np.asarray(images)
    exact, out = _exactly(model, verb), np.empty_like(images)
    for picture, place in zip(_grid(images), _grid(out)):
        place[...] = _typed(_in_channels(model, picture, lambda x: tiled(exact, x, _size(model))), images.dtype)
    return out


def worst_tile_score(model: ImageModel, images: Any, kind: str | None = None) -> np.ndarray:
    """The anomaly score of pictures of any size `(N,)`: that of their oddest tile, and of their oddest channel.

    kind: as of `model.anomaly_score`.
    """
    found = []
    for picture in _grid(np.asarray(images)):
        scores: list[float] = []
        for part in _parts(model, picture):
            scores += [model.anomaly_score(_formed(model, x), kind).max() for _, x in _tiles(part, _size(model))]
        found.append(max(scores))
    return np.array(found, dtype=np.float32)


def error_map(model: ImageModel, images: Any) -> np.ndarray:
    """The squared error at each pixel of pictures of any size, summed over channels: float32 `(N, H, W)`."""
    given = _grid(np.asarray(images))
    found = np.empty(given.shape[:3], np.float32)
    for picture, place in zip(given, found):
        unit = picture / np.float32(WHITE_LEVELS.get(picture.dtype.name, 1))
        made = _in_channels(model, picture, lambda x: tiled(_exactly(model, "reconstruct"), x, _size(model)))
        place[...] = np.square(made - unit).sum(2)
    return found


def tiled(function: Function, picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`function` of tiles `(n, h, w, C)` of a picture `(H, W, C)`, joined: float32 `(H, W, C)`."""
    weight = np.outer(*map(_window, size))[..., None]
    total = np.zeros(picture.shape, np.float32)
    for places, x in _tiles(picture, size):
        for (top, left), tile in zip(places, function(x)):
            total[top : top + size[0], left : left + size[1]] += weight * tile
    down, across = (_seen(length, side) for length, side in zip(picture.shape, size))
    total /= down[:, None, None]
    total /= across[:, None]
    return total


def fits_model(model: ImageModel, shape: tuple[int, ...]) -> bool:
    """Whether pictures `(H, W)` or `(H, W, C)` are as large as the model's own images, and have their channels."""
    return (*shape, 1)[:3] == model.layout_.image


def _tiles(picture: np.ndarray, size: tuple[int, int]) -> Iterator[tuple[list[tuple[int, int]], np.ndarray]]:
    """Places and tiles `(n, h, w, C)` of a picture, some at a time."""
    height, width = size
    if picture.shape[0] < height or picture.shape[1] < width:
        raise ImageError(
            f"the picture has {picture.shape[0]} x {picture.shape[1]} pixels, the model needs {height} x {width}; "
            "bring it to that size first"
        )
    places = [(top, left) for top in _places(picture.shape[0], height) for left in _places(picture.shape[1], width)]
    step = max(1, VALUES // (height * width * picture.shape[2]))
    for start in range(0, len(places), step):
        some = places[start : start + step]
        yield some, np.stack([picture[top : top + height, left : left + width] for top, left in some])


def _places(length: int, side: int) -> list[int]:
    """Where tiles begin: every half a side, the last one flush with the end."""
    return [*range(0, length - side, max(1, side // 2)), length - side]


def _seen(length: int, side: int) -> np.ndarray:
    """The sum of the weights at each place of one direction."""
    total = np.zeros(length, np.float32)
    for start in _places(length, side):
        total[start : start + side] += _window(side)
    return total


def _window(side: int) -> np.ndarray:
    return np.sin(np.pi * (np.arange(side, dtype=np.float32) + 0.5) / side) ** 2


def _in_channels(model: ImageModel, picture: np.ndarray, function: Function) -> np.ndarray:
    """`function` of a picture `(H, W, C)` in the model's channels, and back; floats on [0, 1]."""
    kept = _alpha(model, picture)
    made = [function(part) for part in _parts(model, picture)]
    colours = picture.shape[2] - kept
    if len(made) == 1 and colours == picture.shape[2] == made[0].shape[2]:
        return made[0]
    out = made[0].mean(2, keepdims=True) if colours < model.layout_.image[2] else np.concatenate(made, axis=2)
    alpha = picture[..., colours:] / np.float32(WHITE_LEVELS.get(picture.dtype.name, 1))
    return np.concatenate([out, alpha], axis=2)


def _parts(model: ImageModel, picture: np.ndarray) -> list[np.ndarray]:
    """A picture `(H, W, C)` as pictures in the model's channels."""
    channels = model.layout_.image[2]
    colours = picture[..., : picture.shape[2] - _alpha(model, picture)]
    if colours.shape[2] == channels:
        return [colours]
    if channels == 1:
        return list(np.split(colours, colours.shape[2], axis=2))
    if colours.shape[2] == 1 and channels == 3:
        return [np.repeat(colours, 3, axis=2)]
    raise ImageError(f"the picture has {picture.shape[2]} channels, which a model of {channels} cannot take")


def _alpha(model: ImageModel, picture: np.ndarray) -> int:
    """Channels of transparency that the model does not know: 1 or 0."""
    return int(picture.shape[2] in (2, 4) and model.layout_.image[2] != picture.shape[2])


def _exactly(model: ImageModel, verb: str) -> Function:
    """The model's own verb, of tiles `(n, h, w, C)`: floats on [0, 1], neither clipped nor rounded."""
    function = getattr(model, verb)
    return lambda x: function(_formed(model, x), exact=True).reshape(x.shape)


def _grid(images: np.ndarray) -> np.ndarray:
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise ImageError(f"got pictures of shape {images.shape}; expected (N, H, W) or (N, H, W, C)")
    return images if images.ndim == 4 else images[..., None]


def _formed(model: ImageModel, x: np.ndarray) -> np.ndarray:
    """Tiles `(n, h, w, C)` in the form of the images that the model was fitted on."""
    return x.reshape(len(x), *model.layout_.given)


def _size(model: ImageModel) -> tuple[int, int]:
    return model.layout_.image[:2]


def _typed(unit: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats on [0, 1], clipped, and whole numbers where the pictures came so; `unit` is written over."""
    np.clip(unit, 0, 1, out=unit)
    if dtype.kind in "ub":
        np.rint(np.multiply(unit, WHITE_LEVELS[dtype.name], out=unit), out=unit)
    return unit.astype(dtype)
