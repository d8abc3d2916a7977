"""A small record with live figures, for tests of pages."""

import numpy as np

from narrows.study.record import Figure, Record

BAD = "<img src=x onerror=alert(1)>\"'&lt;</script><!--"


def points(dimensions: int = 2, count: int = 60, **more) -> dict:
    """Points on a spiral, of three classes, each with a grey image of its own (8 x 8)."""
    t = np.linspace(0.2, 1, count)
    x = np.stack([t * np.cos(7 * t), t * np.sin(7 * t), t], axis=1)[:, :dimensions]
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    return {"x": x, "labels": np.arange(count) % 3, "images": images, **more}


def live_record(name: str = "named") -> Record:
    """A record of a plane, a space and a still figure, whose names and titles are all the same."""
    classes = {"classes": [f"{name} {k}" for k in "abc"], "unit": name}
    labels = {"xlabel": name, "ylabel": name}
    figures = [
        Figure(
            "plane", "scatter", name, {**classes, **labels}, points(), section=name, caption=name
        ),
        Figure(
            "space",
            "scatter",
            name,
            {**classes, **labels, "zlabel": name},
            points(3),
            section="in space",
        ),
        Figure("loss", "curves", "", {"xlabel": "epoch"}, {"loss": np.ones(5)}, section="Loss"),
    ]
    return Record("Live", facts={"command": f"narrows study {name}"}, figures=figures)
