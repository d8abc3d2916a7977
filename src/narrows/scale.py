"""The working scale: the one place that converts between images as given and what a network
computes on.

Inside, a batch is a float32 tensor `(N, C, H, W)` on the *working scale* of the model:

    unit = (raw - black) / (white - black)    0 and 255 for uint8, 0 and 1 for floats: `levels`
    working = (unit - offset) * gain

    unit        offset 0     gain 1      [0, 1]
    symmetric   offset 1/2   gain 2      [-1, 1]
    standard    offset mean  gain 1/std  each feature of a table by itself

Where brightness or contrast differ from image to image and mean nothing, the image sets its scale,
so that x and a x + b (a > 0) are the same to the network:

    each        offset μ       gain 1 / max(σ, 0.02)         μ, σ: of all pixels and channels
    local       offset μ(p)    gain 1 / max(σ(p), 0.02)      of those in a square window around p

The floor of the deviation is 5 of 255 grey levels: what varies less is noise, which must not be
blown up into contrast, and an image of one value, σ = 0, becomes 0. The window of `local` is half
as wide as the image's shorter side: narrower, and a defect would be the norm of its own
neighbourhood; wider, and shading across the image would stay. The image is continued by reflection,
so that μ and σ are of as many pixels at the edge as inside.

Such a scale has to be taken from the images at hand, `scale.of(unit)`, and what the network makes
of them goes back on that. Codes alone have no image: they are decoded on the typical scale of the
training images, the means of their μ and of their max(σ, 0.02), which a model keeps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from narrows.errors import unknown, wrong
from narrows.layout import LOOKED_AT, Layout
from narrows.levels import UNIT_LEVELS, from_unit_values
from narrows.mapped import in_parts

CONSTANT = 1e-9  # a feature whose deviation is less, against 1 + |mean|, is constant
FLOOR = 0.02  # of white: the least deviation that counts as contrast (see the module)
NARROWEST = 4  # pixels of the shorter side, below which a window of half of it holds 1 pixel
VALUES = 2**22  # whose moments are computed at once
PIXELS = (1, 2, 3)  # the dimensions of one image in (N, C, H, W)


def to_unit(raw: Tensor, layout: Layout) -> Tensor:
    """Values as they were given, `(N, *given)`, as float32 `(N, C, H, W)` in units of white."""
    images = raw.reshape(raw.shape[0], *layout.image)
    unit = images.permute(0, 3, 1, 2).float()  # in memory: channels last
    if layout.levels == UNIT_LEVELS:
        return unit
    if layout.levels.black:
        unit = unit - layout.levels.black
    unit = unit * (1 / layout.levels.span)
    return unit.clamp(0, 1) if layout.has_own_levels else unit


def as_given(images: Tensor, layout: Layout) -> Tensor:
    """Images `(N, C, H, W)` in the shape in which they were given, `(N, *given)`."""
    return images.permute(0, 2, 3, 1).reshape(images.shape[0], *layout.given)


def to_user(unit: Tensor, layout: Layout, exact: bool = False) -> np.ndarray:
    """Images `(N, C, H, W)` in units of white, in the shape, range and type in which they were
    given.

    exact: hand back floats as they are, neither clipped nor rounded.
    """
    values = as_given(unit.detach().cpu(), layout).numpy()
    if exact:
        return values
    dtype = np.dtype(layout.dtype)
    if layout.is_table and layout.levels == UNIT_LEVELS:
        return values.astype(dtype)
    return from_unit_values(np.array(values), dtype, layout.levels)


@dataclass(frozen=True)
class Scale:
    """The working scale: `working = (unit - offset) * gain` (see the module)."""

    name: str
    offset: float | Tensor
    gain: float | Tensor

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest value of an image on this scale; None if it has no bounds."""
        return SCALE_BOUNDS.get(self.name)

    @property
    def is_per_image(self) -> bool:
        """Whether each image sets its own."""
        return self.name in MOMENTS

    def of(self, unit: Tensor) -> "Scale":
        """The scale of these images, `(N, C, H, W)` in units of white: itself unless it is per image."""
        if not self.is_per_image:
            return self
        mean, deviation = MOMENTS[self.name](unit)
        return replace(self, offset=mean, gain=1 / deviation.clamp(min=FLOOR))

    def work(self, unit: Tensor) -> Tensor:
        """From units of white to the working scale."""
        if self.name == "unit":
            return unit
        return (unit - self.offset).mul_(self.gain)

    def unit(self, working: Tensor) -> Tensor:
        """From the working scale back to units of white."""
        if self.name == "unit":
            return working
        return working / self.gain + self.offset

    def rescale(self, working: Tensor) -> tuple[Tensor, "Scale"]:
        """Images on this scale, put on the one that they set themselves, and that scale."""
        unit = self.unit(working)
        scale = self.of(unit)
        return scale.work(unit), scale

    def to(self, device: torch.device) -> "Scale":
        if isinstance(self.offset, Tensor) and isinstance(self.gain, Tensor):
            return replace(self, offset=self.offset.to(device), gain=self.gain.to(device))
        return self


