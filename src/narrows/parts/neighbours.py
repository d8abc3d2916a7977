"""Neighbours: a denoiser from noisy images alone, each of which is made into two (Neighbor2Neighbor).

    y = x + noise                    the noise has mean 0, and is independent from pixel to pixel
    g₁ y, g₂ y                       half its size: two pixels of each cell of 2 x 2, drawn at random,
                                     one next to or above the other
    loss = -log p(g₂ y | f(g₁ y)) + γ ‖d - (g₁ f(y) - g₂ f(y))‖²,    d = f(g₁ y) - g₂ y

f is the network. g₁ y and g₂ y show nearly the same, with other noise: as the network cannot foresee
that of g₂ y, it learns to give what both have in common (noise to noise). They do not show quite the
same. For f(y) = x the expectation of d over the noise is g₁ x - g₂ x, by which neighbours differ
without noise, and the second term allows for it. f(y) is computed without gradient. Published are
γ = 2 for noise that was added, 16 for that of cameras, growing from 0 over the training.

If the noise of neighbours is correlated, the network can foresee it, and learns to keep it.

Reference: T. Huang et al., "Neighbor2Neighbor: self-supervised denoising from single noisy images",
CVPR 2021, https://arxiv.org/abs/2101.02824; J. Lehtinen et al., "Noise2Noise: learning image
restoration without clean data", ICML 2018, https://arxiv.org/abs/1803.04189.
"""

from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from narrows.errors import wrong
from narrows.parts.forward_pass import ForwardPass
from narrows.parts.objective import LossTerms, Objective, TrainedNetwork, image_nll
from narrows.parts.term import Term
from narrows.randomness import KeyedRandom

CELL = 2  # rows and columns of a cell, whose pixels are 0, 1 over 2, 3
COLUMN, ROW = 1, 2  # the bits of a pixel's number
PAIRS = 8  # a pixel of four, and one of its two neighbours in the cell


class Neighbours(Objective):
    """From noisy images alone: one of two neighbouring pixels is predicted from the other.

    weight: γ of the consistency, ≥ 0, next to a squared error; it may grow from 0 over the first
    `warmup` epochs.
    """

    target = "noisy"
    white_noise = True
    any_size = True
    data_terms = (
        Term(
            "nll", "NLL", "nats an image", "-log p(g₂ y | f(g₁ y)), of a noisy image's neighbours"
        ),
        Term("consistency", "consistency", "", "γ ‖f(g₁ y) - g₂ y - (g₁ f(y) - g₂ f(y))‖²"),
    )
    squared_error_captions = MappingProxyType({"nll": "here ‖f(g₁ y) - g₂ y‖²"})

    def __init__(self, weight: float = 2.0, warmup: float = 0.0):
        for what, number in (("weight", weight), ("warmup", warmup)):
            if not (number >= 0):
                raise wrong(what, number, "a number ≥ 0")
        self.weight, self.warmup = weight, warmup

    def forward(
        self, network: TrainedNetwork, x: Tensor, random: KeyedRandom
    ) -> tuple[LossTerms, ForwardPass]:
        first, second = draw_neighbours(x, random)
        with torch.no_grad():
            clean = network.likelihood.mean(network(x, random).out)
        expected = pixels_of(clean, first) - pixels_of(clean, second)
        given, target = pixels_of(x, first), pixels_of(x, second)
        forward = replace(network(given, random), target=target)
        difference = network.likelihood.mean(forward.out) - target
        consistency = (difference - expected).square().sum((1, 2, 3))
        terms = {
            "nll": image_nll(network, forward, target),
            "consistency": random.warm(self.weight, self.warmup) * consistency,
        }
        return terms, forward


def draw_neighbours(x: Tensor, random: KeyedRandom) -> tuple[Tensor, Tensor]:
    """Numbers 0 to 3 of two neighbouring pixels of each cell of images `(N, C, H, W)`: `(N, 1, 1, H / 2,
    W / 2)` each.
    """
    pair = (random.uniform("neighbours", _cells(x)[:, :1, :1]) * PAIRS).long()
    first = pair // 2
    second = first ^ torch.where(pair % 2 == 0, COLUMN, ROW)
    return first, second


def pixels_of(x: Tensor, numbers: Tensor) -> Tensor:
    """The pixel of that number of each cell, `(N, C, H / 2, W / 2)`."""
    cells = _cells(x)
    channels, (height, width) = cells.shape[1], cells.shape[3:]
    return cells.gather(2, numbers.expand(-1, channels, 1, height, width)).squeeze(2)


def _cells(x: Tensor) -> Tensor:
    """The pixels of each cell, `(N, C, 4, H / 2, W / 2)`; an odd row or column is left out."""
    height, width = (size // CELL for size in x.shape[2:])
    if not height * width:
        raise wrong("images", f"{x.shape[2]} x {x.shape[3]} pixels", "2 x 2 at least")
    even = x[..., : CELL * height, : CELL * width]
    return F.pixel_unshuffle(even, CELL).view(len(x), x.shape[1], CELL**2, height, width)
