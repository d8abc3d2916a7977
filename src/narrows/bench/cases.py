"""The labs that are timed.

Each network is written again in plain torch, as in its report (with the last non-linearity inside
it), so that the other ways use nothing of Narrows. Tests check that the mathematics is the same:
with equal weights, cost and gradients agree.

    A          784-256-128 → 64 → 128-256-784, noise on the input
    C, D       784-400 → 20 or 2 (mean, log-variance) → 400-784
    E1, E2-64  784-512-256-128 → 30 → 128-256-784; 784 → 64 → 784
    E6-deconv  convolutions 8, 16, 16 with pooling; transposed ones back
    F          convolutions 128, 64, 32, 16 with stride 2, and back

Measured after an epoch: in A loss, PSNR and SSIM of 12,000 images, in D of 10,000 test images; in F
the loss of 6,000.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Cost = Callable[[Tensor, Tensor], Tensor]


class Net(nn.Module):
    """An encoder and a decoder; if `variational`, the encoder returns mean and log-variance,
    concatenated.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, variational: bool = False):
        super().__init__()
        self.encoder, self.decoder, self.variational = encoder, decoder, variational

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The reconstructions of images, and the cost of their codes, summed over the batch."""
        code, cost = self.encoder(x), torch.zeros(())
        if self.variational:
            mean, logvar = code.chunk(2, dim=1)
            cost = -0.5 * (1 + logvar - mean.pow(2) - logvar.exp()).sum()
            code = mean + torch.randn_like(mean) * torch.exp(0.5 * logvar)
        return self.decoder(code), cost


def linear(*widths: int, last: nn.Module) -> nn.Sequential:
    """Linear layers with relu between them, and `last` after the last."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1], last)


def variational(size: int) -> Net:
    return Net(
        linear(784, 400, 2 * size, last=nn.Identity()),
        linear(size, 400, 784, last=nn.Sigmoid()),
        True,
    )


def pooled() -> Net:
    """Lab E6, deconvolution."""
    down = [(1, 8), (8, 16), (16, 16)]
    encoder = [
        layer
        for a, b in down
        for layer in (nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    ]
    up = [
        nn.ConvTranspose2d(16, 16, 3, 2),
        nn.ConvTranspose2d(16, 8, 4, 2, 1),
        nn.ConvTranspose2d(8, 1, 4, 2, 1),
    ]
    return Net(
        nn.Sequential(*encoder),
        nn.Sequential(*(part for layer in up for part in (layer, nn.ReLU()))),
    )


def strided() -> Net:
    """Lab F, plain."""
    widths = [3, 128, 64, 32, 16]
    encoder = [part for a, b in pairwise(widths) for part in (nn.Conv2d(a, b, 3, 2, 1), nn.ReLU())]
    steps = zip(widths[::-1], widths[-2::-1], (1, 0, 1, 1))
    decoder = [
        part for a, b, out in steps for part in (nn.ConvTranspose2d(a, b, 3, 2, 1, out), nn.ReLU())
    ]
    return Net(nn.Sequential(*encoder), nn.Sequential(*decoder[:-1], nn.Sigmoid()))


def squared(out: Tensor, x: Tensor) -> Tensor:
    return F.mse_loss(out, x, reduction="sum")


def crossed(out: Tensor, x: Tensor) -> Tensor:
    return F.binary_cross_entropy(out, x, reduction="sum")


@dataclass(frozen=True)
class Case:
    """A lab as it is timed.

    cost: summed over a batch.
    per: what the report divides it by, besides the batch size ("pixel" or "image").
    evaluation: what is measured after each epoch: "loss", "images" (loss, PSNR and SSIM), or "" for
        nothing.
    held: the share of the training images held back for it; 0 takes the test images.
    span: black to white.
    notebook, floor: target speeds: times faster than the notebook (evaluation included), and at
        most this many times the floor (training alone).
    fast: the first, compiled in bf16; None if there is no target.
    """

    recipe: str
    net: Callable[[], Net]
    notebook: float
    floor: float
    fast: float | None = None
    cost: Cost = squared
    per: str = "pixel"
    batch: int = 256
    data: str = "mnist"
    flat: bool = True
    noise: float = 0.0
    span: tuple[float, float] = (0.0, 1.0)
    decay: float = 0.0
    evaluation: str = ""
    held: float = 0

    def split(self, count: int) -> int:
        """The number of training images, of `count` images."""
        return count - round(count * self.held)


def _deep() -> Net:
    return Net(
        linear(784, 512, 256, 128, 30, last=nn.ReLU()), linear(30, 128, 256, 784, last=nn.ReLU())
    )


def _compressor() -> Net:
    return Net(
        linear(784, 256, 128, 64, last=nn.Identity()), linear(64, 128, 256, 784, last=nn.Tanh())
    )


def _wide() -> Net:
    return Net(linear(784, 64, last=nn.ReLU()), linear(64, 784, last=nn.ReLU()))


CASES = {
    "A": Case("lab-a", _compressor, 5, 2.0, 7, batch=128, noise=0.3, span=(-1.0, 1.0),
              evaluation="images", held=0.2),
    "C": Case("lab-c", lambda: variational(20), 3.2, 1.7, 4.5, cost=crossed, per="image", batch=128),
    "D": Case("lab-d", lambda: variational(2), 3.5, 1.7, per="image", batch=128, evaluation="images"),
    "E1": Case("lab-e1", _deep, 2, 1.6),
    "E2-64": Case("lab-e2-64", _wide, 6, 2.5),
    "E6-deconv": Case("lab-e6-deconv", pooled, 2.3, 4, flat=False),
    "F": Case("lab-f-plain", strided, 1.3, 1.8, 1.5, batch=128, data="coloured-mnist", flat=False, noise=0.3,
              decay=1e-5, evaluation="loss", held=0.1),
}  # fmt: skip
