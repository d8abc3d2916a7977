"""The eight kinds of part: for each its table of names, its base class, and what the build gives
it.

    corruption → body → bottleneck (with a prior) → up → likelihood

Objective and penalties make the loss of them.

A *table* maps names to classes; `narrows.register` enters a class of the user's own. The *context*
is what the build knows and an option cannot say, such as the image's shape: a class takes of it
what its constructor names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from narrows.choose import choose, default_options, find_part, validate_spec
from narrows.errors import NarrowsError
from narrows.parts.bodies import BODIES
from narrows.parts.bottleneck import Bottleneck
from narrows.parts.bottlenecks import BOTTLENECKS
from narrows.parts.corruption import Corruption
from narrows.parts.corruptions import CORRUPTIONS
from narrows.parts.likelihood import LIKELIHOODS, Likelihood
from narrows.parts.objective import Objective
from narrows.parts.objectives import OBJECTIVES
from narrows.parts.penalty import PENALTIES, Penalty
from narrows.parts.prior import PRIORS, Prior
from narrows.parts.ups import UPS


@dataclass(frozen=True)
class Kind:
    """A kind of part. table: its classes by name. base: what a registered class derives from.

    context: names of the constructor's arguments that the build gives.
    """

    name: str
    table: dict[str, Callable[..., Any]]
    base: type
    context: tuple[str, ...] = ()

    def make(self, spec: Any, **known: Any) -> Any:
        """The part that `spec` describes. known: the context."""
        return choose(self.name, self.table, spec, **known)

    def validate(self, spec: Any) -> tuple[Callable[..., Any], dict[str, Any]]:
        """The class that `spec` names and the options it gives, if there are such."""
        return validate_spec(self.name, self.table, spec, self.context)

    def declared(self, spec: Any, attribute: str) -> Any:
        """An attribute of the class that `spec` names; of an unknown name, or of a function that makes
        a part, that of the base class.
        """
        default = getattr(self.base, attribute)
        try:
            make, _ = find_part(self.name, self.table, spec)
        except NarrowsError:  # reported when the model is built
            return default
        return getattr(make, attribute, default)

    def options(self, name: str) -> dict[str, Any]:
        """The options of the part called `name`, and their defaults."""
        return self.defaults(self.table[name])

    def defaults(self, make: Callable[..., Any]) -> dict[str, Any]:
        """The options of a class, and their defaults."""
        return default_options(make, self.context)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("corruption", CORRUPTIONS, Corruption, ("bounds",)),
        Kind("body", BODIES, nn.Module, ("image", "bounds")),
        Kind("bottleneck", BOTTLENECKS, Bottleneck, ("features",)),
        Kind("up", UPS, nn.Module, ("body", "bottleneck", "channels", "image", "size")),
        Kind("likelihood", LIKELIHOODS, Likelihood, ("scale",)),
        Kind("prior", PRIORS, Prior, ("size",)),
        Kind("penalty", PENALTIES, Penalty),
        Kind("objective", OBJECTIVES, Objective),
    )
}
