"""Random tensors that leave torch's global generator alone, and networks built from a few changed
parts.
"""

import pytest
import torch

from narrows.model.build import build
from narrows.model.network import Network
from narrows.scale import FIXED_SCALES, Scale

SCALES = FIXED_SCALES | {"standard": Scale("standard", 0.0, 1.0)}
PLAIN = {
    "corruption": "none",
    "body": "mlp",
    "bottleneck": {"kind": "plain", "size": 6},
    "up": "auto",
    "likelihood": "gaussian",
    "prior": "auto",
    "penalties": [],
}


@pytest.fixture(scope="session")
def some():
    """Uniform numbers in [0, 1), `some(*shape)`."""
    return lambda *shape, seed=0: torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="session")
def make():
    """A network of plain parts, but for those named."""

    def make(
        image: tuple[int, int, int] = (1, 9, 7), scale: str = "unit", seed: int = 0, **specs
    ) -> Network:
        return build(PLAIN | specs, image, SCALES[scale], seed)

    return make
