"""The network: parts, put together.

    x̃ = corruption(x)      h, side = body.encode(x̃)      code = bottleneck(h, prior)      out = up(z, side)

The build checks every name and option first and tells all faults at once; then it makes the parts in the order in
which they depend on each other, and refuses pairs that cannot work together.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from narrows.choose import name_of
from narrows.errors import BuildError, Faults, wrong
from narrows.measure import Table
from narrows.model.file_format import check_tensors
from narrows.parts.body import Body
from narrows.parts.bottleneck import Bottleneck
from narrows.parts.code import Code
from narrows.parts.corruption import Corruption
from narrows.parts.forward_pass import ForwardPass
from narrows.parts.kinds import KINDS
from narrows.parts.likelihood import Likelihood
from narrows.parts.penalty import Penalty
from narrows.parts.prior import Prior
from narrows.parts.register import as_body, as_up, custom_paths, refuse_instances
from narrows.parts.term import refuse_same_names
from narrows.parts.up import Up
from narrows.randomness import KeyedRandom, seeded_initialisation
from narrows.scale import Scale

GIVERS = {
    "switches": "{'kind': 'conv', 'stages': 'pooled'}",
    "skips": "'unet'",
}  # bodies that give what others do not


class Network(nn.Module):
    """Parts in their places. Images are `(N, C, H, W)` on the working scale."""

    def __init__(
        self,
        body: Body,
        bottleneck: Bottleneck,
        up: Up,
        likelihood: Likelihood,
        prior: Prior,
        corruption: Corruption,
        penalties: Sequence[Penalty] = (),
    ):
        super().__init__()
        self.body, self.bottleneck, self.up, self.prior = body, bottleneck, up, prior
        self.likelihood, self.corruption, self.penalties = likelihood, corruption, tuple(penalties)

    @property
    def code_size(self) -> int:
        """Numbers in the code of one image."""
        return prod(self.bottleneck.shape)

    @property
    def needs_gradient(self) -> bool:
        return any(penalty.needs_gradient for penalty in self.penalties)

    def encode(self, x: Tensor, random: KeyedRandom | None = None) -> tuple[Code, list[Tensor]]:
        """Images to their code and side channel; deterministic without `random`."""
        h, side = self.body.encode(x, random)
        return self.bottleneck(h, self.prior, random), side

    def decode(self, z: Tensor, side: Sequence[Tensor] = (), random: KeyedRandom | None = None) -> Tensor:
        """Codes `(N, size)` or `(N, *shape)` to the likelihood's parameters, `(N, outputs · C, H, W)`."""
        return self.up(z.reshape(-1, *self.bottleneck.shape), list(side), random).float()  # also under autocast

    def through(self, x: Tensor, random: KeyedRandom | None = None) -> tuple[Code, Tensor]:
        """Images to their code, sampled where `random` is given, and to what the way up puts out for it."""
        code, side = self.encode(x, random)
        return code, self.decode(code.z, side)

    def forward(self, x: Tensor, random: KeyedRandom) -> ForwardPass:
        """One pass with all its randomness: corruption, sampled codes and, in training, dropout."""
        corrupted, hidden = self.corruption(x, random)
        if self.needs_gradient:
            corrupted = corrupted.detach().requires_grad_()
        code, side = self.encode(corrupted, random)
        return ForwardPass(code, self.decode(code.z, side, random), corrupted, hidden)

    def reconstruct(self, x: Tensor, random: KeyedRandom | None = None) -> Tensor:
        """E[x | code(x)] on the working scale; the code is sampled where `random` is given."""
        return self.likelihood.mean(self.through(x, random)[1])


