"""A variational autoencoder whose pixels are beta-binomial: the model of `bits_back`.

    p(z) = N(0, I)                        q(z | x) = N(μ(x), diag σ(x)²)
    p(x | z) = Π C(255, x) B(x + α, 255 - x + β) / B(α, β)

with x one pixel of 8 bits, α and β of each from the decoder, B the beta function. The encoder (μ, log σ)
and the decoder (log α, log β) are networks of one hidden layer. It is trained by the negative ELBO with
one z of each image.
"""

import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from narrows.files import atomic

LEVELS = 255  # black to white
LATENTS, HIDDEN = 50, 400
EPOCHS, TRAINING_BATCH, LEARNING_RATE = 22, 128, 3e-3
LARGEST_NORM = 500.0  # of a gradient
LOG_RANGE = 8.0  # of α and β
LEAST_LOG = -40.0  # of p(x) / max p: exp of less than -87 is slow


class VAE(nn.Module):
    """Images of 8 bits, as rows `(N, D)`, D pixels."""

    def __init__(self, pixels: int, hidden: int = HIDDEN, latents: int = LATENTS):
        super().__init__()
        self.latents = latents
        self.encoder = _two_layers(pixels, hidden, 2 * latents)
        self.decoder = _two_layers(latents, hidden, 2 * pixels)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of z and the logarithm of its deviation: `(N, latents)` each."""
        mean, log_deviation = self.encoder(x / LEVELS).chunk(2, 1)
        return mean, log_deviation

    def pixels(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """α and β: `(N, D)` each."""
        log_a, log_b = self.decoder(z).clamp(-LOG_RANGE, LOG_RANGE).chunk(2, 1)
        return log_a.exp(), log_b.exp()

    def negative_elbo(self, x: Tensor) -> Tensor:
        """Nats of each image, with one z of each: `(N,)`."""
        mean, log_deviation = self.posterior(x)
        z = mean + log_deviation.exp() * torch.randn_like(mean)
        kl = (mean.square() + (2 * log_deviation).exp() - 1) / 2 - log_deviation
        return kl.sum(1) - log_beta_binomial(x, *self.pixels(z)).sum(1)


def _two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def log_beta_binomial(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """log p(x) of x in 0..255, by the logarithms of Γ."""
    choices = math.lgamma(LEVELS + 1) - torch.lgamma(x + 1) - torch.lgamma(LEVELS - x + 1)
    with_x = torch.lgamma(x + a) + torch.lgamma(LEVELS - x + b) - torch.lgamma(LEVELS + a + b)
    return choices + with_x + torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b)


def beta_binomial_table(a: Tensor, b: Tensor) -> Tensor:
    """p(0), ..., p(255) of each pixel but for a factor: `(..., 256)`, from the ratios

    p(k + 1) / p(k) = (255 - k) (k + α) / ((k + 1) (254 - k + β))
    """
    k = torch.arange(LEVELS)
    logs = torch.ones(*a.shape, LEVELS + 1)
    ratios = logs[..., 1:]
    torch.add(a[..., None], k, out=ratios)
    ratios.mul_((LEVELS - k) / (k + 1)).div_(b[..., None] + (LEVELS - 1 - k))
    torch.cumsum(logs.log_(), -1, out=logs)
    return logs.sub_(logs.amax(-1, keepdim=True)).clamp_(LEAST_LOG).exp_()


def train(images: np.ndarray, epochs: int = EPOCHS, seed: int = 0, **sizes: int) -> VAE:
    """A VAE of images `(N, H, W)` of uint8, by Adam with a learning rate that rises and falls. sizes:
    hidden, latents.
    """
    x = torch.from_numpy(images.reshape(len(images), -1))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vae = VAE(x.shape[1], **sizes)
        optimiser = torch.optim.Adam(vae.parameters())
        steps = epochs * math.ceil(len(x) / TRAINING_BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, LEARNING_RATE, steps, pct_start=0.1
        )
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(TRAINING_BATCH):
                optimiser.zero_grad()
                vae.negative_elbo(x[rows].float()).mean().backward()
                nn.utils.clip_grad_norm_(vae.parameters(), LARGEST_NORM)
                optimiser.step()
                schedule.step()
    return vae


def save(vae: VAE, path: Path) -> None:
    """The weights as a safetensors file."""
    with atomic(path) as temporary:
        save_file(vae.state_dict(), temporary)


def load(path: Path) -> VAE:
    """The VAE of such a file."""
    weights = load_file(path)
    hidden, pixels = weights["encoder.0.weight"].shape
    vae = VAE(pixels, hidden, len(weights["encoder.2.bias"]) // 2)
    vae.load_state_dict(weights)
    return vae
