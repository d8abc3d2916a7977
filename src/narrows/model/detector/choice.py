"""Which score of a detector is the default: a table of candidates, and the choice.

A candidate is a member, or the combination of the neighbours on all scales and the best of each other
sort. Each has the AUROC on synthetic anomalies (`synthetic`), of each kind and their mean. The
combination is chosen unless a candidate is better by more than `MARGIN`: synthetic anomalies
are not the real ones, and a combination is wrong less often than any score alone.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from narrows.model.detector.combination import Standard, combined
from narrows.model.detector.members import sort_of
from narrows.model.detector.validation import Unseen, validation_aurocs

COMBINED = "combined"
MARGIN = 0.03  # of AUROC
MEAN = "mean"
Row = dict[str, Any]


class Choice:
    """What was found out. rows: a row for each candidate, the best first. members: of the combination.
    standards: of each member. scores: of normal images, of each kind that the detector can give.
    """

    def __init__(self, unseen: Unseen):
        own = {name: unseen.own(name) for name in unseen.normal}
        aurocs = {
            name: validation_aurocs(unseen.originals[name], unseen.altered[name]) for name in own
        }
        self.members = _best_of_each_sort(aurocs)
        self.standards = {name: Standard.of(own[name]) for name in self.members}
        aurocs[COMBINED] = _of_combination(unseen, self.standards)
        self.rows = [_row(name, by_kind) for name, by_kind in aurocs.items()]
        self.rows.sort(key=lambda row: -row[MEAN])
        self.scores = {name: own[name] for name in self.members}
        self.scores[COMBINED] = combined(self.scores, self.standards)
        self.kind = self._chosen({row["candidate"]: row[MEAN] for row in self.rows})

    def as_facts(self) -> dict[str, Any]:
        """What the model keeps of it, as JSON can hold it."""
        standards = {name: [s.centre, s.spread] for name, s in self.standards.items()}
        return {"chosen": self.kind, "rows": self.rows, "standards": standards}

    def _chosen(self, means: Mapping[str, float]) -> str:
        best = max(self.members, key=lambda name: means[name])
        return best if means[best] > means[COMBINED] + MARGIN else COMBINED


def _best_of_each_sort(aurocs: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The members of the combination: neighbours on all scales, and the best of each other sort."""
    best: dict[str, str] = {}
    for name, by_kind in aurocs.items():
        rival = best.get(sort_of(name))
        if rival is None or _mean(by_kind) > _mean(aurocs[rival]):
            best[sort_of(name)] = name
    return list(best.values())


def _of_combination(unseen: Unseen, standards: Mapping[str, Standard]) -> dict[str, float]:
    normal = combined({name: unseen.originals[name] for name in standards}, standards)
    altered: dict[str, Tensor] = {}
    for kind in next(iter(unseen.altered.values())):
        scores = {name: unseen.altered[name][kind] for name in standards}
        altered[kind] = combined(scores, standards)
    return validation_aurocs(normal, altered)


def _row(name: str, by_kind: Mapping[str, float]) -> Row:
    return {"candidate": name, MEAN: _mean(by_kind), **by_kind}


def _mean(by_kind: Mapping[str, float]) -> float:
    return sum(by_kind.values()) / len(by_kind)
