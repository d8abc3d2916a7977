"""Pictures of small models."""

import pytest

from narrows.study.figures import STUDY_FIGURES
from narrows.study.record import Figure

NEEDED = {
    "curves": {"of": ["loss", "nll", "kl"]},
    "steps": {"of": ["loss"]},
    "strengths": {"sigmas": [0.0, 0.5]},
    "tested": {"sigmas": [0.0, 0.5]},
    "perturbed": {"scales": [0.0, 1.0]},
    "legible": {"scales": [1.0]},
    "rate_distortion": {"count": 4},
}


@pytest.fixture
def picture(models):
    """A function: the figures of a kind, of models by their names; what must be said is said."""

    def figures(kind: str, *names: str, **options) -> list[Figure]:
        return list(
            STUDY_FIGURES[kind](
                [models[name] for name in names], **{**NEEDED.get(kind, {}), **options}
            )
        )

    return figures
