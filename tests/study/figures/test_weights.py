"""Filters are a layer's weights as images; sheets of kernels hold every weight once."""

import numpy as np
import pytest
import torch
from torch import nn

import narrows as nw
from narrows.errors import BuildError
from narrows.study.figures import STUDY_FIGURES
from narrows.study.trained import Trained
from small_models import CONSTANT

UPS = ["unpool", "deconv", "deconv+unpool", "resize"]


def layers(model, part: str, kinds) -> list:
    return [layer for layer in getattr(model.network_, part).modules() if isinstance(layer, kinds)]


def test_filters_of_the_encoder_are_the_rows_of_its_first_layer(models, picture):
    model = models["grey-3"].model
    weight = layers(model, "body", nn.Linear)[0].weight.detach().numpy()
    (figure,) = picture("filters", "grey-3")
    np.testing.assert_array_equal(figure.arrays["grey-3"], weight.reshape(16, 8, 8))
    assert figure.options["signed"] is True
    assert figure.title == ""


def test_filters_of_the_decoder_are_what_its_units_draw(models, picture):
    weight = layers(models["grey-3"].model, "up", nn.Linear)[-1].weight.detach().numpy()
    (figure,) = picture("filters", "grey-3", of="decoder")
    np.testing.assert_array_equal(figure.arrays["grey-3"], weight.T.reshape(16, 8, 8))
    assert figure.name == "decoder"


def test_a_layer_alone_is_the_first_and_its_filters_answer_to_images(models, sets, picture):
    """Each unit of relu codes is the image times its filter, plus the bias, above 0."""
    model = models["grey-relu"].model
    filters = picture("filters", "grey-relu")[0].arrays["grey-relu"]
    x = sets["grey"].test.images / 255
    (layer,) = layers(model, "bottleneck", nn.Linear)
    answers = np.einsum("nhw,uhw->nu", x, filters) + layer.bias.detach().numpy()
    np.testing.assert_allclose(
        model.transform(sets["grey"].test.images), answers.clip(0), atol=1e-5
    )


def test_no_more_than_asked_for_are_shown_and_that_is_reported(picture):
    (figure,) = picture("filters", "grey-3", "grey-relu", count=10)
    assert {name: len(images) for name, images in figure.arrays.items()} == {
        "grey-3": 10,
        "grey-relu": 9,
    }
    assert figure.title == "the first 10 units of each"


def test_a_linear_layer_that_sees_features_is_no_filter_even_if_its_size_is_the_images(sets):
    # 4 x 4 x 4 features of 8 x 8 pixels
    body = {"kind": "conv", "channels": [4], "stages": "pooled"}
    model = nw.Autoencoder(body, {"kind": "plain", "size": 3}, epochs=1).fit(
        sets["grey"].train.images
    )
    assert layers(model, "bottleneck", nn.Linear)[0].weight.shape[1] == 64
    assert list(STUDY_FIGURES["filters"]([Trained("conv", model, sets["grey"])])) == []


def test_another_end_is_refused(picture):
    with pytest.raises(BuildError, match="of: got 'middle', expected 'encoder' or 'decoder'"):
        picture("filters", "grey-3", of="middle")


@pytest.mark.filterwarnings(CONSTANT)
@pytest.mark.parametrize("up", UPS)
def test_sheets_of_kernels_hold_every_weight_of_the_way_up_once(sets, up):
    body = {"kind": "conv", "channels": [4, 6], "stages": "pooled"}
    model = nw.Autoencoder(body, {"kind": "plain", "size": None}, up=up, epochs=1).fit(
        sets["grey"].train.images
    )
    (figure,) = STUDY_FIGURES["kernels"]([Trained("net", model, sets["grey"])])
    convolutions = layers(model, "up", (nn.Conv2d, nn.ConvTranspose2d))
    assert len(figure.arrays) == len(convolutions) > 0
    for sheet, layer in zip(figure.arrays.values(), convolutions):
        np.testing.assert_array_equal(
            np.sort(sheet, None), np.sort(layer.weight.detach().numpy(), None)
        )


def test_a_sheet_has_a_row_for_each_output_and_a_column_for_each_input(models, picture):
    (figure,) = picture("kernels", "grey-side")
    convolutions = layers(models["grey-side"].model, "up", nn.Conv2d)
    for k, ((name, sheet), layer) in enumerate(
        zip(figure.arrays.items(), convolutions, strict=True)
    ):
        outputs, inputs = layer.weight.shape[:2]
        assert figure.options["columns"][k] == inputs
        for i in range(inputs):
            for j in range(outputs):
                np.testing.assert_array_equal(
                    sheet[j * inputs + i], layer.weight[j, i].detach().numpy()
                )
        rms = torch.sqrt(layer.weight.square().mean()).item()
        assert name == f"convolution {k + 1}: {inputs} → {outputs}, root mean square {rms:.3f}"
