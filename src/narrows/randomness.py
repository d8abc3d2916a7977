"""Random numbers that belong to a key, not to a history.

Every random draw is keyed. In training the key is (seed, epoch, step, purpose) and the draw is made
for the *global* batch: a run that resumes, or is spread over ranks that each take their rows, draws
the same numbers. In scoring the key is (seed, image, purpose): an image's noise depends on its
pixels, not on its place or its neighbours, so that scores repeat whatever the batch. torch's global
generators are never read or moved.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from hashlib import blake2b
from math import ceil, prod
from threading import RLock

import numpy as np
import torch
from torch import Tensor

Make = Callable[..., Tensor]  # (shape, generator, device) -> random numbers


def key_of(*parts: object) -> int:
    """A 63-bit number that belongs to `parts`: the same on every machine and in every process."""
    # numpy's 3 is the number 3
    plain = tuple(part.item() if isinstance(part, np.generic) else part for part in parts)
    digest = blake2b(repr(plain).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def keyed_generator(*parts: object, on: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own, seeded by `key(*parts)` (of which torch's CPU generator keeps 32 bits)."""
    return torch.Generator(on).manual_seed(key_of(*parts))


@contextmanager
def seeded_initialisation(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """torch's global generators under a seed of ours, for code that takes no generator; they are
    put back afterwards.

    Such code is torch's own initialisers, and modules of the user's. device: on which it draws,
    besides the CPU. One thread at a time: the generators belong to the process.
    """
    with _GLOBAL_GENERATORS:
        generators = _global_generators(torch.device(device))
        states = [generator.get_state() for generator in generators]
        try:
            for generator in generators:
                generator.manual_seed(key_of(seed, "initialise"))
            yield
        finally:
            for generator, state in zip(generators, states):
                generator.set_state(state)


_GLOBAL_GENERATORS = RLock()  # re-entrant, as a module may be built while another one is


def _global_generators(device: torch.device) -> list[torch.Generator]:
    """Those from which code without a generator draws: the CPU's, and that of `device`."""
    generators = [torch.default_generator]
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        generators.append(torch.cuda.default_generators[index])
    elif device.type == "mps":
        generators.append(torch.mps._get_default_mps_generator())
    return generators


class KeyedRandom:
    """The random numbers of one step.

    key: what they belong to, such as (seed, epoch, step).
    rows, total: this rank's rows of a global batch of `total` images; by default the batch is the
        whole.
    progress: how many epochs the training has seen, of those that were asked for, for costs that
        warm up; infinite outside of training.
    noisy: these images with noise that was not drawn here but came with them
        (`narrows.model.training.pairs`). noise: gain and floor of its variance, `(n, C, 2)`, if
        they are known (`narrows.model.training.known_noise`).
    """

    def __init__(
        self,
        *key: object,
        rows: slice = slice(None),
        total: int | None = None,
        progress: float = float("inf"),
        noisy: Tensor | None = None,
        noise: Tensor | None = None,
    ):
        self.key = key
        self.rows = rows
        self.total = total
        self.progress = progress
        self.noisy = noisy
        self.noise = noise
        self.streams: dict[tuple[str, torch.device], torch.Generator] = {}

    def normal(self, purpose: str, like: Tensor) -> Tensor:
        """Standard normal numbers, of the shape of `like`."""
        return self._rows(torch.randn, purpose, like)

    def uniform(self, purpose: str, like: Tensor) -> Tensor:
        """Uniform numbers in [0, 1), of the shape of `like`."""
        return self._rows(torch.rand, purpose, like)

    def chance(self, purpose: str, like: Tensor, chance: float) -> Tensor:
        """True with that chance (to 1/65536), of the shape of `like`: a quarter of the work of
        uniform numbers.
        """
        numbers, least = self._rows(_short, purpose, like), round((1 - chance) * 2**16) - 2**15
        if least >= 2**15:  # 16 bits would wrap around to the lowest numbers
            return torch.zeros_like(numbers, dtype=torch.bool)
        return numbers >= least

    def warm(self, weight: float, warmup: float) -> float:
        """A weight that grows from 0 over the first `warmup` epochs; its final value outside of
        training.
        """
        return weight * min(1.0, self.progress / warmup) if warmup else weight

    def restarted(self) -> "KeyedRandom":
        """The same random numbers, from the start."""
        other = copy(self)
        other.streams = {}
        return other

    def _rows(self, make: Make, purpose: str, like: Tensor) -> Tensor:
        place = (purpose, like.device)
        if place not in self.streams:
            self.streams[place] = keyed_generator(*self.key, purpose, on=like.device)
        shape = (self.total or len(like), *like.shape[1:])
        return make(shape, generator=self.streams[place], device=like.device)[self.rows]


class PerImageRandom(KeyedRandom):
    """Random numbers that belong to each image of a batch: keyed by (key, the image's pixels,
    purpose).
    """

    def __init__(self, images: Tensor, *key: object):
        super().__init__(*key)
        self.keys = image_keys(images)
        self.turns: Counter[str] = Counter()

    def _rows(self, make: Make, purpose: str, like: Tensor) -> Tensor:
        self.turns[purpose] += 1  # asked again, the numbers go on, as those of `Draw`
        salt = key_of(*self.key, purpose, self.turns[purpose])
        stream, shape = torch.Generator(), like.shape[1:]
        rows = []
        for image in self.keys:
            stream.manual_seed((salt ^ image) & 0xFFFFFFFFFFFF)
            rows.append(make(shape, generator=stream, device="cpu"))
        return torch.stack(rows).to(like.device)


def _short(shape: Sequence[int], generator: torch.Generator, device: torch.device | str) -> Tensor:
    """Integers of 16 bits, all as likely as each other: four of each number that the generator
    gives.
    """
    count = prod(shape)
    words = torch.empty(ceil(count / 4), dtype=torch.int64, device=device)
    words.random_(-(2**63), None, generator=generator)
    return words.view(torch.int16)[:count].view(shape)


def _odd_factors(count: int) -> Tensor:
    """Random odd numbers, the same for all images."""
    return torch.randint(2**62, (count,), generator=keyed_generator("fingerprint")) * 2 + 1


def image_keys(images: Tensor) -> list[int]:
    """A 63-bit number for each image `(N, ...)`, of its values to 12 bits after the point."""
    values = (images.detach().reshape(len(images), -1).cpu() * 4096).round().to(torch.int64)
    mixed = (values * _odd_factors(values.shape[1])).sum(1)  # modulo 2^64, as it must be
    return ((mixed ^ (mixed >> 29)) & 0x7FFFFFFFFFFFFFFF).tolist()
