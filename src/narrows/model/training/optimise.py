"""Optimisers, and schedules of their learning rate (`lr`; files and commands may still call it `rate`).

A schedule maps the progress of the training, t in [0, 1], to a factor on the learning rate. It has
no state: a run that resumes at step s knows its learning rate from s alone.

    constant    1
    cosine      a rise over the first `warmup`, then final + (1 - final) ½ (1 + cos πt')
    one-cycle   a cosine rise from `start` to 1 over the first `warmup`, a cosine fall to `final`

Weight decay is Adam's own *coupled* one (λw added to the gradient) unless `decoupled` (AdamW: w
shrunk by lr · λ). Mind the units: with a loss summed over an image, a coupled weight is that
published with a mean per pixel, times the number of values. So is Adam's `eps`: a step is
m / (√v + eps), and where a gradient is small, eps decides whether a weight moves.

References: D. Kingma, J. Ba, "Adam", ICLR 2015, https://arxiv.org/abs/1412.6980; I. Loshchilov, F.
Hutter, "Decoupled weight decay regularization", ICLR 2019, https://arxiv.org/abs/1711.05101; L.
Smith, N. Topin, "Super-convergence", 2018, https://arxiv.org/abs/1708.07120.
"""

from collections.abc import Callable, Iterable
from math import cos, pi

from torch import nn, optim

from narrows.errors import wrong
from narrows.model.training.muon import Muon

Schedule = Callable[[float], float]


def adam(
    parameters: Iterable[nn.Parameter],
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> optim.Optimizer:
    """Adam, in its fused form if there is one. weight_decay: coupled unless `decoupled`. eps: see
    the module.
    """
    _require_positive("lr", lr)
    _require_not_negative("weight_decay", weight_decay)
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise wrong("betas", betas, "two numbers in [0, 1)")
    _require_positive("eps", eps)
    parameters = list(parameters)
    optimiser = optim.AdamW if decoupled else optim.Adam
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    first, second = betas  # of the mean of gradients, and of their squares
    return optimiser(
        parameters,
        lr=lr,
        betas=(first, second),
        eps=eps,
        weight_decay=weight_decay,
        fused=fused,
    )


def sgd(
    parameters: Iterable[nn.Parameter],
    lr: float = 1e-2,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
) -> optim.Optimizer:
    """Stochastic gradient descent with momentum; weight decay is coupled."""
    _require_positive("lr", lr)
    if not (0 <= momentum < 1):
        raise wrong("momentum", momentum, "a number in [0, 1)")
    _require_not_negative("weight_decay", weight_decay)
    return optim.SGD(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay)


def muon(
    parameters: Iterable[nn.Parameter], lr: float = 1e-2, weight_decay: float = 0.0
) -> optim.Optimizer:
    """Muon (`narrows.model.training.muon`): for networks without batch normalisation, as a rule faster
    than Adam. lr: of matrices. weight_decay: decoupled.
    """
    _require_positive("lr", lr)
    _require_not_negative("weight_decay", weight_decay)
    return Muon(parameters, lr=lr, weight_decay=weight_decay)


def _require_positive(name: str, value: float) -> None:
    if not (value > 0):
        raise wrong(name, value, "a number > 0")


def _require_not_negative(name: str, value: float) -> None:
    if not (value >= 0):
        raise wrong(name, value, "a number ≥ 0")


def constant() -> Schedule:
    """The same learning rate throughout."""
    return lambda t: 1.0


def cosine(warmup: float = 0.0, final: float = 0.0) -> Schedule:
    """A linear rise over the share `warmup` of the training, then half a cosine down to the factor
    `final`.
    """
    if not (0 <= warmup < 1):
        raise wrong("warmup", warmup, "a share in [0, 1)")

    def factor(t: float) -> float:
        if t < warmup:
            return t / warmup
        return _half_cosine(1.0, final, (t - warmup) / (1 - warmup))

    return factor


def one_cycle(warmup: float = 0.3, start: float = 0.04, final: float = 1e-4) -> Schedule:
    """From the factor `start` up to 1 over the share `warmup`, then down to `final`; both along
    half a cosine.
    """
    if not (0 < warmup < 1):
        raise wrong("warmup", warmup, "a share in (0, 1)")

    def factor(t: float) -> float:
        if t < warmup:
            return _half_cosine(start, 1.0, t / warmup)
        return _half_cosine(1.0, final, (t - warmup) / (1 - warmup))

    return factor


def _half_cosine(first: float, last: float, t: float) -> float:
    """From `first` at t = 0 to `last` at t = 1, and after."""
    return last + (first - last) * 0.5 * (1 + cos(pi * min(t, 1.0)))


OPTIMISERS = {"adam": adam, "sgd": sgd, "muon": muon}
SCHEDULES = {"constant": constant, "cosine": cosine, "one-cycle": one_cycle}
