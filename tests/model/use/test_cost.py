"""The cost of a large training is known before it starts."""

import numpy as np
import pytest

import narrows as nw
from narrows.model.use import cost
from narrows.model.use.cost import cost_in_words, planned_parameters

IMAGES = np.zeros((40, 8, 8), np.uint8)


@pytest.mark.parametrize("name", ["ae-mlp", "vae-conv", "denoiser-unet"])
def test_planned_parameters_are_those_of_the_fitted_model(name):
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    model = nw.recipe(name, epochs=1, device="cpu")
    planned = planned_parameters(model, images)
    assert planned == sum(p.numel() for p in prepared(model, images).parameters())


def prepared(model, images):
    return next(iter(model.fit_epochs(images))).network_


def test_the_cost_of_a_large_code_is_reported():
    model = nw.recipe("ae-mlp", bottleneck={"size": 1_000_000}, device="cpu")
    words = cost_in_words(model, IMAGES)
    parameters = planned_parameters(model, IMAGES)
    assert parameters > cost.LARGE
    assert words.startswith(
        f"{parameters:,} parameters, about {parameters * 16 / 1e9:.1f} GB of memory, at least "
    )
    assert "bottleneck.size" in words


@pytest.mark.parametrize(
    "model", [nw.recipe("ae-mlp"), nw.recipe("pca"), nw.recipe("ae-mlp", body="mpl")]
)
def test_no_cost_is_reported_of_a_small_model_or_one_that_cannot_be_built(model):
    assert cost_in_words(model, IMAGES) == ""
