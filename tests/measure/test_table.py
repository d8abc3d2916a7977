import json

import numpy as np

from narrows.measure import Table

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


def test_an_empty_table():
    assert str(Table()) == ""
    assert Table().to_json() == "[]"
