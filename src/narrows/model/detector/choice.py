"""What the score of a detector is made of: a table of candidates, and the choice.

A candidate is a member alone, or a combination of the neighbours on all scales and components of one
size, in which the neighbours weigh as much as the components, twice or four times as much, or one of
the neighbours alone; or these together with the best network. What it is worth is how far it
separates synthetic anomalies of each kind from the images that they are made of,

    worth = mean over kinds of 1 / (1 - AUROC + 0.002)

which is about the number of pairs until one is ranked wrongly: a candidate is worth most for what it
is good at. For a mean of the AUROC all kinds would count alike, also those that no score can find.
"""

from collections.abc import Iterator, Mapping
from math import inf, isfinite
from typing import Any

from msgspec import Struct, structs
from torch import Tensor

from narrows.errors import wrong
from narrows.model.detector.combination import Standard, combined, weights_in_words
from narrows.model.detector.members import is_components
from narrows.model.detector.networks import is_network
from narrows.model.detector.validation import Unseen, validation_aurocs

COMBINED = "combined"
NEIGHBOUR_WEIGHTS = (1, 2, 4)  # the components weigh 1,
NETWORK_WEIGHTS = (1, 2)  # and so does a network, or twice as much
PERFECT = 0.002  # what a score without a wrong pair lacks of perfection
CANDIDATES = (
    "AUROC of each candidate for the score, on synthetic anomalies of each kind: altered copies of images "
    "that the candidate had not seen, against these images as they are. What it is worth is the mean of "
    "1 / (1 - AUROC), about the number of pairs until one is ranked wrongly. The combination is the "
    "default score all the same: synthetic anomalies are not the real ones."
)
Aurocs = dict[str, float]  # by the kind of the synthetic anomaly
Weights = dict[str, float]  # by the name of the member; those without one weigh nothing


class Choice:
    """What was found out.

    rows: a row for each member and the combination, the best first: AUROC on synthetic anomalies of
    each kind, and the worth. members: of the detector. kinds (of score), standards, weights: of these.
    scores: of normal images that no member had seen, of each kind of score.
    """

    def __init__(self, unseen: Unseen):
        own = {name: unseen.own(name) for name in unseen.kept}
        standards = {name: Standard.of(scores) for name, scores in own.items()}
        aurocs = {name: _aurocs_alone(unseen, name) for name in unseen.kinds}
        best, aurocs[COMBINED] = _best_combination(unseen, standards)
        self.members = _members_to_keep(list(own), best)
        self.kinds = {name: unseen.kinds[name] for name in self.members}
        self.standards = {name: standards[name] for name in self.members}
        self.weights = {name: best.get(name, 0.0) for name in self.members}
        rows = [_row(name, by_kind) for name, by_kind in aurocs.items()]
        self.rows = sorted(rows, key=lambda row: -row["worth"])
        self.scores = {name: own[name] for name in self.members}
        self.scores[COMBINED] = combined(self.scores, self.standards, self.weights)

    def as_facts(self) -> dict[str, Any]:
        """What the model keeps of it, as JSON can hold it."""
        standards = {name: [s.centre, s.spread] for name, s in self.standards.items()}
        facts = {"rows": self.rows, "standards": standards, "weights": self.weights}
        return {**facts, "kinds": self.kinds}


def members_to_fit(unseen: Unseen) -> list[str]:
    """All members but for networks, and the network that is worth most."""
    names = list(unseen.kinds)
    networks = [name for name in names if is_network(name)]
    best = max(networks, key=lambda name: worth(_aurocs_alone(unseen, name)), default="")
    return [name for name in names if name == best or name not in networks]


def worth(aurocs: Mapping[str, float]) -> float:
    """How much a score is worth that separates anomalies of each kind so well."""
    return sum(1 / (1 - auroc + PERFECT) for auroc in aurocs.values()) / len(aurocs)


def _best_combination(unseen: Unseen, standards: Mapping[str, Standard]) -> tuple[Weights, Aurocs]:
    """The combination that is worth most, the first of equals."""
    tried = [
        (weights, _of_combination(unseen, standards, weights))
        for weights in _weights_to_try(list(standards))
    ]
    return max(tried, key=lambda pair: worth(pair[1]))


def _members_to_keep(names: list[str], weights: Weights) -> list[str]:
    """The neighbours, the components that have a weight, else the first of them, and a network that
    has one.
    """
    parts = [name for name in names if is_components(name)]
    kept = next((name for name in parts if name in weights), parts[0])
    others = [name for name in names if name not in parts]
    return [name for name in others if name in weights or not is_network(name)] + [kept]


def _weights_to_try(names: list[str]) -> Iterator[Weights]:
    """Weights of the members of a combination, the simplest first."""
    networks = [name for name in names if is_network(name)]
    simple = list(_weights_without_network([name for name in names if name not in networks]))
    yield from simple
    for network in networks:
        yield {network: 1.0}
        for weight in NETWORK_WEIGHTS:
            yield from ({**weights, network: float(weight)} for weights in simple)


def _weights_without_network(names: list[str]) -> Iterator[Weights]:
    neighbours = [name for name in names if not is_components(name)]
    for weight in NEIGHBOUR_WEIGHTS:
        for part in filter(is_components, names):
            yield {**dict.fromkeys(neighbours, float(weight)), part: 1.0}
    yield from ({name: 1.0} for name in neighbours)


def _aurocs_alone(unseen: Unseen, name: str) -> Aurocs:
    return validation_aurocs(unseen.originals[name], unseen.altered[name])


def _of_combination(unseen: Unseen, standards: Mapping[str, Standard], weights: Weights) -> Aurocs:
    normal = combined(unseen.originals, standards, weights)
    altered: dict[str, Tensor] = {}
    for kind in next(iter(unseen.altered.values())):
        scores = {name: unseen.altered[name][kind] for name in weights}
        altered[kind] = combined(scores, standards, weights)
    return validation_aurocs(normal, altered)


def _row(name: str, aurocs: Aurocs) -> dict[str, Any]:
    return {"candidate": name, "worth": worth(aurocs), **aurocs}


def in_words(choice: Mapping[str, Any], minutes: float) -> str:
    """What was chosen and why. choice: `as_facts`, with the scale and the epochs of networks."""
    weights = weights_in_words(choice["weights"])
    words = f"the score combines {weights}; images are compared {choice['scale']}"
    match choice.get("epochs"):
        case None:
            return words
        case 0:
            return f"{words}; networks were not tried: they need more than {minutes:g} minutes"
        case epochs:
            return f"{words}; networks of {epochs} epochs were tried"


def read_choice(header: Any, members: set[str]) -> dict[str, Any]:
    """The choice of a model file with these members. Raises `BuildError` if they do not fit."""
    choice = structs.asdict(header) if isinstance(header, Struct) else {}
    choice = {key: value for key, value in choice.items() if value is not None}
    known = [set(choice.get(key, ())) for key in ("standards", "weights", "kinds")]
    if any(of_key != members for of_key in known) or not members:
        raise wrong("members", sorted(members), "those that the file's choice names")
    _check_numbers(choice)
    return choice


def _check_numbers(choice: Mapping[str, Any]) -> None:
    """Refuse weights and standards with which no score can be computed."""
    weights, standards = list(choice["weights"].values()), list(choice["standards"].values())
    if not all(0 <= weight < inf for weight in weights) or not sum(weights) > 0:
        raise wrong("weights", weights, "finite numbers ≥ 0, one above 0")
    if not all(isfinite(centre) and 0 < spread < inf for centre, spread in standards):
        raise wrong("standards", standards, "a finite centre and a spread above 0 of each member")
