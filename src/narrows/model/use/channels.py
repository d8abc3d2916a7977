"""The channels of pictures, and those of a model.

A model of colour gets a grey picture three times, and the mean of its channels comes back; a model of
grey gets a colour picture channel by channel; alpha that a model does not know is set aside and put
back.
"""

import numpy as np

from narrows.errors import ImageError
from narrows.levels import unit_values
from narrows.model.estimator.base import ImageModel


def with_channels(images: np.ndarray) -> np.ndarray:
    """Images as `(N, H, W, C)`."""
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise ImageError(
            f"got pictures of shape {images.shape}; expected (N, H, W) or (N, H, W, C)"
        )
    return images if images.ndim == 4 else images[..., None]


def join_channels(outputs: list[np.ndarray], channels: int) -> np.ndarray:
    """One output `(H, W, channels)`, from those of all channels or that of three equal ones."""
    if len(outputs) > 1:
        return np.concatenate(outputs, axis=2)
    if outputs[0].shape[2] > channels:
        return outputs[0].mean(2, keepdims=True)
    return outputs[0]


def parts_of(model: ImageModel, picture: np.ndarray) -> list[np.ndarray]:
    """A picture `(H, W, C)` as pictures in the model's channels."""
    colours, _ = split_alpha(model, picture)
    channels, expected = colours.shape[2], model.layout_.image[2]
    if channels == expected:
        return [colours]
    if expected == 1:
        return np.split(colours, channels, axis=2)
    if channels == 1 and expected == 3:
        return [np.repeat(colours, 3, axis=2)]
    raise ImageError(
        f"the picture has {picture.shape[2]} channels, which a model of {expected} cannot take"
    )


def split_alpha(model: ImageModel, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colours of a picture, and the channel of transparency that the model does not know, which
    has 0 channels if there is none.
    """
    channels = colour_channels(model, picture.shape[2])
    return picture[..., :channels], picture[..., channels:]


def colour_channels(model: ImageModel, channels: int) -> int:
    """How many of the channels of a picture the model works on: all but alpha that it does not know."""
    if channels in (2, 4) and channels != model.layout_.image[2]:
        return channels - 1
    return channels


def to_unit(model: ImageModel, picture: np.ndarray) -> np.ndarray:
    return unit_values(picture, model.levels_for(picture.dtype))
