"""The table of objectives."""

from narrows.parts.neighbours import Neighbours
from narrows.parts.objective import Elbo, Root

OBJECTIVES = {"elbo": Elbo, "root": Root, "neighbours": Neighbours}
