"""Penalties: costs that need more than one code: gradients, the output, the batch.

    contractive   weight · ‖J‖²,  J = ∂z/∂x̃, the squared Frobenius norm of the code's gradient, per image

The norm is exact for small codes, by one backward pass a unit. For larger ones it is estimated
without bias from random directions v with E[v vᵀ] = I (here ±1 each), since E‖vᵀJ‖² = ‖J‖² (M.
Hutchinson, 1989).

Reference: S. Rifai et al., "Contractive auto-encoders", ICML 2011,
https://icml.cc/Conferences/2011/papers/455_icmlpaper.pdf.
"""

import torch
from torch import Tensor

from narrows.errors import wrong
from narrows.parts.forward_pass import ForwardPass
from narrows.parts.term import Term
from narrows.randomness import KeyedRandom

EXACT_UNITS = 16  # up to this many the norm is exact


class Penalty:
    """The contract: `(forward, x, random)` to one value an image, `(N,)`, weighted.

    forward: the pass of the batch, with the code, the output and the images x̃ that the body was
    given. x: the clean images. name: of its term. needs_gradient: x̃ must carry gradients when it
    is encoded.
    """

    name = "penalty"
    needs_gradient = False

    @property
    def term(self) -> Term:
        """What is said of its term of the loss."""
        return Term(self.name, self.name.replace("_", " "))

    def __call__(self, forward: ForwardPass, x: Tensor, random: KeyedRandom) -> Tensor:
        raise NotImplementedError


class Contractive(Penalty):
    """weight · ‖∂z/∂x̃‖² per image; of a variational code, of its mean.

    weight: ≥ 0, next to a loss that is summed over the image. probes: random directions for codes
    of more than 16 units, ≥ 1; exact: True or False overrides that choice.
    """

    name = "contractive"
    needs_gradient = True

    def __init__(self, weight: float = 0.1, probes: int = 1, exact: bool | None = None):
        if not (weight >= 0):
            raise wrong("weight", weight, "a number ≥ 0")
        if not (probes >= 1):
            raise wrong("probes", probes, "an integer ≥ 1")
        self.weight, self.probes, self.exact = weight, probes, exact

    @property
    def term(self) -> Term:
        caption = f"{self.weight:g} · ‖∂z/∂x̃‖², the squared gradient of the code, of an image"
        return Term(self.name, "contractive penalty", "", caption)

    def __call__(self, forward: ForwardPass, x: Tensor, random: KeyedRandom) -> Tensor:
        z, given = forward.code.mean, forward.corrupted
        exact = self.exact
        if exact is None:
            exact = z.shape[1] <= EXACT_UNITS
        if exact:
            norms = [_squared_gradient(unit.sum(), given) for unit in z.unbind(1)]
            return self.weight * torch.stack(norms).sum(0)
        directions = [random.uniform("probe", z).sub(0.5).sign() for _ in range(self.probes)]
        norms = [_squared_gradient((z * v).sum(), given) for v in directions]
        return self.weight * torch.stack(norms).mean(0)


def _squared_gradient(scalar: Tensor, x: Tensor) -> Tensor:
    """‖∂ scalar / ∂x‖² of each image, `(N,)`."""
    (gradient,) = torch.autograd.grad(scalar, x, create_graph=True)
    return gradient.flatten(1).square().sum(1)


PENALTIES = {"contractive": Contractive}
