"""Laws of the bodies: features of the sizes they tell, for images of any size; switches only where
asked for.
"""

from itertools import pairwise
from math import prod

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from narrows.choose import choose
from narrows.errors import BuildError, UnknownName
from narrows.parts.bodies import BODIES
from narrows.parts.layers import ACTIVATIONS
from narrows.randomness import seeded_initialisation

IMAGES = [(1, 28, 28), (3, 7, 7), (2, 5, 9), (4, 13, 8), (1, 33, 17)]
SPECS = [
    *BODIES,
    {"kind": "mlp", "widths": []},
    {"kind": "mlp", "widths": [9], "activation": "elu", "dropout": 0.2, "batch_norm": True},
    {"kind": "conv", "stages": "pooled", "channels": [4, 6]},
    {
        "kind": "conv",
        "stages": "pooled",
        "channels": [4],
        "kernel": 1,
        "dropout": 0.2,
        "batch_norm": True,
    },
    {"kind": "conv", "channels": [4, 6, 5, 7], "kernel": 5, "activation": "gelu"},
    {"kind": "unet", "channels": [4, 5], "dropout": 0.2, "batch_norm": True},
    {"kind": "unet", "channels": [4, 5], "bias": False},
    {"kind": "residual", "width": 9, "hidden": 5, "blocks": 2, "dropout": 0.2},
]


def chosen(spec, image=(1, 28, 28)):
    with seeded_initialisation(0):
        return choose("body", BODIES, spec, image=image)


