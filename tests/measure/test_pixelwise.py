"""Laws of the measures of images, and their equality with scikit-image."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from narrows import measure
from narrows.errors import ImageError
from narrows.measure.per_image import per_image

MEASURES = {name: getattr(measure, name) for name in ("mse", "psnr", "ssim", "snr", "bce")}
KINDS = ("grey", "colour", "bright")


def skimage_ssim(a, b, **options):
    return structural_similarity(a, b, channel_axis=-1 if a.ndim == 3 else None, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("scale", "shift", "data_range"), [(1, 0, 1), (2, -1, 2), (255, 0, 255)])
def test_equal_to_scikit_image(pairs, kind, scale, shift, data_range):
    a, b = (x[:60] * np.float32(scale) + np.float32(shift) for x in pairs[kind])
    wide = [(p.astype(np.float64), q.astype(np.float64)) for p, q in zip(a, b)]
    psnr = [peak_signal_noise_ratio(p, q, data_range=data_range) for p, q in wide]
    ssim = [skimage_ssim(p, q, data_range=data_range) for p, q in wide]
    np.testing.assert_allclose(measure.psnr(a, b, data_range), psnr, atol=1e-5)
    np.testing.assert_allclose(measure.ssim(a, b, data_range), ssim, atol=1e-5)


@pytest.mark.parametrize("window", [3, 11])
def test_ssim_of_other_windows(pairs, window):
    a, b = (x[:10] for x in pairs["grey"])
    expected = [skimage_ssim(p, q, data_range=1, win_size=window) for p, q in zip(a, b)]
    np.testing.assert_allclose(measure.ssim(a, b, window=window), expected, atol=1e-5)


@pytest.mark.parametrize(("side", "largest"), [(3, 3), (4, 3), (5, 5), (6, 5), (7, 7), (8, 7)])
def test_the_largest_window_that_fits_is_taken_and_named_when_a_larger_one_is_refused(
    side, largest
):
    x = np.random.default_rng(0).random((2, side, 9))
    np.testing.assert_allclose(measure.ssim(x, x, window=largest), 1)
    with pytest.raises(ImageError, match=f"window={largest} is the largest"):
        measure.ssim(x, x, window=largest + 2)


def test_uint8_is_measured_on_255_and_never_wraps(digits):
    a, b = digits[:20], np.ascontiguousarray(digits[20:40])
    wide = a.astype(np.float64), b.astype(np.float64)
    np.testing.assert_allclose(
        measure.mse(a, b), ((wide[0] - wide[1]) ** 2).mean((1, 2)), rtol=1e-6
    )
    np.testing.assert_allclose(measure.psnr(a, b), measure.psnr(*wide, data_range=255), rtol=1e-5)
    np.testing.assert_allclose(
        measure.ssim(a, b), [skimage_ssim(p, q) for p, q in zip(a, b)], atol=1e-5
    )
    np.testing.assert_allclose(measure.bce(a, a), measure.bce(*[wide[0] / 255] * 2), rtol=1e-5)


def test_uint16_has_its_own_range(digits):
    a, b = (x.astype(np.uint16) * 257 for x in (digits[:5], digits[5:10]))
    np.testing.assert_allclose(
        measure.psnr(a, b), measure.psnr(digits[:5], digits[5:10]), rtol=1e-5
    )


def test_formulas(pairs):
    x, y = (v.astype(np.float64) for v in pairs["colour"])
    error = ((x - y) ** 2).sum((1, 2, 3))
    p = np.clip(y, 0.01, 0.99)
    bce = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum((1, 2, 3))
    np.testing.assert_allclose(measure.mse(x, y), error / (28 * 28 * 3))
    np.testing.assert_allclose(measure.snr(x, y), 10 * np.log10((x**2).sum((1, 2, 3)) / error))
    np.testing.assert_allclose(measure.bce(x, p), bce)


@pytest.mark.parametrize("name", MEASURES)
def test_float32_is_enough(pairs, name):
    for a, b in pairs.values():
        narrow, wide = (
            MEASURES[name](a, b),
            MEASURES[name](a.astype(np.float64), b.astype(np.float64)),
        )
        assert (narrow.dtype, wide.dtype) == (np.float32, np.float64)
        np.testing.assert_allclose(narrow, wide, rtol=2e-6, atol=1e-5)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_tensors_of_any_batch_shape(pairs, name, kind):
    a, b = (x[:12] for x in pairs[kind])
    expected = MEASURES[name](a, b)
    tensors = [torch.from_numpy(x.reshape(12, 28, 28, -1)).permute(0, 3, 1, 2) for x in (a, b)]
    for batch in ((12,), (3, 4), (2, 1, 6)):
        values = MEASURES[name](*(t.reshape(*batch, *t.shape[1:]) for t in tensors))
        assert values.shape == batch
        np.testing.assert_allclose(values.flatten(), expected, rtol=1e-6)
    assert MEASURES[name](tensors[0][0], tensors[1][0]).shape == ()


@pytest.mark.parametrize("name", MEASURES)
def test_pieces_agree_with_the_whole(pairs, name, monkeypatch):
    a, b = pairs["grey"]
    whole = MEASURES[name](a, b)
    monkeypatch.setattr("narrows.measure.per_image.PIECE", 784 * 7)
    np.testing.assert_allclose(MEASURES[name](a, b), whole, rtol=2e-6)


@pytest.mark.parametrize("batch", [(12,), (3, 4)])
@pytest.mark.parametrize(("piece", "images"), [(1, 1), (96, 1), (5 * 96 + 95, 5), (10**6, 12)])
def test_a_formula_gets_pieces_of_as_many_images_as_memory_allows(
    monkeypatch, batch, piece, images
):
    monkeypatch.setattr("narrows.measure.per_image.PIECE", piece)
    shapes = []

    def formula(a, b):
        shapes.append(a.shape)
        return (a + b).mean((1, 2, 3))

    x = torch.rand(*batch, 2, 6, 8)
    torch.testing.assert_close(per_image(formula, x, x), 2 * x.mean((-3, -2, -1)))
    assert {shape[1:] for shape in shapes} == {(2, 6, 8)}
    assert [shape[0] for shape in shapes[:-1]] == [images] * ((12 - 1) // images)


@pytest.mark.parametrize("name", MEASURES)
def test_empty_set_and_anomalous_strides(pairs, name):
    a, b = pairs["grey"]
    assert MEASURES[name](a[:0], b[:0]).shape == (0,)
    np.testing.assert_allclose(
        MEASURES[name](a[::-1], b[::-1])[::-1], MEASURES[name](a, b), rtol=2e-6
    )


def test_autocast_does_not_touch_the_arithmetic(pairs):
    a, b = (torch.from_numpy(x[:20, None]) for x in pairs["grey"])
    with torch.autocast("cpu", torch.bfloat16):
        inside = measure.ssim(a, b)
    torch.testing.assert_close(inside, measure.ssim(a, b))


def test_gradients_flow(pairs):
    a, b = (torch.from_numpy(x[:3, None]).clone() for x in pairs["grey"])
    b.requires_grad_()
    measure.ssim(a, b).sum().backward()
    assert b.grad is not None
    assert b.grad.isfinite().all()


def test_equal_images(digits):
    assert np.isinf(measure.psnr(digits, digits)).all()
    assert np.isinf(measure.snr(digits * 0, digits * 0)).all()
    np.testing.assert_allclose(measure.ssim(digits, digits), 1, atol=1e-6)
    assert (measure.snr(digits * 0, digits) == -np.inf).all()


@pytest.mark.parametrize("error", [1e-3, 0.1, 0.5, 2])
def test_snr_of_a_constant_error_is_known_also_where_its_power_is_below_1(error):
    x = np.ones((1, 2, 2))
    np.testing.assert_allclose(measure.snr(x, x - error), -20 * np.log10(error))


def test_bce_of_a_wrong_certainty_is_bounded():
    x = np.ones((1, 2, 2))
    np.testing.assert_allclose(measure.bce(x, x * 0), 400)


@pytest.mark.parametrize("channels", range(7))
def test_images_have_1_to_4_channels_as_arrays_and_as_tensors(channels):
    for x in (np.zeros((2, 8, 8, channels)), torch.zeros(2, channels, 8, 8)):
        if 1 <= channels <= 4:
            assert measure.mse(x, x).shape == (2,)
        else:
            with pytest.raises(ImageError, match="of 1 to 4"):
                measure.mse(x, x)


REFUSED = {
    "two shapes": (
        lambda: measure.psnr(np.zeros((2, 8, 8)), np.zeros((3, 8, 8))),
        r"\(2, 8, 8\).*\(3, 8, 8\)",
    ),
    "a single image": (lambda: measure.mse(np.zeros((8, 8)), np.zeros((8, 8))), r"x\[None\]"),
    "channels first": (
        lambda: measure.mse(np.zeros((2, 3, 8, 8)), np.zeros((2, 3, 8, 8))),
        r"\(N, H, W, C\)",
    ),
    "no channels": (
        lambda: measure.mse(torch.zeros(9, 8, 8), torch.zeros(9, 8, 8)),
        r"x\[:, None\]",
    ),
    "two kinds": (
        lambda: measure.mse(np.zeros((2, 8, 8)), torch.zeros(2, 1, 8, 8)),
        "torch.as_tensor",
    ),
    "a list": (lambda: measure.mse([[[1]]], [[[1]]]), "np.asarray"),
    "two scales": (
        lambda: measure.mse(np.zeros((2, 8, 8)), np.zeros((2, 8, 8), np.uint8)),
        "one scale",
    ),
    "two scales of an snr": (
        lambda: measure.snr(np.zeros((2, 8, 8)), np.zeros((2, 8, 8), np.uint8)),
        "one scale",
    ),
    "no range": (lambda: measure.psnr(*[np.zeros((2, 8, 8), int)] * 2), "say data_range"),
    "bad range": (
        lambda: measure.psnr(*[np.zeros((2, 8, 8))] * 2, data_range=0),
        "expected a number > 0",
    ),
    "infinite range": (
        lambda: measure.psnr(*[np.zeros((2, 8, 8))] * 2, data_range=float("inf")),
        "expected a number > 0",
    ),
    "no image at all": (lambda: measure.mse(*[torch.zeros(8, 8)] * 2), r"\(..., C, H, W\)"),
    "five axes": (lambda: measure.mse(*[np.zeros((1, 1, 8, 8, 1))] * 2), r"\(N, H, W, C\)"),
    "small": (lambda: measure.ssim(*[np.zeros((2, 6, 8))] * 2), "window=5 is the largest"),
    "tiny": (lambda: measure.ssim(*[np.zeros((2, 2, 8))] * 2), "at least 3 x 3"),
    "even window": (lambda: measure.ssim(*[np.zeros((2, 8, 8))] * 2, window=4), "odd number"),
    "pixels below 0": (
        lambda: measure.bce(np.array([[[-0.5, 1.0]]]), np.zeros((1, 1, 2))),
        r"bce: x runs from -0.5 to 1,",
    ),
    "probabilities above 1": (
        lambda: measure.bce(np.zeros((1, 1, 2)), np.array([[[0.0, 1.5]]])),
        r"bce: p runs from 0 to 1.5,",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    call, words = REFUSED[case]
    with pytest.raises(ImageError, match=words):
        call()
