"""The parts of an autoencoder: one file a choice, one table a kind. To add a part: one class, one entry."""

from narrows.parts.body import BODIES
from narrows.parts.bottleneck import BOTTLENECKS
from narrows.parts.corruption import CORRUPTIONS
from narrows.parts.likelihood import LIKELIHOODS
from narrows.parts.penalty import PENALTIES
from narrows.parts.prior import PRIORS
from narrows.parts.up import UPS

PART_TABLES = {
    "corruption": CORRUPTIONS,
    "body": BODIES,
    "bottleneck": BOTTLENECKS,
    "up": UPS,
    "likelihood": LIKELIHOODS,
    "prior": PRIORS,
    "penalty": PENALTIES,
}

__all__ = ["BODIES", "BOTTLENECKS", "CORRUPTIONS", "LIKELIHOODS", "PART_TABLES", "PENALTIES", "PRIORS", "UPS"]
