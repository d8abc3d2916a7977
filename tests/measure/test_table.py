import json

import numpy as np
import pytest

from narrows.measure import Table
from narrows.measure.table import show

ROWS = [
    {"model": "pca", "mse": 0.0176923},
    {"model": "a<e", "mse": np.float32(0.0091), "seconds": 12, "psnr": float("inf")},
]


def test_text_is_aligned_and_short():
    assert str(Table(ROWS)).splitlines() == [
        "model      mse  seconds  psnr",
        "pca    0.01769",
        "a<e     0.0091       12   inf",
    ]


def test_a_column_of_numbers_and_words_is_text_and_aligned_to_the_left():
    assert str(Table([{"x": 1}, {"x": "none"}])).splitlines() == ["x", "1", "none"]


def test_html_is_escaped_and_aligned():
    html = Table(ROWS)._repr_html_()
    assert "a&lt;e" in html
    assert '<td style="text-align: right">0.01769</td>' in html
    assert html.count("<tr>") == 3


def test_json_keeps_the_numbers_whole():
    rows = json.loads(Table([*ROWS, {"per image": np.arange(2), "ok": np.True_}]).to_json())
    assert rows[0] == {"model": "pca", "mse": 0.0176923}
    assert rows[1]["psnr"] is None
    assert rows[2] == {"per image": [0, 1], "ok": True}


def test_large_numbers_are_no_powers_of_ten():
    assert str(Table([{"bytes": 123456.0}])).split() == ["bytes", "123456"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9999.4, "9999"),
        (9999.5, "10000"),
        (9999.6, "10000"),
        (1e4, "10000"),
        (-1e4, "-10000"),
        (9999, "9999"),
        (10_000, "10,000"),
        (float("-inf"), "-inf"),
        (None, ""),
        ([1, 0.5], "1, 0.5"),
    ],
)
def test_a_value_is_shown_without_an_exponent_up_to_any_size(value, text):
    assert show(value) == text


def test_an_empty_table():
    assert str(Table()) == ""
    assert Table().to_json() == "[]"


def test_json_is_indented_by_2():
    assert Table([{"a": 1}]).to_json() == '[\n  {\n    "a": 1\n  }\n]'
