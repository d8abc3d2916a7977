"""Objective: what training minimises, in named terms, one value an image.

    elbo    -log p(x | z) + Σ costs of the code + Σ penalties,   z ~ bottleneck(body(x̃)),  x̃ ~ corruption(x)
    root    √(-log p(x | z) + least) + the same; with the gaussian's default variance the length
            ‖x - m‖ of the error

Every term is summed over an image; their averages over images add up to the loss. With a
variational code, β = 1 and no corruption this is the negative ELBO in nats, up to the likelihood's
constant:

    -ELBO = E_q[-log p(x | z)] + KL(q(z|x) ‖ p(z)) ≥ -log p(x)

The root is for denoisers of many strengths of noise. The gradient of a square grows with the error,
so that the noisiest images dominate a batch, and the network never learns to leave almost clean
images alone; the gradient of a length has length one, so that every image counts alike. At noise of
one strength, the two differ little.

`neighbours` learns from noisy images alone, and `objectives` has the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor

from narrows.errors import wrong
from narrows.parts.bottleneck import Bottleneck
from narrows.parts.corruption import Corruption
from narrows.parts.forward_pass import ForwardPass
from narrows.parts.likelihood import Likelihood
from narrows.parts.penalty import Penalty
from narrows.parts.term import Term
from narrows.randomness import KeyedRandom

LossTerms = dict[str, Tensor]  # by name, `(N,)` each


class TrainedNetwork(Protocol):
    """What an objective asks of a network: its parts, and a forward pass `network(x, random)`."""

    @property
    def bottleneck(self) -> Bottleneck: ...
    @property
    def likelihood(self) -> Likelihood: ...
    @property
    def corruption(self) -> Corruption: ...
    @property
    def penalties(self) -> Sequence[Penalty]: ...
    @property
    def needs_gradient(self) -> bool: ...
    def __call__(self, *inputs: Any, **options: Any) -> Any: ...


class Objective:
    """The contract: `(network, x, random)` to the terms of the loss and the forward pass that they
    are of.

    A subclass gives `data`, its own terms, and declares them in `data_terms`. The costs of the code
    and the penalties are added here. One that needs more than one forward pass overrides `forward`.

    target, white_noise: as of a corruption. any_size: it gives the network images of other sizes than
    those that it was built for.
    """

    target = "clean"
    white_noise = False
    any_size = False
    data_terms: tuple[Term, ...] = ()
    # by the name of a term, what it is where -log p(x | z) is the squared error
    squared_error_captions: Mapping[str, str] = MappingProxyType({})

    def data(self, network: TrainedNetwork, forward: ForwardPass, x: Tensor) -> LossTerms:
        """The objective's own terms of the target `(N, C, H, W)`, each `(N,)`."""
        raise NotImplementedError

    def forward(
        self, network: TrainedNetwork, x: Tensor, random: KeyedRandom
    ) -> tuple[LossTerms, ForwardPass]:
        """Its own terms of images `(N, C, H, W)`, and the forward pass that they are of."""
        forward = network(x, random)
        return self.data(network, forward, forward.target), forward

    def __call__(
        self, network: TrainedNetwork, x: Tensor, random: KeyedRandom
    ) -> tuple[LossTerms, ForwardPass]:
        """All terms of a batch: the objective's own, the code's costs, the penalties; and the
        forward pass.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() or network.needs_gradient):
            terms, forward = self.forward(network, x, random)
            _add(terms, forward.code.terms)
            for penalty in network.penalties:
                _add(terms, {penalty.term.name: penalty(forward, forward.target, random)})
        return terms, forward

    def terms(self, network: TrainedNetwork) -> tuple[Term, ...]:
        """What is declared of the terms, in their order."""
        return (
            *(self._described(term, network.likelihood) for term in self.data_terms),
            *network.bottleneck.terms,
            *(penalty.term for penalty in network.penalties),
        )

    def _described(self, term: Term, likelihood: Likelihood) -> Term:
        """The term with the caption that is true of this likelihood."""
        more = self.squared_error_captions.get(term.name)
        if more is None or not likelihood.is_squared_error:
            return term
        return replace(term, caption=f"{term.caption}: {more}")


class Elbo(Objective):
    """The negative evidence lower bound: nll and the code's costs, in nats an image."""

    data_terms = (
        Term(
            "nll",
            "NLL",
            "nats an image",
            "-log p(x | z) of an image, without the likelihood's constant",
        ),
    )
    squared_error_captions = MappingProxyType({"nll": "here the squared error"})

    def data(self, network: TrainedNetwork, forward: ForwardPass, x: Tensor) -> LossTerms:
        return {"nll": image_nll(network, forward, x)}


class Root(Objective):
    """The root of the nll: the length of the error, for denoisers of many strengths.

    least: added under the root, > 0, so that its gradient is finite where the error is 0.
    """

    data_terms = (
        Term(
            "root",
            "length of the error",
            "",
            "√(-log p(x | z)) of an image",
            former="nll",
        ),
    )
    squared_error_captions = MappingProxyType({"root": "here ‖x - m‖ on the working scale"})

    def __init__(self, least: float = 1e-4):
        if not (least > 0):
            raise wrong("least", least, "a number > 0")
        self.least = least

    def data(self, network: TrainedNetwork, forward: ForwardPass, x: Tensor) -> LossTerms:
        return {"root": (image_nll(network, forward, x) + self.least).sqrt()}


def image_nll(network: TrainedNetwork, forward: ForwardPass, x: Tensor) -> Tensor:
    """-log p(x | z) of each image, `(N,)`, nats without the constant; of the hidden pixels alone if
    that is asked.
    """
    nll = network.likelihood.nll(forward.out, x)
    if forward.hidden is not None and network.corruption.only_hidden:
        nll = nll * forward.hidden
    return nll.sum((1, 2, 3))


def _add(terms: LossTerms, more: LossTerms) -> None:
    """Add terms to those that there are, none of which may be overwritten."""
    for name, value in more.items():
        if name in terms:
            cure = "rename it in the registered part"
            raise wrong("a term of the loss", name, "a name that no other term has", cure)
        terms[name] = value