def build(specs: Mapping[str, Any], image: tuple[int, int, int], scale: Scale, seed: int) -> Network:
    """The network that `specs` describe, for images `(C, H, W)`, with weights drawn from `seed`.

    specs: one for each of corruption, body, bottleneck, up, likelihood and prior ("auto" for up and prior);
    penalties, a list; objective, by default "elbo", whose terms must not share a name with others.
    Raises `BuildError` or `UnknownName` with every fault.
    """
    validate_specs(specs)
    faults, made, penalties = Faults("the model cannot be built"), {}, []

    def make(kind: str, spec: Any, fit: Callable[[Any], Any] = lambda part: part, **context: Any) -> None:
        with faults.catch():
            made[kind] = fit(KINDS[kind].make(spec, **context))

    with seeded_initialisation(seed):
        make("corruption", specs["corruption"], bounds=scale.bounds)
        make("likelihood", specs["likelihood"], scale=scale)
        make("body", specs["body"], partial(as_body, image=image), image=image)
        for spec in specs["penalties"]:
            with faults.catch():
                penalties.append(KINDS["penalty"].make(spec))
        if "body" in made:
            make("bottleneck", specs["bottleneck"], features=made["body"].shape)
        faults.stop(BuildError)
        body, bottleneck, likelihood = made["body"], made["bottleneck"], made["likelihood"]
        prior, size = bottleneck.default_prior if specs["prior"] == "auto" else specs["prior"], prod(bottleneck.shape)
        make("prior", prior, size=size)
        up = body.default_up if specs["up"] == "auto" else specs["up"]
        with faults.catch():
            _fits(up, body)
            out = (image[0] * likelihood.outputs, *image[1:])
            fit = partial(as_up, shape=bottleneck.shape, wanted=out)
            make("up", up, fit, body=body, bottleneck=bottleneck, channels=out[0], image=image, size=size)
        with faults.catch():
            _sampled(bottleneck, made.get("prior"))
    faults.stop(BuildError)
    body.keeps_side = made["up"].side
    network = Network(**made, penalties=penalties)
    with faults.catch():
        refuse_same_names(KINDS["objective"].make(specs.get("objective", "elbo")).terms(network))
    faults.stop(BuildError)
    return network


def rebuild(
    specs: Mapping[str, Any], image: tuple[int, int, int], scale: Scale, tensors: Mapping[str, Tensor]
) -> Network:
    """The network that `specs` describe, with the tensors of a model file in it. Raises `DataError` too.

    It is built without memory first, so that a file cannot ask for more than it holds. Parts of the caller's own,
    who has registered them, are built at once: they may not bear it.
    """
    if not custom_paths(specs):
        with torch.device("meta"):
            check_tensors(build(specs, image, scale, seed=0).state_dict(), tensors)
    network = build(specs, image, scale, seed=0)
    check_tensors(network.state_dict(), tensors)
    network.load_state_dict(tensors)
    return network.eval()


def count_parameters(network: nn.Module) -> int:
    """How many parameters a network has."""
    return sum(p.numel() for p in network.parameters())


def validate_specs(specs: Mapping[str, Any]) -> None:
    """Refuse parts and options that do not exist, all at once."""
    faults = Faults("the model cannot be built")
    if not isinstance(specs["penalties"], (list, tuple)):
        raise wrong("penalties", specs["penalties"], "a list of penalties")
    chosen = [(kind, specs[kind]) for kind in KINDS if specs.get(kind, "auto") != "auto"]
    for kind, spec in chosen + [("penalty", spec) for spec in specs["penalties"]]:
        with faults.catch():
            refuse_instances(kind, spec)
            KINDS[kind].validate(spec)
    faults.stop(BuildError)


def _fits(spec: Any, body: Body) -> None:
    """Refuse a way up that needs what the body does not give."""
    make, _ = KINDS["up"].validate(spec)
    lacking = sorted(getattr(make, "needs", frozenset()) - body.gives)
    if lacking:
        fitting = [n for n, up in KINDS["up"].table.items() if getattr(up, "needs", frozenset()) <= body.gives]
        cure = f"use up={' or '.join(map(repr, fitting))}"
        cure += "".join(f", or body={giver}" for word, giver in GIVERS.items() if word in lacking)
        given = ", ".join(sorted(body.gives))
        raise BuildError(f"up {name_of(spec)!r} needs {' and '.join(lacking)}: got a body that gives {given}; {cure}")


def _sampled(bottleneck: Bottleneck, prior: Prior | None) -> None:
    """Refuse to sample a code that nothing pulled towards N(0, I) as if something had."""
    if prior is not None and not prior.fitted and not bottleneck.variational:
        raise BuildError(
            "prior 'normal' needs a variational bottleneck: got codes that nothing pulls towards N(0, I); "
            "use prior='gaussian' or 'mixture', which are fitted to the training codes"
        )


def device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def parts_table() -> Table:
    """All parts: kind, name, options with their defaults, and what it is."""
    rows = Table()
    for kind in KINDS.values():
        for name, make in kind.table.items():
            shown = ", ".join(f"{option}={default!r}" for option, default in kind.options(name).items())
            what = (make.__doc__ or "").strip().split("\n")[0]
            rows.append({"kind": kind.name, "part": name, "options": shown, "what": what})
    return rows
