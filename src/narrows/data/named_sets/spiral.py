"""Points in the plane, where everything about a density can be seen.

Two arms of a spiral, of radius r = 0.08 + 0.37 t at the angle 3/2 π t + π arm, t ~ uniform(0, 1),
about (½, ½), with Gaussian noise of 0.008: a curve in the plane as the digits are a thin set among
all images, and its density has no closed form, but its noisy version's score has one (see
`study.pictures.theory`).
"""

import numpy as np

from narrows.data.image_set import ImageSet

SPIRAL_POINTS = {"train": 4000, "test": 1000}
SPIRAL_NOISE = 0.008


def spiral(split: str, seed: int = 0) -> ImageSet:
    """Points of a spiral with two arms, a table `(N, 2)` of float32 in [0, 1]: 4,000 to train,
    1,000 to test.

    Labels are the arms. seed: of the points; default 0.
    """
    random = np.random.default_rng((seed, split == "test"))
    arm = random.integers(0, 2, SPIRAL_POINTS[split])
    t = random.random(SPIRAL_POINTS[split])
    radius = 0.08 + 0.37 * t
    angle = 1.5 * np.pi * t + np.pi * arm
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = 0.5 + radius[:, None] * direction
    points += random.normal(0, SPIRAL_NOISE, points.shape)
    source = f"a spiral with two arms, {split} points"
    return ImageSet(points.astype(np.float32), arm, classes=("0", "1"), source=source)