def image_moments(unit: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each image, `(N, 1, 1, 1)`."""
    first = unit[:, :1, :1, :1]
    rest = unit - first  # of an image of one value 0, so that its deviation is, without rounding
    mean = rest.mean(PIXELS, keepdim=True)
    deviation = (rest - mean).square().mean(PIXELS, keepdim=True).sqrt()
    return first + mean, deviation


def window_moments(unit: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation in the window around each pixel, over all channels, `(N, 1, H, W)`."""
    of_image, _ = image_moments(unit)
    rest = unit - of_image
    mean = _window_mean(rest.mean(1, keepdim=True))
    square = _window_mean(rest.square().mean(1, keepdim=True))
    return of_image + mean, (square - mean.square()).clamp(min=0).sqrt()


def _window_mean(x: Tensor) -> Tensor:
    """The mean in a square window around each pixel, about half as wide as the shorter side."""
    side = min(x.shape[-2:]) // 2 | 1  # odd, so that it has a middle
    x = pad(x, [side // 2] * 4, mode="reflect")
    return _running_mean(_running_mean(x, side, -2), side, -1)


def _running_mean(x: Tensor, side: int, dim: int) -> Tensor:
    """The mean of each `side` neighbours along a dimension: sums from its start, subtracted, which
    take as long for a wide window as for a narrow one.
    """
    total, count = x.cumsum(dim), x.shape[dim] - side + 1
    before = (total - x).narrow(dim, 0, count)
    return (total.narrow(dim, side - 1, count) - before) / side


SCALE_BOUNDS = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}
FIXED_SCALES = {"unit": Scale("unit", 0.0, 1.0), "symmetric": Scale("symmetric", 0.5, 2.0)}
MOMENTS = {"each": image_moments, "local": window_moments}  # of the scales that are per image
SCALES = ("auto", *FIXED_SCALES, "standard", *MOMENTS)


def choose_scale(name: str, array: np.ndarray, layout: Layout) -> Scale:
    """The scale of that name for these images. "auto": unit for images, standard for tables of floats."""
    if name not in SCALES:
        raise unknown("scale", name, SCALES)
    if name == "auto":
        name = "standard" if layout.is_table and layout.levels == UNIT_LEVELS else "unit"
    if name == "standard":
        return _standard_scale(array, layout)
    if name in MOMENTS:
        return _typical_scale(name, array, layout)
    return FIXED_SCALES[name]


def scale_without_images(name: str) -> Scale:
    """The scale as far as its name says it, which is enough to build a network."""
    if name in MOMENTS:
        return Scale(name, 0.0, 1.0)
    return FIXED_SCALES.get(name, FIXED_SCALES["unit"])


def fitted_shape(name: str, layout: Layout) -> tuple[int, int, int]:
    """The shape of the offset and of the gain of a fitted scale, such as `(C, H, W)`."""
    channels, height, width = layout.chw
    shapes = {"standard": (channels, height, width), "local": (1, height, width)}
    return shapes.get(name, (1, 1, 1))


class Variation(NamedTuple):
    """How much the light on the images of a set varies.

    brightness: the deviation of the images' means, against their mean deviation.
    contrast: the deviation of the images' deviations, against the same.
    """

    brightness: float
    contrast: float


def variation(array: np.ndarray, layout: Layout) -> Variation:
    """How much brightness and contrast vary among at most 1,000 of the images, evenly spaced: both 0
    if all have the same mean and deviation. A brightness of 1 says that images differ as much from
    one another as pixels within one.
    """
    moments = list(_moments("each", array, layout))
    means, deviations = (torch.cat(values).double().flatten() for values in zip(*moments))
    typical = deviations.mean()
    return Variation(*(float(v.std(correction=0) / typical) for v in (means, deviations)))


def share_of_light(array: np.ndarray, layout: Layout) -> float:
    """The share of the variance among images that their brightness and contrast explain, in [0, 1]:
    of at most 1,000 images, evenly spaced, fewer of large ones, by how much the summed variance of the
    pixels falls if all are brought to the same mean and deviation.
    """
    most = max(2, min(LOOKED_AT, 4 * VALUES // prod(layout.image)))
    few = np.ascontiguousarray(array[:: -(-len(array) // most)])
    unit = to_unit(torch.from_numpy(few.astype(few.dtype.newbyteorder("="))), layout)
    mean, deviation = image_moments(unit)
    own = Scale("each", mean, 1 / deviation.clamp(min=FLOOR))
    typical = Scale("each", mean.mean(), 1 / deviation.clamp(min=FLOOR).mean())
    levelled = typical.unit(own.work(unit))
    before, after = (float(x.var(0, correction=0).sum()) for x in (unit, levelled))
    return max(0.0, 1 - after / before) if before > 0 else 0.0


def _typical_scale(name: str, array: np.ndarray, layout: Layout) -> Scale:
    """The scale of each image, with the mean of these for what has no image of its own."""
    if layout.is_table:
        expected = "'auto', 'unit', 'symmetric' or 'standard' for a table"
        cure = "use scale='auto'; if the rows are the pixels of images, give image_shape=(H, W)"
        raise wrong("scale", name, expected, cure)
    if name == "local" and min(layout.image[:2]) < NARROWEST:
        expected = f"images of {NARROWEST} x {NARROWEST} pixels at least for 'local'"
        raise wrong("scale", layout.image[:2], expected, "use scale='each'")
    mean = deviation = torch.zeros(())
    count = 0
    for means, deviations in _moments(name, array, layout):  # maps of all images may be large
        mean, deviation = mean + means.double().sum(0), deviation + deviations.double().sum(0)
        count += len(means)
    return Scale(name, (mean / count).float(), (count / deviation).float())


def _moments(name: str, array: np.ndarray, layout: Layout) -> Iterator[tuple[Tensor, Tensor]]:
    """Means and deviations, at least the floor, of at most 1,000 images, evenly spaced."""
    step = -(-len(array) // LOOKED_AT)
    for _, images in in_parts(array[::step]):
        raw = torch.from_numpy(np.ascontiguousarray(images, images.dtype.newbyteorder("=")))
        for few in raw.split(max(1, VALUES // prod(layout.image))):
            mean, deviation = MOMENTS[name](to_unit(few, layout))
            yield mean, deviation.clamp(min=FLOOR)


def _standard_scale(array: np.ndarray, layout: Layout) -> Scale:
    """Each feature to mean 0 and deviation 1; one that is constant stays constant."""
    array = np.ascontiguousarray(array)  # the order in memory decides the last digits of a sum
    black, span = layout.levels.black, layout.levels.span
    mean = (array.mean(axis=0, dtype=np.float64) - black) / span
    std = array.std(axis=0, dtype=np.float64) / span
    varies = std > CONSTANT * (1 + abs(mean))
    gain = 1 / np.where(varies, std, 1.0)
    return Scale("standard", _feature_map(mean, layout), _feature_map(gain, layout))


def _feature_map(values: np.ndarray, layout: Layout) -> Tensor:
    """One value a feature, `(*given)`, as float32 `(C, H, W)`."""
    return torch.from_numpy(values).reshape(layout.image).permute(2, 0, 1).float()
