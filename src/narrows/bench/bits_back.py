"""Bits-back coding: a variational autoencoder as a compressor without loss (BB-ANS).

A VAE has a prior p(z), a decoder p(x | z) and an encoder q(z | x). To send x with a stack of bits
(asymmetric numeral systems: the last symbol pushed is the first popped) the sender

    pops   z from the stack by q(z | x)     log 1/q(z | x) bits shorter: the "bits back"
    pushes x by p(x | z)                    log 1/p(x | z) bits longer
    pushes z by p(z)                        log 1/p(z) bits longer

which costs -log p(x | z) - log p(z) + log q(z | x), on average the negative ELBO. The receiver undoes the
steps in reverse order: pops z, pops x, pushes z by q(z | x). The stack starts with random bits, since the
first images have nothing to pop, and is these bits again when all images are back.

Here z = k δ with integers k, so that all three are distributions of integers (the width δ of the bins
cancels). The networks see `BATCH` images at once: z of all is popped, x of all pushed, z of all pushed.

It is a demonstration to compare with, not a file format: q(z | x) and p(x | z) come from networks in
floating point. Products of matrices of another size, by more threads or another processor, are rounded
differently, and then all images coded before that one come back as noise.

Reference: J. Townsend, T. Bird, D. Barber, "Practical lossless compression with latent variables using
bits back coding", ICLR 2019, https://arxiv.org/abs/1901.04866.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.bench.beta_binomial_vae import VAE, beta_binomial_table
from narrows.errors import DataError, extra

BATCH = 64  # images that the networks see at once
TABLES = 4  # images whose tables of probabilities are in memory at once
DELTA, FARTHEST = 1 / 64, 8  # the width of a bin of z, and its largest value
FIRST_WORDS = 1024  # random words of 32 bits at the bottom of the stack; 64 images of MNIST pop 650


class BitsBack:
    """The coder of a VAE. Raises `MissingExtra` without constriction."""

    def __init__(self, vae: VAE):
        stream = extra("constriction", "bench").stream
        most = round(FARTHEST / DELTA)
        self.vae, self.stack = vae, stream.stack.AnsCoder
        self.bins = stream.model.QuantizedGaussian(-most, most)
        self.tables = stream.model.Categorical(perfect=False)

    @torch.inference_mode()
    def encode(self, images: np.ndarray) -> bytes:
        """The stack after all images `(N, H, W)`, 32-bit words."""
        stack = self.stack(_first_words())
        for rows in _slices(len(images), BATCH):
            x = images[rows].reshape(len(images[rows]), -1)
            k = stack.decode(self.bins, *self._posterior(x))
            self._push_pixels(stack, x, k)
            stack.encode_reverse(k, self.bins, *_prior(len(k)))
        return stack.get_compressed().tobytes()

    @torch.inference_mode()
    def decode(self, data: bytes, shape: tuple[int, ...]) -> np.ndarray:
        """The images, of that shape. Raises `DataError` if the random bits do not come back."""
        stack = self.stack(np.frombuffer(data, np.uint32))
        images = np.empty((shape[0], math.prod(shape[1:])), np.uint8)
        for rows in reversed(_slices(shape[0], BATCH)):
            count = len(images[rows])
            k = stack.decode(self.bins, *_prior(count * self.vae.latents))
            images[rows] = self._pop_pixels(stack, k)
            stack.encode_reverse(k, self.bins, *self._posterior(images[rows]))
        if not np.array_equal(stack.get_compressed(), _first_words()):
            raise DataError("bits-back coding: the random bits at the beginning did not come back")
        return images.reshape(shape)

    def _posterior(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The means and deviations of all k of a batch, in bins."""
        mean, log_deviation = self.vae.posterior(torch.from_numpy(x).float())
        inside = mean.clamp(-FARTHEST, FARTHEST)
        return _flat(inside / DELTA), _flat(log_deviation.exp() / DELTA)

    def _push_pixels(self, stack: Any, x: np.ndarray, k: np.ndarray) -> None:
        a, b = self._pixels(k)
        for rows in reversed(_slices(len(x), TABLES)):
            symbols = x[rows].ravel().astype(np.int32)
            stack.encode_reverse(symbols, self.tables, _tables(a[rows], b[rows]))

    def _pop_pixels(self, stack: Any, k: np.ndarray) -> np.ndarray:
        a, b = self._pixels(k)
        parts = [
            stack.decode(self.tables, _tables(a[rows], b[rows])) for rows in _slices(len(a), TABLES)
        ]
        return np.concatenate(parts).reshape(a.shape)

    def _pixels(self, k: np.ndarray) -> tuple[Tensor, Tensor]:
        """α and β of all pixels of a batch, from its k."""
        return self.vae.pixels(torch.from_numpy(k).float().reshape(-1, self.vae.latents) * DELTA)


def _tables(a: Tensor, b: Tensor) -> np.ndarray:
    """`(images x pixels, 256)`, in float64: of float32, constriction 0.5 cannot code improbable values."""
    return beta_binomial_table(a, b).flatten(0, 1).double().numpy()


def _prior(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(count, np.float32), np.full(count, 1 / DELTA, np.float32)


def _flat(values: Tensor) -> np.ndarray:
    return values.flatten().numpy()


def _slices(count: int, step: int) -> list[slice]:
    return [slice(start, start + step) for start in range(0, count, step)]


def _first_words() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 2**32, FIRST_WORDS, np.uint32)
