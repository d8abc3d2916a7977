"""The table of corruptions, and the one that is made of others.

mixed    each image by one of several corruptions, chosen at random
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from narrows.choose import choose
from narrows.errors import BuildError, Faults, wrong
from narrows.parts.blind_spot import BlindSpot
from narrows.parts.corruption import (
    Corruption,
    GaussianNoise,
    JpegArtefacts,
    Masking,
    NoCorruption,
    NoisyPairs,
    PoissonNoise,
    SaltAndPepper,
    TwoShots,
)
from narrows.parts.noise import Bounds
from narrows.parts.recorruption import Recorruption
from narrows.parts.sensor import SensorNoise
from narrows.randomness import KeyedRandom


class MixedCorruption(Corruption):
    """Each image by one of several corruptions, which are equally likely.

    of: a list of corruptions, each a name or a dict of its kind and options.
    """

    def __init__(
        self, bounds: Bounds, of: Sequence[Any] = ("gaussian", "poisson", "salt-and-pepper", "jpeg")
    ):
        if not (isinstance(of, (list, tuple)) and len(of) > 0):
            raise wrong("of", of, "a list of corruptions")
        self.parts, faults = [], Faults("its corruptions")
        for spec in of:
            with faults.catch():
                part = choose("corruption", CORRUPTIONS, spec, bounds=bounds)
                if part.target == "noisy":
                    raise wrong("of", spec, "corruptions of clean images, in a mixture")
                if part.only_hidden:
                    raise wrong("only_hidden", True, "False in a mixture, which has no mask")
                if part.paired:
                    raise wrong("of", spec, "corruptions that make noise, in a mixture")
                self.parts.append(part)
        faults.stop(BuildError)

    def __call__(self, x: Tensor, random: KeyedRandom) -> tuple[Tensor, Tensor | None]:
        chosen = random.uniform("which", x[:, :1, :1, :1]) * len(self.parts)
        noisy = x
        # each of all images, so that ranks draw rows of the global batch
        for k, part in enumerate(self.parts):
            noisy = torch.where((chosen >= k) & (chosen < k + 1), part(x, random)[0], noisy)
        return noisy, None


CORRUPTIONS = {
    "none": NoCorruption,
    "gaussian": GaussianNoise,
    "masking": Masking,
    "salt-and-pepper": SaltAndPepper,
    "poisson": PoissonNoise,
    "jpeg": JpegArtefacts,
    "sensor": SensorNoise,
    "mixed": MixedCorruption,
    "pairs": NoisyPairs,
    "two-shots": TwoShots,
    "recorruption": Recorruption,
    "blind-spot": BlindSpot,
}
