"""A picture of one run, made a picture of several: each run's figures, under its name."""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

from narrows.study.record import Figure, Omitted
from narrows.study.trained import Trained

Picture = Callable[..., Iterator[Figure | Omitted]]


def per_run(picture: Picture) -> Picture:
    """`picture(run, **options)` for each of `runs`; with several, titles begin with the run's name."""

    @wraps(picture)
    def pictures(runs: Sequence[Trained], **options: Any) -> Iterator[Figure | Omitted]:
        for run in runs:
            for figure in picture(run, **options):
                if len(runs) > 1 and isinstance(figure, Figure):
                    figure.title = ": ".join(part for part in (run.name, figure.title) if part)
                yield figure

    return pictures
