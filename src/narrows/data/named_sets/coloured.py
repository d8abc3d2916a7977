"""Grey images in colour: strokes in one random colour on black.

    x[n, i, j, c] = grey[n, i, j] * colour[n, c],     colour[n, c] ~ uniform(low, 1)

How bright the colours are decides the signal power (the mean of x squared, x in [0, 1]), and with
it every signal-to-noise ratio: for colours drawn for each image it is
E[grey^2] (1 + low + low^2) / 3.
"""

import numpy as np

from narrows.errors import DataError, unknown

COLOURED_BY = ("class", "image")
PAINTED_AT_ONCE = 4096  # images


def draw_colours(labels: np.ndarray, colour: str, low: float, seed: tuple[int, int]) -> np.ndarray:
    """One colour an image, float32 `(N, 3)` with channels in [low, 1].

    colour: "class" (images of one class share a colour, drawn from the first seed alone, so that it
        is the same in every split) or "image" (each image its own, drawn from both seeds).
    Raises `UnknownName` and `DataError`.
    """
    if colour not in COLOURED_BY:
        raise unknown("colour", colour, COLOURED_BY)
    if not 0 <= low <= 1:
        raise DataError(f"low: got {low!r}, expected a number from 0 to 1")
    if colour == "image":
        return np.random.default_rng(seed).uniform(low, 1, (len(labels), 3)).astype(np.float32)
    palette = np.random.default_rng(seed[0]).uniform(low, 1, (int(labels.max()) + 1, 3))
    return palette.astype(np.float32)[labels]


def paint(grey: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Grey images uint8 `(N, H, W)` in the colours `(N, 3)`: uint8 `(N, H, W, 3)`."""
    painted = np.empty((*grey.shape, 3), np.uint8)
    for start in range(0, len(grey), PAINTED_AT_ONCE):
        rows = slice(start, start + PAINTED_AT_ONCE)
        painted[rows] = np.rint(grey[rows, :, :, None] * colour[rows, None, None, :])
    return painted
