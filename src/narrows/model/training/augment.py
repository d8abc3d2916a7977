"""Augmentation: the images of a step, each changed at random in a way that leaves it an image.

    flips         one of the eight rotations and reflections of a square; of a rectangle, one of four
    colours       its three colours in another order
    brightness    times a factor from 0.6 to 1, towards black
    grey          with a chance of 0.6 its grey, in all three channels
    repeat        with a chance of 0.1 a piece of 2 x 2 to 12 x 12 pixels, again and again: stripes, tiles

They are those of training alone, not of validation. Random numbers belong to the step (`randomness`), so
that a resumed training changes the same images in the same way, and a noisy image as its clean one.
Images are `(N, C, H, W)` on the working scale.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from narrows.errors import unknown, wrong
from narrows.randomness import KeyedRandom

DARKEST = 0.6  # factor
GREY_CHANCE = 0.6
REPEAT_CHANCE = 0.1
SMALLEST, LARGEST = 2, 12  # rows and columns of a piece
COLOURS = 3
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue

Bounds = tuple[float, float] | None
Augment = Callable[[Tensor, KeyedRandom, Bounds], Tensor]


def flips(x: Tensor, random: KeyedRandom, bounds: Bounds) -> Tensor:
    """Mirrored, turned upside down, and if they are square transposed, each for half of the images."""
    half = [random.uniform(f"flip {axis}", x[:, :1, :1, :1]) < 0.5 for axis in range(3)]
    x = torch.where(half[0], x.flip(3), x)
    x = torch.where(half[1], x.flip(2), x)
    if x.shape[2] != x.shape[3]:
        return x
    return torch.where(half[2], x.transpose(2, 3), x)


def colours(x: Tensor, random: KeyedRandom, bounds: Bounds) -> Tensor:
    """Red, green and blue in any order; images of other channels as they are."""
    if x.shape[1] != COLOURS:
        return x
    order = random.uniform("colours", x[:, :, :1, :1]).argsort(1)
    return x.gather(1, order.expand(x.shape))


def brightness(x: Tensor, random: KeyedRandom, bounds: Bounds) -> Tensor:
    """Darker by one factor for all pixels of an image."""
    black = bounds[0] if bounds else 0.0
    factor = DARKEST + (1 - DARKEST) * random.uniform("brightness", x[:, :1, :1, :1])
    return black + (x - black) * factor


def grey(x: Tensor, random: KeyedRandom, bounds: Bounds) -> Tensor:
    """Some images without colours; those of other channels than three as they are."""
    if x.shape[1] != COLOURS:
        return x
    luma = (x * torch.tensor(LUMA, device=x.device).view(1, -1, 1, 1)).sum(1, keepdim=True)
    return torch.where(random.uniform("grey", x[:, :1, :1, :1]) < GREY_CHANCE, luma, x)


def repeat(x: Tensor, random: KeyedRandom, bounds: Bounds) -> Tensor:
    """Some images replaced by a small piece of them, repeated: at row i and column j is what was at row
    (i + a j) mod p and column j mod q, with a from -2 to 2, so that it may be slanted.
    """
    height, width = x.shape[2:]
    numbers = random.uniform("repeat", x[:, :1, :1, :1].expand(-1, 4, 1, 1))
    chance, p, q, a = numbers.unbind(1)
    p, q = (SMALLEST + (LARGEST + 1 - SMALLEST) * u for u in (p, q))
    p, q = p.long().clamp(max=height), q.long().clamp(max=width)
    i = torch.arange(height, device=x.device)[:, None]
    j = torch.arange(width, device=x.device)
    places = (i + ((5 * a).long() - 2) * j) % p * width + j % q
    repeated = x.flatten(2).gather(2, places.flatten(1)[:, None].expand(-1, x.shape[1], -1))
    return torch.where((chance < REPEAT_CHANCE)[:, None], repeated.view_as(x), x)


AUGMENTATIONS: dict[str, Augment] = {
    "flips": flips,
    "colours": colours,
    "brightness": brightness,
    "grey": grey,
    "repeat": repeat,
}

KEEP_NOISE = ("flips", "colours")  # see `keep_noise`


def keep_noise(names: Sequence[str]) -> bool:
    """Whether all of these leave the noise of an image as strong as it is."""
    return set(names) <= set(KEEP_NOISE)


def validate_augmentations(names: Sequence[str]) -> None:
    """Raises `UnknownName` for one that does not exist, `BuildError` for what is no list."""
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise wrong("augment", names, "a list of augmentations, such as ['flips']")
    for name in names:
        if name not in AUGMENTATIONS:
            raise unknown("augmentation", name, AUGMENTATIONS)


def augment(x: Tensor, names: Sequence[str], random: KeyedRandom, bounds: Bounds) -> Tensor:
    """Images `(N, C, H, W)`, changed by each of these in turn."""
    for name in names:
        x = AUGMENTATIONS[name](x, random, bounds)
    return x
