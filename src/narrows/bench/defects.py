"""Synthetic defects of textures: a crop → the crop with one defect, and where it is.

    scratch   a thin line, black or white, through which the texture still shows
    stain     a soft spot, brighter or darker
    hole      a disc of one brightness
    turned    a square, turned by a quarter
    smear     a square in which each row has its mean

A defect that cannot be seen, such as a turned square of sky, is drawn again: within its mask the
mean change is at least `VISIBLE` of the range from black to white. They are made for this comparison
alone, and no model chooses anything by them.
"""

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator
VISIBLE = 0.03
SIDES = (8, 18)  # pixels of a defect, from and below
EDGE = 4  # pixels around the crop, in which no defect begins
FAINT = 0.02  # of a stain's height, below which it has ended


def defect(crop: np.ndarray, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """A copy of a crop `(H, W)` in [0, 1] with a defect, float32, and its mask `(H, W)`, boolean."""
    while True:
        make = KINDS[rng.integers(len(KINDS))]
        side = int(rng.integers(*SIDES))
        y, x = (int(rng.integers(EDGE, length - side - EDGE + 1)) for length in crop.shape)
        changed, mask = make(crop, y, x, side, rng)
        changed = np.where(mask, changed.clip(0, 1), crop)
        if np.abs(changed - crop)[mask].mean() >= VISIBLE:
            return changed.astype(np.float32), mask


def scratch(crop: np.ndarray, y: int, x: int, side: int, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Opaque to 0.8 along its middle, softer one pixel away."""
    dy, dx = _from_centre(crop, y, x, side)
    angle = rng.uniform(0, np.pi)
    across = np.abs(dy * np.cos(angle) - dx * np.sin(angle))
    along = np.abs(dy * np.sin(angle) + dx * np.cos(angle))
    opacity = 0.8 * np.clip(1.5 - across, 0, 1) * (along < side)
    return crop * (1 - opacity) + opacity * rng.integers(2), opacity > 0


def stain(crop: np.ndarray, y: int, x: int, side: int, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """A bell of height 0.2 to 0.4."""
    dy, dx = _from_centre(crop, y, x, side)
    bell = np.exp(-(dy**2 + dx**2) / (2 * (side / 2.5) ** 2))
    return crop + bell * rng.choice([-1, 1]) * rng.uniform(0.2, 0.4), bell > FAINT


def hole(crop: np.ndarray, y: int, x: int, side: int, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """A quarter of the range brighter or darker than the crop's mean."""
    dy, dx = _from_centre(crop, y, x, side)
    brightness = crop.mean() + 0.25 * rng.choice([-1, 1])
    return np.full_like(crop, brightness), dy**2 + dx**2 < (side / 3) ** 2


def turned(crop: np.ndarray, y: int, x: int, side: int, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    return _square(crop, y, x, side, np.rot90)


def smear(crop: np.ndarray, y: int, x: int, side: int, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    return _square(crop, y, x, side, lambda piece: piece.mean(1, keepdims=True))


KINDS = (scratch, stain, hole, turned, smear)


def _square(
    crop: np.ndarray, y: int, x: int, side: int, change: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The crop with a changed square, and the square's mask."""
    mask = np.zeros(crop.shape, bool)
    mask[y : y + side, x : x + side] = True
    changed = crop.copy()
    changed[y : y + side, x : x + side] = change(crop[y : y + side, x : x + side])
    return changed, mask


def _from_centre(crop: np.ndarray, y: int, x: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """How far each pixel is from the middle of the square, down and to the right."""
    down, right = np.mgrid[: crop.shape[0], : crop.shape[1]]
    return down - y - (side - 1) / 2, right - x - (side - 1) / 2
