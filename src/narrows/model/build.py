"""Building a network from names and options.

Every name and option is checked first, and all faults are reported at once; then the parts are made
in the order in which they depend on each other, and pairs that cannot work together are refused.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor

from narrows.choose import name_of
from narrows.errors import BuildError, Faults, wrong
from narrows.measure import Table
from narrows.model.file_format import check_tensors
from narrows.model.network import Network
from narrows.parts.body import Body
from narrows.parts.bottleneck import Bottleneck
from narrows.parts.corruption import Corruption
from narrows.parts.kinds import KINDS
from narrows.parts.objective import Objective
from narrows.parts.penalty import Penalty
from narrows.parts.prior import Prior
from narrows.parts.register import as_body, as_up, custom_paths, refuse_instances
from narrows.parts.term import refuse_same_names
from narrows.randomness import seeded_initialisation
from narrows.scale import Scale

Specs = Mapping[str, Any]
Shape = tuple[int, int, int]

SPEC_NAMES = tuple("penalties" if kind == "penalty" else kind for kind in KINDS)  # of an estimator
WHO_GIVES = {
    "switches": "{'kind': 'conv', 'stages': 'pooled'}",
    "skips": "'unet'",
    "blocks": "'residual'",
    "cells": "'photo'",
}  # bodies that give what others do not


def build(specs: Specs, image: Shape, scale: Scale, seed: int) -> Network:
    """The network that `specs` describe, for images `(C, H, W)`, with weights drawn from `seed`.

    specs: one for each kind of part ("auto" for up and prior), and penalties, a list. Raises
    `BuildError` or
    `UnknownName` with every fault.
    """
    validate_specs(specs)
    with seeded_initialisation(seed):
        network = _Builder(specs, image, scale).network()
    objective = build_objective(specs)
    refuse_same_names(objective.terms(network))
    _refuse_one_size(objective, network, specs)
    _refuse_more_noise(objective, network.corruption, specs)
    return network


def build_objective(specs: Specs) -> Objective:
    """The objective that `specs` describe, by default the ELBO."""
    return KINDS["objective"].make(specs.get("objective", "elbo"))


def rebuild(specs: Specs, image: Shape, scale: Scale, tensors: Mapping[str, Tensor]) -> Network:
    """The network that `specs` describe, with the tensors of a model file in it. Raises `DataError`
    too.

    It is built without memory first, so that a file cannot ask for more than it holds. Parts that
    the user has registered are built at once: they may not support that.
    """
    if not custom_paths(specs):
        with torch.device("meta"):
            check_tensors(build(specs, image, scale, seed=0).state_dict(), tensors)
    network = build(specs, image, scale, seed=0)
    check_tensors(network.state_dict(), tensors)
    network.load_state_dict(tensors)
    return network.eval()


def validate_specs(specs: Specs) -> None:
    """Refuse parts and options that do not exist, all at once."""
    faults = Faults("the model cannot be built")
    penalties = specs["penalties"]
    if not isinstance(penalties, (list, tuple)):
        known = ", ".join(sorted(KINDS["penalty"].table))
        raise wrong("penalties", penalties, "a list, such as ['contractive']", f"known: {known}")
    chosen = [(kind, specs[kind]) for kind in KINDS if specs.get(kind, "auto") != "auto"]
    for kind, spec in [*chosen, *(("penalty", penalty) for penalty in penalties)]:
        with faults.catch():
            refuse_instances(kind, spec)
            KINDS[kind].validate(spec)
    faults.stop(BuildError)


class _Builder:
    """Makes the parts one after the other; faults of independent parts are collected."""

    def __init__(self, specs: Specs, image: Shape, scale: Scale):
        self.specs, self.image, self.scale = specs, image, scale
        self.faults = Faults("the model cannot be built")
        self.parts: dict[str, Any] = {}
        self.penalties: list[Penalty] = []

    def network(self) -> Network:
        """The network, once all parts are made. Raises every fault."""
        self._make("corruption", bounds=self.scale.bounds)
        self._make("likelihood", scale=self.scale)
        with self.faults.catch():
            given = {"image": self.image, "bounds": self.scale.bounds}
            body = KINDS["body"].make(self.specs["body"], **given)
            self.parts["body"] = as_body(body, self.image)
        for spec in self.specs["penalties"]:
            with self.faults.catch():
                self.penalties.append(KINDS["penalty"].make(spec))
        if "body" in self.parts:
            self._make("bottleneck", features=self.parts["body"].shape)
        self.faults.stop(BuildError)
        self._make_prior()
        self._make_up()
        with self.faults.catch():
            _refuse_unfitted_prior(self.parts["bottleneck"], self.parts.get("prior"))
        self.faults.stop(BuildError)
        return Network(**self.parts, penalties=self.penalties)

    def _make(self, kind: str, **context: Any) -> None:
        with self.faults.catch():
            self.parts[kind] = KINDS[kind].make(self.specs[kind], **context)

    def _make_prior(self) -> None:
        bottleneck, spec = self.parts["bottleneck"], self.specs["prior"]
        if spec == "auto":
            spec = bottleneck.default_prior
        with self.faults.catch():
            self.parts["prior"] = KINDS["prior"].make(spec, size=prod(bottleneck.shape))

    def _make_up(self) -> None:
        body, bottleneck = self.parts["body"], self.parts["bottleneck"]
        spec = body.default_up if self.specs["up"] == "auto" else self.specs["up"]
        channels = self.image[0] * self.parts["likelihood"].outputs
        with self.faults.catch():
            _refuse_missing_needs(spec, body)
            up = KINDS["up"].make(
                spec,
                body=body,
                bottleneck=bottleneck,
                channels=channels,
                image=self.image,
                size=prod(bottleneck.shape),
            )
            self.parts["up"] = as_up(up, bottleneck.shape, (channels, *self.image[1:]))


def _refuse_missing_needs(spec: Any, body: Body) -> None:
    """Refuse a way up that needs what the body does not give."""
    make, _ = KINDS["up"].validate(spec)
    missing = sorted(_needs(make) - body.gives)
    if not missing:
        return
    fitting = [repr(name) for name, up in KINDS["up"].table.items() if _needs(up) <= body.gives]
    bodies = [f", or body={WHO_GIVES[need]}" for need in missing if need in WHO_GIVES]
    raise BuildError(
        f"up {name_of(spec)!r} needs {' and '.join(missing)}: got a body that gives "
        f"{', '.join(sorted(body.gives))}; use up={' or '.join(fitting)}{''.join(bodies)}"
    )


def _needs(up: Any) -> frozenset[str]:
    """What a way up needs of the body; nothing if it is a plain module."""
    return getattr(up, "needs", frozenset())


def _refuse_unfitted_prior(bottleneck: Bottleneck, prior: Prior | None) -> None:
    """Refuse to sample a code that nothing pulls towards N(0, I) as if something did."""
    if prior is not None and not prior.fitted and not bottleneck.variational:
        raise BuildError(
            "prior 'normal' needs a variational bottleneck: got codes that nothing pulls towards N(0, I); "
            "use prior='gaussian' or 'mixture', which are fitted to the training codes"
        )


def _refuse_one_size(objective: Objective, network: Network, specs: Specs) -> None:
    """Refuse a network of images of one size for an objective that gives it others."""
    if not objective.any_size or network.takes_any_size:
        return
    bodies = [repr(name) for name, body in KINDS["body"].table.items() if _takes_any_size(body)]
    raise wrong(
        f"objective {name_of(specs['objective'])!r}",
        f"body {name_of(specs['body'])!r}",
        "a network that takes images of any size",
        f"body={' or '.join(bodies)} with bottleneck={{'kind': 'plain', 'size': None}}",
    )


def _takes_any_size(body: Any) -> bool:
    return getattr(body, "any_size", False)


def _refuse_more_noise(objective: Objective, corruption: Corruption, specs: Specs) -> None:
    """Refuse a corruption of images that the objective takes as noisy."""
    if objective.target == "clean":
        return
    if corruption.makes_noise or corruption.paired or corruption.target == "noisy":
        expected = f"'none': objective {name_of(specs['objective'])!r} takes the images as noisy"
        raise wrong("corruption", name_of(specs["corruption"]), expected)


def parts_table() -> Table:
    """All parts: kind, name, options with their defaults, and a description."""
    rows = Table()
    for kind in KINDS.values():
        for name, make in kind.table.items():
            options = [f"{option}={default!r}" for option, default in kind.options(name).items()]
            description = " ".join((make.__doc__ or "").strip().split("\n\n")[0].split())
            rows.append(
                {
                    "kind": kind.name,
                    "part": name,
                    "options": ", ".join(options),
                    "what": description,
                }
            )
    return rows
