"""What a network that is given the noise (`Body.takes_noise`) is given of its training images, if their
noise is their own, and no corruption knows it: an estimate of its line, as when it is used.

It is made once, before the training, and of complete pictures: a patch of 64 x 64 pixels has too few
flat places, so that its own estimate is 7 % too low on average with a deviation of 6 % (white noise of
σ = 25/255 on photographs), and that of a sub-image of it far worse, where a picture's is right to 1 %.
Patches of one picture are laid side by side, and share an estimate.
"""

from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.image_batches import ImageBatches
from narrows.measure.noise import estimate_noise
from narrows.model.progress_bar import progress_bar

MOST_PATCHES = 100  # of a picture, that its noise is estimated from


def with_known_noise(images: ImageBatches, groups: Any = None) -> ImageBatches:
    """The same images with the gain and the floor of the noise of each (`narrows.measure.noise`).

    groups: which images are patches of one picture, `(N,)`; None: each is a picture.
    """
    given = images.noisy or images
    noise = torch.empty(len(images), images.layout.image[2], 2)
    black, white = images.scale.bounds or (0.0, 1.0)
    pictures = list(_pictures(len(images), groups))
    with progress_bar("estimating the noise", len(pictures)) as advance:
        for members in pictures:
            picture = side_by_side(given, members, MOST_PATCHES)
            line = estimate_noise((picture - black) / (white - black))
            noise[members] = torch.stack([line.gain, line.floor], dim=-1)
            advance(lambda: "")
    known = copy(images)
    known.noise = noise.to(images.raw.device)
    return known


def _pictures(count: int, groups: Any) -> Iterator[Tensor]:
    """The places of the patches of each picture."""
    numbers = np.arange(count)
    if groups is not None:
        numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
    order = np.argsort(numbers, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
        yield torch.from_numpy(members)


def side_by_side(images: ImageBatches, members: Tensor, most: int) -> Tensor:
    """The images at these places, evenly spaced if they are more than `most`, as one picture
    `(1, C, H, n · W)`.
    """
    some = members[:: -(-len(members) // most)].to(images.raw.device)
    return torch.cat(list(images.batch(some).cpu()), dim=2)[None]
