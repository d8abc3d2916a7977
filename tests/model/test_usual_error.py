"""The usual size of errors: the root of mean² + deviation², and each image among the others."""

import numpy as np
import torch

from narrows.model.usual_error import FLOOR, UsualError

ERRORS = torch.rand(30, 3, 5, 7, generator=torch.Generator().manual_seed(0)) ** 2


def test_it_is_the_root_of_squared_mean_and_deviation():
    usual = UsualError.of(ERRORS.split(7))
    e = ERRORS.mean(1)
    expected = (e.mean(0) ** 2 + e.var(0, correction=0)).sqrt()
    np.testing.assert_allclose(usual.squares.sqrt(), expected, rtol=1e-5)
    ratio = e / (expected + FLOOR * expected.mean())
    np.testing.assert_allclose(usual.ratio(ERRORS)[:, 0], ratio, rtol=1e-4)


def test_an_image_among_them_is_compared_with_the_others():
    ratios = UsualError.of([ERRORS]).among().ratio(ERRORS)
    for place in range(5):
        others = torch.cat([ERRORS[:place], ERRORS[place + 1 :]])
        alone = UsualError.of([others]).ratio(ERRORS[place : place + 1])
        np.testing.assert_allclose(ratios[place], alone[0], rtol=1e-3)


def test_without_any_error_it_divides_by_no_zero():
    usual = UsualError.of([torch.zeros(4, 1, 3, 3)])
    assert torch.isfinite(usual.ratio(torch.ones(1, 1, 3, 3))).all()
    assert usual.ratio(torch.zeros(1, 1, 3, 3)).abs().max() == 0
