"""How time and memory grow: the model of cost, and a point measured."""

import pytest

from narrows.bench import scale as module
from narrows.bench.scale import fitted, predicted, scale, table


def row(images, side, parameters, a=1e-10, b=1e-8, c=1e-3):
    """A point that obeys the model."""
    epoch = images * (a * parameters + b * side**2) + images / module.BATCH * c
    return {
        "images": images,
        "side": side,
        "parameters": parameters,
        "processes": 1,
        "epoch": epoch,
    }


def test_the_model_is_found_again_in_points_that_obey_it():
    rows = [
        row(n, side, p)
        for n, side, p in [(10, 28, 5e5), (1000, 14, 1e5), (1000, 56, 4e6), (50, 8, 1e4)]
    ]
    assert fitted(rows) == pytest.approx({"a": 1e-10, "b": 1e-8, "c": 1e-3}, rel=1e-6)
    assert predicted(row(7, 5, 100), fitted(rows)) == pytest.approx(
        row(7, 5, 100)["epoch"], rel=1e-6
    )


def test_points_of_several_processes_do_not_bend_the_model():
    rows = [
        row(n, side, p)
        for n, side, p in [(10, 28, 5e5), (1000, 14, 1e5), (1000, 56, 4e6), (50, 8, 1e4)]
    ]
    other = {**rows[0], "processes": 4, "epoch": 1e3}
    assert fitted([*rows, other]) == fitted(rows)


@pytest.mark.slow
def test_points_are_measured_alone_and_together(monkeypatch):
    monkeypatch.setattr(module, "BASE", {"images": 300, "side": 8, "width": 16, "processes": 1})
    monkeypatch.setattr(module, "ALONG", {"images": (300,), "processes": (2,)})
    rows = scale(("images", "processes"))
    assert [(one["images"], one["processes"]) for one in rows] == [(300, 1), (300, 2)]
    assert (
        rows[0]["parameters"]
        == rows[1]["parameters"]
        == 64 * 16 * 2 + 16 * 32 * 2 + 16 + 32 + 16 + 64
    )
    assert all(one["epoch"] > 0 and one["encode"] > 0 and one["memory"] > 100 for one in rows)
    assert [line["processes"] for line in table(rows)] == [1, 2]
