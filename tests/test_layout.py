"""The layout of images: what no model can use is refused, all faults at once; numpy alone is imported."""

import subprocess
import sys

import numpy as np
import pytest

from narrows import mapped
from narrows.errors import ImageError
from narrows.layout import contact_sheet, layout_of, validate_images
from small_images import random_images


def refusal(X: np.ndarray, ranged: bool = True, **options) -> str:
    with pytest.raises(ImageError) as caught:
        validate_images(X, layout_of(X, None), ranged, **options)
    return str(caught.value)


def test_layout_imports_neither_torch_nor_pillow():
    code = "import sys, narrows.layout; print(sorted({'torch', 'PIL'} & set(sys.modules)))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ranged", [True, False])
@pytest.mark.parametrize("shape", [(12,), (4, 3)])
def test_nan_and_infinity_are_refused_with_the_first_image(monkeypatch, bad, ranged, shape):
    monkeypatch.setattr(mapped, "AT_ONCE", 4 * 12 * 4)
    X = random_images("float32", 10, *shape)
    X[6].flat[3] = X[9].flat[0] = bad
    assert "NaN or infinity: 2 (the first in image 6)" in refusal(X, ranged)


@pytest.mark.parametrize(
    ("low", "high", "cure"),
    [
        (0, 255, "divide by 255"),
        (0, 1.01, "divide by 255"),
        (-1, 1, "scale them"),
        (0, 256, "scale them"),
    ],
)
def test_images_out_of_range_are_refused_with_a_cure(low, high, cure):
    X = random_images("float64", 5, 4, 4) * (high - low) + low
    X[3, 0, 0], X[4, 0, 0] = low, high
    message = refusal(X)
    assert f"must lie in [0, 1], these run from {low:.4g} to {high:.4g}" in message
    assert cure in message
    validate_images(X, layout_of(X, None), ranged=False)


def test_a_table_of_floats_may_hold_any_finite_number():
    X = np.array([[-1e30, 7.0]])
    validate_images(X, layout_of(X, None), ranged=True)


def test_two_faults_are_both_named():
    X = random_images("float64", 5, 4, 4) * 200
    X[2, 1, 1] = np.nan
    message = refusal(X)
    assert "for 2 reasons" in message
    assert "NaN or infinity: 1 (the first in image 2)" in message
    assert "divide by 255" in message


def test_images_of_another_shape_than_the_models_are_refused_with_every_difference():
    expected = layout_of(random_images("uint8", 2, 28, 28), None)
    X = random_images("float32", 2, 28, 28, 1)
    validate_images(X, layout_of(X, None), ranged=True, expected=expected)
    message = refusal(random_images("uint8", 2, 20, 24, 3), expected=expected)
    assert "they have 3 channels, the model was fitted on 1" in message
    assert "they are 20 x 24 pixels, the model was fitted on 28 x 28" in message
    assert "2 reasons" in message


@pytest.mark.parametrize("shape", [(3, 2), (3, 2, 3)], ids=str)
@pytest.mark.parametrize(("columns", "gap"), [(None, 1), (4, 0), (2, 3), (7, 1)])
def test_a_contact_sheet_has_each_image_at_its_place_and_the_fill_elsewhere(shape, columns, gap):
    X = random_images("float32", 7, *shape) / 2
    sheet = contact_sheet(X, columns, gap, fill=1.0)
    columns = columns or 3
    rows = -(-7 // columns)
    assert sheet.shape == (rows * (3 + gap) - gap, columns * (2 + gap) - gap, *shape[2:])
    for k, image in enumerate(X):
        top, left = k // columns * (3 + gap), k % columns * (2 + gap)
        np.testing.assert_array_equal(sheet[top : top + 3, left : left + 2], image)
        sheet[top : top + 3, left : left + 2] = 1
    assert (sheet == 1).all()


def test_a_contact_sheet_is_about_square_with_white_gaps():
    for dtype, white in (("uint8", 255), ("uint16", 65535), ("float32", 1)):
        sheet = contact_sheet(np.zeros((5, 2, 2), dtype))
        assert sheet.shape == (5, 8)
        assert sheet.dtype == dtype
        assert sheet[2].tolist() == [white] * 8
    assert contact_sheet(np.zeros((1, 2, 3))).shape == (2, 3)
