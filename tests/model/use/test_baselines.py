"""Laws of the baseline denoisers, and their table beside a model."""

import numpy as np
import pytest

import narrows as nw
from narrows import measure
from narrows.errors import BuildError, MissingExtra, UnknownName
from narrows.model.use import denoisers
from narrows.model.use.baselines import compare_denoisers
from narrows.model.use.denoisers import BASELINES, missing_package
from narrows.model.use.evaluate import evaluate

QUICK = [name for name in BASELINES if name != "bm3d"]
NOISE = {"kind": "gaussian", "sigma": 0.2}
SHAPES = [(24, 20), (24, 20, 1), (24, 20, 2), (24, 20, 3), (24, 20, 4)]


def installed(name: str):
    """The baseline of that name, where its package is installed."""
    if note := missing_package(BASELINES[name]):
        pytest.skip(note)
    return BASELINES[name]


def stairs(*shape: int) -> np.ndarray:
    """Two images of flat squares, `(2, *shape)`."""
    steps = np.linspace(0.2, 0.8, 4).reshape(2, 2)
    image = np.kron(steps, np.ones((shape[0] // 2, shape[1] // 2)))
    colour = image if len(shape) == 2 else np.repeat(image[..., None], shape[2], axis=2)
    return np.stack([colour, 1 - colour]).astype(np.float32)


def noisy(clean: np.ndarray, sigma: float = 0.1) -> np.ndarray:
    return (clean + sigma * np.random.default_rng(0).normal(size=clean.shape)).astype(np.float32)


# -- the baselines ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", BASELINES)
def test_it_takes_most_of_the_noise_from_flat_squares_and_leaves_what_came_alone(name, shape):
    clean = stairs(*shape)
    came = noisy(clean)
    before = came.copy()
    found = installed(name)(came, 0.1)
    assert (found.shape, found.dtype) == (clean.shape, np.float32)
    assert np.array_equal(came, before)
    assert (measure.psnr(clean, found, 1.0) > measure.psnr(clean, came, 1.0) + 3).all()


@pytest.mark.parametrize("name", BASELINES)
def test_each_image_is_its_own_and_may_have_a_strength_of_its_own(name):
    came, denoise = noisy(stairs(24, 20)), installed(name)
    together = denoise(came, np.array([0.1, 0.3]))
    for image, sigma, found in zip(came, (0.1, 0.3), together):
        np.testing.assert_allclose(denoise(image[None], sigma)[0], found, atol=1e-3)


@pytest.mark.parametrize("name", BASELINES)
def test_a_flat_image_without_noise_stays_as_it_is(name):
    flat = np.full((1, 16, 16), 0.5, np.float32)
    np.testing.assert_allclose(installed(name)(flat, 0.0), flat, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "median"])
def test_it_smooths_more_if_there_is_more_noise(name):
    came, denoise = noisy(stairs(24, 20), 0.2), installed(name)
    moved = [np.square(denoise(came, sigma) - came).mean() for sigma in (0.02, 0.2)]
    assert moved[0] < moved[1]


@pytest.mark.parametrize("name", BASELINES)
def test_images_smaller_than_its_windows_are_taken_too(name):
    for shape in ((1, 2, 3), (1, 8, 8, 3)):
        found = installed(name)(np.full(shape, 0.5, np.float32), 0.1)
        np.testing.assert_allclose(found, np.full(shape, 0.5), atol=1e-3)


def test_the_median_takes_a_single_pixel_away_in_each_colour():
    image = np.full((1, 9, 9, 3), 0.5, np.float32)
    image[0, 4, 4] = [0, 1, 0.5]
    assert (BASELINES["median"](image, 0.1) == 0.5).all()


# -- beside a model --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def denoiser(digits) -> nw.Autoencoder:
    return nw.Autoencoder(
        "mlp", {"kind": "plain", "size": 16}, corruption=NOISE, epochs=10, batch_size=32
    ).fit(digits)


@pytest.fixture(scope="module")
def table(denoiser, digits) -> measure.Table:
    return compare_denoisers(denoiser, digits[:20], baselines=QUICK)


def test_a_row_for_the_noisy_images_the_model_and_every_baseline(table):
    assert [row["denoiser"] for row in table] == ["noisy", "this model", *QUICK]
    for row in table:
        assert set(row) in ({"denoiser", "psnr", "ssim", "seconds"}, {"denoiser", "note"})


def test_the_noise_is_that_of_evaluate_and_so_are_the_figures(table, denoiser, digits):
    found = evaluate(denoiser, digits[:20])
    for row, view in zip(table, ("noisy", "denoised")):
        for name in ("psnr", "ssim"):
            assert row[name] == pytest.approx(found[f"{view}_{name}"], rel=1e-5)


def test_a_baseline_is_reported_the_strength_of_the_noise(table, denoiser, digits, monkeypatch):
    told = []
    monkeypatch.setitem(BASELINES, "median", lambda noisy, sigma: told.append(sigma) or noisy)
    row = next(
        row
        for row in compare_denoisers(denoiser, digits[:20], baselines=["median"])
        if row["denoiser"] == "median"
    )
    assert row["psnr"] == pytest.approx(table[0]["psnr"])
    np.testing.assert_allclose(told[-1], 0.2, rtol=0.3)


@pytest.mark.parametrize("form", ["flat", "floats"])
def test_images_in_any_form_give_the_same_figures(table, denoiser, digits, form):
    X = digits[:20].reshape(20, -1) if form == "flat" else digits[:20] / 255
    found = compare_denoisers(denoiser, X, baselines=["median"])
    for name in ("noisy", "this model", "median"):
        row, expected = (next(r for r in rows if r["denoiser"] == name) for rows in (found, table))
        assert row["psnr"] == pytest.approx(expected["psnr"], abs=1e-3)


def test_of_many_images_some_are_measured(denoiser, digits):
    few = compare_denoisers(denoiser, digits, most=5, noise={"kind": "gaussian", "sigma": 0.1})
    assert few[0]["psnr"] == pytest.approx(20, abs=1)
    assert few == few[:]
    again = compare_denoisers(denoiser, digits, most=5, noise={"kind": "gaussian", "sigma": 0.1})
    assert [row.get("psnr") for row in again] == [row.get("psnr") for row in few]


@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")
def test_colours_and_another_working_scale(colour):
    model = nw.recipe("ae-conv", scale="symmetric", epochs=1, batch_size=16).fit(colour)
    found = compare_denoisers(
        model, colour[:4], noise={"kind": "gaussian", "sigma": 0.2}, baselines=[]
    )
    assert found[0]["psnr"] == pytest.approx(20, abs=0.5), (
        "a sigma of 0.2 on [-1, 1] is 0.1 on [0, 1]"
    )


def test_what_is_not_installed_is_reported_in_its_row(denoiser, digits, monkeypatch):
    def absent(module, name):
        raise MissingExtra(f"this needs {module}: pip install 'narrows[{name}]'")

    monkeypatch.setattr(denoisers, "extra", absent)
    rows = {
        row["denoiser"]: row for row in compare_denoisers(denoiser, digits[:4], baselines=BASELINES)
    }
    assert list(rows)[3:] == [name for name in BASELINES if name != "median"]
    assert (
        rows["wavelet"]["note"]
        == "this needs skimage.restoration: pip install 'narrows[baselines]'"
    )
    assert "psnr" not in rows["wavelet"]
    assert rows["median"]["psnr"] > 0


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        (
            {},
            BuildError,
            "baselines: got 'a model that was trained on clean images', expected a denoiser that makes noise",
        ),
        (
            {"noise": "gausian"},
            UnknownName,
            "no corruption called 'gausian'; did you mean 'gaussian'",
        ),
        (
            {"noise": NOISE, "baselines": ["mean"]},
            UnknownName,
            "no baseline called 'mean'; did you mean 'median'",
        ),
        ({"noise": NOISE, "most": 0}, BuildError, "most: got 0"),
    ],
)
def test_wrong_use_is_refused(ae, digits, options, kind, words):
    with pytest.raises(kind, match=words):
        compare_denoisers(ae, digits[:4], **options)


def test_a_table_has_no_pixels_to_be_smoothed(table):
    model = nw.PCA(2).fit(np.random.default_rng(0).normal(size=(20, 5)))
    with pytest.raises(BuildError, match="baselines: got 'a table', expected images"):
        compare_denoisers(model, np.zeros((3, 5)), noise=NOISE)
