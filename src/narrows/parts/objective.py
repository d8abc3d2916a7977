"""Objective: what training makes small, in named terms, one value an image.

    elbo    -log p(x | z) + Σ costs of the code + Σ penalties,   z ~ bottleneck(body(x̃)),  x̃ ~ corruption(x)
    root    √(-log p(x | z)) + the same; with the gaussian's own variance the length of the error, ‖x - m‖

Every term is summed over an image; their averages over images add up to the loss. With a variational code, β = 1 and
no corruption this is the negative ELBO in nats, up to the likelihood's constant:

    -ELBO = E_q[-log p(x | z)] + KL(q(z|x) ‖ p(z)) ≥ -log p(x)

The root is for denoisers of many strengths of noise. The slope of a square grows with the error, so that a batch is
ruled by its noisiest images, and the network never learns to leave those alone that are almost clean; a length has a
slope of one length, and each image has its say. At noise of one strength, the two differ little.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from narrows.parts.forward_pass import ForwardPass
from narrows.randomness import KeyedRandom

Terms = dict[str, Tensor]
Objective = Callable[[Any, Tensor, KeyedRandom], tuple[Terms, ForwardPass]]
LEAST = 1e-4  # nats an image, under the root


def elbo(network: Any, x: Tensor, random: KeyedRandom) -> tuple[Terms, ForwardPass]:
    """The terms of a batch `(N, C, H, W)`, each `(N,)`: nll, the code's costs, the penalties; and the pass itself."""
    with torch.set_grad_enabled(torch.is_grad_enabled() or network.needs_gradient):
        done = network(x, random)
        nll = network.likelihood.nll(done.out, x)
        if done.hidden is not None and network.corruption.only_hidden:
            nll = nll * done.hidden
        terms = {"nll": nll.sum((1, 2, 3)), **done.code.terms}
        for penalty in network.penalties:
            terms[penalty.name] = penalty(done.code, done.corrupted, random)
    return terms, done


def root(network: Any, x: Tensor, random: KeyedRandom) -> tuple[Terms, ForwardPass]:
    """As `elbo`, with the root of the nll. LEAST keeps its slope finite where nothing is wrong."""
    terms, done = elbo(network, x, random)
    return {**terms, "nll": (terms["nll"] + LEAST).sqrt()}, done


OBJECTIVES: dict[str, Objective] = {"elbo": elbo, "root": root}
