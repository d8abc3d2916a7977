"""A sibling estimator that defines what a model must define works everywhere, without an edit
elsewhere.
"""

from typing import Any, Self

import numpy as np
import pytest
from torch import Tensor

import narrows as nw
from narrows.errors import BuildError, Faults
from narrows.image_batches import ImageBatches
from narrows.model import recipes
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.fitting import begin_fit, calibrate
from narrows.model.protocol import Model
from narrows.model.use.baselines import compare_denoisers
from narrows.model.use.evaluate import image_rows
from narrows.model.use.tiles import error_map, process_tiled, worst_tile_score
from narrows.parts.objective import Elbo
from narrows.parts.prior import GaussianPrior
from narrows.study.run import run_study
from narrows.study.schema import Run, Study
from small_models import UNCALIBRATED


class Brightness(ImageModel):
    """The mean image, made as bright as the image is: a code of one number."""

    def __init__(self, image_shape: Any = None, random_state: Any = 0):
        self.image_shape = image_shape
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, logger: Any = None) -> Self:
        faults = Faults("Brightness cannot be fitted")
        given = begin_fit(self, X, "unit", faults)
        faults.stop(BuildError)
        images = ImageBatches(given.images, self.layout_, self.scale_)
        self.mean_ = images.batch(slice(0, len(images))).mean(0)
        self.code_size_ = 1
        self.prior_ = GaussianPrior(1)
        calibrate(self, images, self.prior_)
        return self

    @property
    def n_parameters_(self) -> int:
        return self.mean_.numel()

    def _encode(self, x: Tensor) -> Tensor:
        return x.flatten(1).mean(1, keepdim=True) / self.mean_.mean()

    def _decode(self, z: Tensor) -> Tensor:
        return z.view(-1, 1, 1, 1) * self.mean_

    def _sample_codes(self, count: int, seed: int) -> Tensor:
        return self.prior_.sample(count, seed)

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {"mean_": self.mean_}, {}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.mean_ = tensors["mean_"]
        self.code_size_ = 1
        self.prior_ = GaussianPrior(1)


@pytest.fixture(scope="module")
def sibling(digits) -> Brightness:
    return Brightness().fit(digits)


def test_it_answers_what_the_protocol_asks(sibling):
    model: Model = sibling
    names = {name for name in vars(Model) if not name.startswith("__")} | set(Model.__annotations__)
    for name in names - {"_abc_impl", "_is_protocol", "__abstractmethods__"}:
        getattr(model, name)


def test_it_is_measured_and_compared(sibling, digits):
    measures = nw.evaluate(sibling, digits)
    assert measures["code_size"] == 1
    assert 0 < measures["psnr"] < 30
    assert [row["model"] for row in nw.compare([sibling, "pca"], digits, digits)] == [
        "Brightness",
        "pca",
    ]
    assert image_rows(sibling, digits[:3]).keys() == {"original", "reconstruction"}


@pytest.mark.filterwarnings(UNCALIBRATED)
def test_scores_find_anomalies_and_large_pictures_are_processed(sibling, digits):
    assert sibling.flag(digits).mean() == pytest.approx(0.01, abs=0.01)
    large = np.tile(digits[:1], (1, 2, 2))
    assert process_tiled(sibling, large, "denoise").shape == large.shape
    assert worst_tile_score(sibling, large).shape == (1,)
    assert error_map(sibling, large).shape == large.shape


def test_it_denoises_samples_and_interpolates(sibling, digits):
    noise = {"kind": "gaussian", "sigma": 0.3}
    table = compare_denoisers(sibling, digits[:20], noise=noise, baselines=["median"])
    assert [row["denoiser"] for row in table] == ["noisy", "this model", "median"]
    assert sibling.sample(3).shape == (3, 8, 8)
    assert nw.interpolate(sibling, digits[0], digits[1], steps=4).shape == (4, 8, 8)


def test_it_is_saved_and_loaded(sibling, digits, tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.ESTIMATORS, "brightness", Brightness)
    loaded = nw.load(nw.save(sibling, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(loaded.anomaly_score(digits), sibling.anomaly_score(digits))
    assert loaded.threshold_ == sibling.threshold_


def test_it_goes_through_a_study_to_a_page(tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.ESTIMATORS, "brightness", Brightness)
    recipe = recipes.Recipe(
        "the mean image, made as bright as the image is", "a test", {}, "brightness"
    )
    monkeypatch.setitem(recipes.RECIPES, "brightness", recipe)
    study = Study("Brightness", data="digits", runs=[Run("brightness", "brightness")])
    run_study(study, tmp_path / "run")
    assert "Brightness" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.filterwarnings("ignore:the model predicts a constant")
def test_terms_that_are_not_declared_are_called_by_their_names(digits):
    """A registered objective may put out more than it declares."""

    class Twice(Elbo):
        def data(self, network, forward, x):
            terms = super().data(network, forward, x)
            return {**terms, "my_cost": terms["nll"]}

    model = nw.Autoencoder(objective=Twice, epochs=1, validation=0.5).fit(digits[:32])
    assert list(model.terms_) == ["nll", "my_cost"]
    assert model.terms_["my_cost"].title == "my cost"