@pytest.mark.parametrize("image", IMAGES, ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_features_have_the_shape_that_is_reported(some, spec, image):
    body = chosen(spec, image).eval()
    x = some(3, *image)
    h, side = body.encode(x)
    assert h.shape == (3, *body.shape)
    assert (side, body.side_bits) == ([], 0)
    torch.testing.assert_close(
        body.encode(x[1:2])[0], h[1:2], msg="an image's features are its own"
    )


@pytest.mark.parametrize(("stages", "count"), [("strided", 5), ("pooled", 4)])
@pytest.mark.parametrize("image", [(1, 28, 28), (1, 31, 17), (1, 16, 40)], ids=str)
def test_stages_halve_up_or_down(stages, count, image):
    sizes = chosen({"kind": "conv", "stages": stages, "channels": [2] * count}, image).sizes
    assert sizes[0] == image[1:]
    for before, after in pairwise(sizes):
        assert after == tuple(n // 2 if stages == "pooled" else (n + 1) // 2 for n in before)


def test_the_sizes_of_the_labs():
    assert chosen({"kind": "conv", "stages": "pooled", "channels": [8, 16, 16]}).shape == (16, 3, 3)
    assert chosen({"kind": "conv", "channels": [128, 64, 32, 16]}, (3, 28, 28)).shape == (16, 2, 2)


def test_kept_switches_say_where_each_maximum_was(some):
    body = chosen({"kind": "conv", "stages": "pooled", "channels": [8, 16, 16]}).eval()
    plain, _ = body.encode(some(3, 1, 28, 28))
    body.keeps_side = True
    h, side = body.encode(some(3, 1, 28, 28))
    assert torch.equal(h, plain)
    assert [s.shape[1:] for s in side] == [(8, 14, 14), (16, 7, 7), (16, 3, 3)]
    before = body.layers[0](some(3, 1, 28, 28))
    assert torch.equal(
        before.flatten(2).gather(2, side[0].flatten(2)), F.max_pool2d(before, 2).flatten(2)
    )
    assert body.side_bits == 3136 + 1568 + 288 == 2 * sum(s[0].numel() for s in side)


@pytest.mark.parametrize("image", IMAGES, ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_widest_layer_is_the_one_with_the_most_values(some, spec, image):
    body = chosen(spec, image).eval()
    widths = []
    for layer in body.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(lambda _, given, out: widths.append(out[0].numel()))
    body.encode(some(1, *image))
    if "widths" in body.gives:
        widths.append(prod(image))
    assert body.widest == max(widths)


@pytest.mark.parametrize("channels", [[4], [4, 5], [3, 2, 7]])
@pytest.mark.parametrize("image", IMAGES, ids=str)
def test_the_side_channel_of_a_unet_has_32_bits_a_value(some, channels, image):
    body = chosen({"kind": "unet", "channels": channels}, image)
    body.keeps_side = True
    _, side = body.encode(some(1, *image))
    assert len(side) == len(channels)
    assert body.side_bits == 32 * sum(values.numel() for values in side)


def test_the_linears_are_those_of_the_widths_top_down():
    body = chosen({"kind": "mlp", "widths": [9, 5], "dropout": 0.1}, (2, 3, 4))
    assert [(a.in_features, a.out_features) for a in body.linears] == [(24, 9), (9, 5)]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"kind": "mlp", "widths": [3, 0]},
            r"widths: got \[3, 0\], expected a list of integers ≥ 1",
        ),
        ({"kind": "mlp", "widths": 3}, "widths: got 3, expected a list"),
        ({"kind": "mlp", "widths": "ab"}, "widths: got 'ab'"),
        ({"kind": "mlp", "widths": [2.5]}, "widths: got"),
        ({"kind": "mlp", "widths": None}, "wrong type"),
        ({"kind": "mlp", "dropout": 1}, "dropout: got 1"),
        ({"kind": "mlp", "widths": [], "dropout": 1}, "dropout: got 1"),
        ({"kind": "conv", "channels": []}, "channels: got .*, 1 at least"),
        ({"kind": "conv", "channels": [4, -1]}, "channels: got"),
        ({"kind": "conv", "kernel": 4}, "kernel: got 4, expected an odd number"),
        ({"kind": "conv", "kernel": -1}, "kernel: got -1"),
        ({"kind": "unet", "channels": []}, "channels: got .*, 1 at least"),
        ({"kind": "unet", "bias": 1}, "bias: got 1, expected True or False"),
        ({"kind": "residual", "blocks": 0}, r"hidden and blocks: got \[512, 1024, 0\]"),
        ({"kind": "residual", "dropout": 1}, "dropout: got 1"),
        (
            {"kind": "conv", "stages": "pooled", "channels": [2] * 5},
            "stages: got 5, .*; at most 4 pooled stages fit",
        ),
    ],
)
def test_wrong_options_are_refused(spec, words):
    with pytest.raises(BuildError, match=words):
        chosen(spec)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"kind": "mlp", "activation": "rleu"}, "did you mean 'relu'"),
        ({"kind": "mlp", "widths": [], "activation": "rleu"}, "did you mean 'relu'"),
        (
            {"kind": "conv", "stages": "pool"},
            "no kind of stage called 'pool'; did you mean 'pooled'",
        ),
    ],
)
def test_unknown_names_are_refused(spec, words):
    with pytest.raises(UnknownName, match=words):
        chosen(spec)


@pytest.mark.parametrize("stages", ["strided", "pooled"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_stage_normalises_then_activates_once(some, stages, batch_norm):
    spec = {"kind": "conv", "channels": [5], "stages": stages, "activation": "tanh"}
    body = chosen({**spec, "batch_norm": batch_norm}, (2, 8, 8)).eval()
    h = body.layers[0][0](some(3, 2, 8, 8))
    if batch_norm:
        body.layers[0][1].running_mean += 0.5
        h = (h - 0.5) / (1 + 1e-5) ** 0.5
    expected = F.max_pool2d(h, 2) if stages == "pooled" else h
    torch.testing.assert_close(body.encode(some(3, 2, 8, 8))[0], expected.tanh())


@pytest.mark.parametrize("activation", ["relu", "leaky-relu", "tanh", "softplus"])
def test_a_pooled_stage_may_activate_before_or_after_its_maximum(activation):
    torch.manual_seed(0)
    body = BODIES["conv"]((2, 8, 8), channels=[5], stages="pooled", activation=activation)
    x = torch.randn(3, 2, 8, 8)
    convolved = body.layers[0][0](x)
    first = F.max_pool2d(ACTIVATIONS[activation](convolved), 2)
    torch.testing.assert_close(body.encode(x)[0], first)
