"""Tables of classes and measures, by hand."""

import numpy as np
import pytest

from narrows.measure import auroc, detection_intervals
from narrows.model.use.separation import class_rows, rows_of, separation

SCORES = np.array([1, 2, 3, 10, 11, 12, 1, 20.0])
CLASSES = ["b", "b", "b", "a", "a", "a", "c", "c"]


def test_rows_of_classes_count_what_is_above_the_threshold():
    rows = class_rows(SCORES, CLASSES, 2)
    assert [list(row.values()) for row in rows] == [
        ["a", 3, 3, 100, 11],
        ["b", 3, 1, pytest.approx(100 / 3), 2],
        ["c", 2, 1, 50, 10.5],
    ]


def test_rows_of_classes_have_the_normal_ones_first_and_the_sums_of_several():
    rows = class_rows(SCORES, CLASSES, 2, normal={"b"})
    assert [(row["class"], row["kind"], row["images"]) for row in rows] == [
        ("b", "normal", 3),
        ("a", "anomalous", 3),
        ("c", "anomalous", 2),
        ("all anomalous", "anomalous", 5),
    ]
    assert rows[-1]["above the threshold"] == 4
    assert class_rows(np.empty(0), [], 2) == []


def test_a_separation_has_intervals_and_a_finite_threshold():
    odd = [name != "b" for name in CLASSES]
    measures = separation(SCORES, odd)
    assert measures["AUROC"] == auroc(SCORES, odd)
    assert measures["AUROC interval"] == list(detection_intervals(SCORES, odd)["auroc"])
    assert np.isfinite(measures["threshold of the best F1"])
    rows = rows_of(measures)
    assert [row["measure"] for row in rows if "95 % interval" in row] == [
        *("AUROC", "average precision", "best F1")
    ]


@pytest.mark.parametrize("odd", [True, False])
def test_a_separation_of_one_kind_alone_has_no_values(odd):
    measures = separation(SCORES, [odd] * len(SCORES))
    assert set(measures.values()) == {None}
    assert rows_of(measures) == []
