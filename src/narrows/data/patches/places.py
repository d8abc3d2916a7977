"""Where patches are cut: at random, by their standard deviation, without much overlap.

Most of a photograph is sky and wall, from which a denoiser learns little. A place (y, x), the upper
left corner of a patch, is drawn with the probability

    P(y, x) = max(σ(y, x), σ̄ / 10) / Σ max(σ, σ̄ / 10)

of the patches' standard deviations σ (`variance`) and their mean σ̄ in the picture: places are
chosen in proportion to their contrast, and flat ones are seen too, at a tenth of the mean rate at
least. This is sampling by importance, without weights in the loss that would undo it: the model is
trained for the distribution of patches that it is given. Places are drawn one after another; around
each, all that are nearer than the distance d,

    max(|y - y'|, |x - x'|) < d

have probability 0 from then on. With d = h/2, the default, two patches of one picture share at most
half of either side, and about 0.56 (H - h + d)(W - w + d) / d² of them fit into a picture (uniform σ).

A place is found by one random number u in [0, 1): row by row, it is the first at which the cumulative
sum of the probabilities exceeds u. The numbers belong to (seed, picture's name): other pictures, their
order, and how many workers there are change nothing.

References: K. Zhang et al., "Beyond a Gaussian denoiser: residual learning of deep CNN for image
denoising", IEEE TIP 26(7), 2017, https://arxiv.org/abs/1608.03981 (patches, cut evenly); A.
Katharopoulos and F. Fleuret, "Not all samples are created equal: deep learning with importance
sampling", ICML 2018, https://arxiv.org/abs/1803.00942.
"""

from collections.abc import Mapping

import numpy as np
import torch

from narrows.randomness import key_of

FLOOR = 0.1  # of the mean deviation

Place = tuple[int, int]  # y, x


def weights_of(sigma: np.ndarray) -> np.ndarray:
    """max(σ, σ̄ / 10); 1 everywhere in a flat picture; 0 where σ is NaN. `sigma` is written over."""
    usable = np.isfinite(sigma)
    mean = float(np.mean(sigma, where=usable, dtype=np.float64)) if usable.any() else 0.0
    sigma[~usable] = 0
    floor = np.float32(FLOOR * mean if mean > 0 else 1)
    return np.maximum(sigma, floor, out=sigma, where=usable)


def choose_places(
    weights: np.ndarray, count: int, distance: int, generator: torch.Generator
) -> list[Place]:
    """`count` places drawn in proportion to their weights, or fewer if no more fit, in reading order.

    weights: see `weights_of`; it is written over.
    """
    chosen: list[Place] = []
    of_rows = weights.sum(axis=1, dtype=np.float64)
    for u in torch.rand(count, generator=generator, dtype=torch.float64).tolist():
        if not of_rows.any():
            break
        y, rest = _first_beyond(of_rows, u * of_rows.sum())
        x, _ = _first_beyond(weights[y], rest)
        chosen.append((y, x))
        near = slice(max(0, y - distance + 1), y + distance)
        weights[near, max(0, x - distance + 1) : x + distance] = 0
        of_rows[near] = weights[near].sum(axis=1, dtype=np.float64)
    return sorted(chosen)


def _first_beyond(weights: np.ndarray, target: float) -> tuple[int, float]:
    """The first place at which the cumulative sum of weights exceeds a target, and what the target
    exceeds the sum before it by.
    """
    cumulative = np.cumsum(weights, dtype=np.float64)
    place = int(np.searchsorted(cumulative, target, side="right"))
    if place == len(weights):  # by rounding
        place = int(np.flatnonzero(weights)[-1])
    return place, target - float(cumulative[place] - weights[place])


def share_out(areas: Mapping[str, int], count: int, seed: int) -> dict[str, int]:
    """How many of `count` patches each picture gives: in proportion to its area.

    Shares are rounded down, and the largest remainders get what is left (Hamilton's method); equal
    ones in a random order.
    """
    total = sum(areas.values())
    shares = {name: count * area // total for name, area in areas.items()}
    left = count - sum(shares.values())

    def rank(name: str) -> tuple[int, int]:
        return -(count * areas[name] % total), key_of(seed, "share of patches", name)

    for name in sorted(areas, key=rank)[:left]:
        shares[name] += 1
    return shares
