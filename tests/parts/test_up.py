"""Laws of the ways up: sizes met exactly, tied weights that are the same weights, maxima put back
in their places.
"""

import copy

import pytest
import torch
from torch.nn import functional as F

from narrows.errors import BuildError, UnknownName
from narrows.model.network import count_parameters
from narrows.parts.ups import UPS
from narrows.randomness import KeyedRandom

POOLED = {"kind": "conv", "stages": "pooled", "channels": [8, 16, 16]}
WHOLE = {"kind": "relu", "size": None}


# -- linear ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "size", "up", "widths"),
    [
        ([12, 9, 5], 4, "auto", [4, 5, 9, 12, 63]),
        ([12, 9, 5], None, "auto", [5, 9, 12, 63]),
        ([], 4, "auto", [4, 63]),
        ([], None, "auto", [63, 63]),
        ([12], 4, {"kind": "linear", "widths": [6, 7]}, [4, 6, 7, 63]),
        ([12], 4, {"kind": "linear", "widths": []}, [4, 63]),
    ],
)
def test_linear_mirrors_the_body_unless_it_is_given_widths(make, body, size, up, widths):
    network = make(
        body={"kind": "mlp", "widths": body}, bottleneck={"kind": "plain", "size": size}, up=up
    )
    linears = [layer for layer in network.up.layers if isinstance(layer, torch.nn.Linear)]
    assert [linears[0].in_features, *(layer.out_features for layer in linears)] == widths


def test_linear_from_a_feature_map_is_one_layer(make):
    network = make(body={"kind": "conv", "channels": [4]}, bottleneck=WHOLE, up="linear")
    assert [tuple(p.shape) for p in network.up.parameters()] == [(63, 4 * 5 * 4), (63,)]


# -- tied ------------------------------------------------------------------------------------------


@pytest.fixture
def tied(make):
    return make(body={"kind": "mlp", "widths": [12, 5]}, up="tied")


def test_tied_weights_are_the_way_down_s_transposed(some, tied):
    (w1, w2), w3 = (layer.weight for layer in tied.body.linears), tied.bottleneck.project.weight
    for bias in tied.up.biases:
        bias.data += 0.1
    b3, b2, b1 = tied.up.biases
    z = some(4, 6) - 0.5
    expected = F.linear(F.linear(F.linear(z, w3.T, b3).relu(), w2.T, b2).relu(), w1.T, b1)
    torch.testing.assert_close(tied.decode(z), expected.view(4, 1, 9, 7))


def test_tied_weights_are_counted_and_stored_once(tied):
    assert count_parameters(tied) == (63 * 12 + 12) + (12 * 5 + 5) + (5 * 6 + 6) + (63 + 12 + 5)
    assert sum(name.endswith(".weight") for name in tied.state_dict()) == 3


def test_a_step_of_the_way_down_is_a_step_of_the_way_up(some, tied):
    z = some(4, 6)
    before = tied.decode(z)
    before.sum().backward()
    assert all(layer.weight.grad.any() for layer in [*tied.body.linears, tied.bottleneck.project])
    tied.body.linears[0].weight.data *= 2
    bias = tied.up.biases[-1].view(1, 1, 9, 7)
    torch.testing.assert_close(tied.decode(z) - bias, 2 * (before - bias))


def test_a_copy_is_tied_to_itself_alone(some, tied):
    z, other = some(4, 6), copy.deepcopy(tied)
    before = tied.decode(z)
    other.body.linears[0].weight.data.zero_()
    assert torch.equal(tied.decode(z), before)
    assert torch.equal(other.decode(z), other.up.biases[-1].view(1, 1, 9, 7).expand(4, -1, -1, -1))


def test_tied_to_two_heads_uses_the_mean_s(some, make):
    network = make(
        body={"kind": "mlp", "widths": []}, bottleneck={"kind": "variational", "size": 3}, up="tied"
    )
    z = some(4, 3)
    assert torch.equal(network.decode(z).flatten(1), z @ network.bottleneck.project.weight[:3])


# -- deconv, resize --------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("stages", ["strided", "pooled"])
def test_deconv_meets_every_size_exactly(some, make, stages, kernel):
    for n in range(2, 20):
        body = {"kind": "conv", "stages": stages, "channels": [2]}
        network = make(
            (1, n, 21 - n), body=body, bottleneck=WHOLE, up={"kind": "deconv", "kernels": kernel}
        )
        (layer,) = network.up.layers
        assert network.reconstruct(some(2, 1, n, 21 - n)).shape == (2, 1, n, 21 - n)
        assert set(layer.output_padding) <= {0, 1}


def test_the_deconvolutions_of_the_labs(make):
    three = make(
        (1, 28, 28), body=POOLED, bottleneck=WHOLE, up={"kind": "deconv", "kernels": [3, 4, 4]}
    )
    assert [layer.kernel_size[0] for layer in three.up.layers] == [3, 4, 4]
    assert [layer.padding[0] for layer in three.up.layers] == [0, 1, 1]
    assert [layer.output_padding[0] for layer in three.up.layers] == [0, 0, 0]
    four = make((3, 28, 28), body={"kind": "conv", "channels": [128, 64, 32, 16]}, bottleneck=WHOLE)
    assert [layer.out_channels for layer in four.up.layers] == [32, 64, 128, 3]
    assert [layer.output_padding[0] for layer in four.up.layers] == [1, 0, 1, 1]


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_resize_with_identity_kernels_is_a_larger_picture(some, make, mode):
    body = {"kind": "conv", "channels": [1]}
    network = make(
        (1, 9, 7), body=body, bottleneck=WHOLE, up={"kind": "resize", "mode": mode, "kernels": None}
    )
    z = some(3, 1, 5, 4)
    assert torch.equal(network.decode(z), F.interpolate(z, (9, 7), mode=mode))


@pytest.mark.parametrize("up", ["deconv", "resize"])
def test_channels_on_the_way_up_may_be_chosen(some, make, up):
    network = make((1, 28, 28), body=POOLED, up={"kind": up, "channels_up": [5, 3]})
    assert [layer.out_channels for layer in network.up.layers] == [5, 3, 1]
    assert network.reconstruct(some(2, 1, 28, 28)).shape == (2, 1, 28, 28)


# -- unpool ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (9, 7), (5, 4)], ids=str)
@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("up", ["unpool", "deconv+unpool"])
def test_with_identity_kernels_the_maxima_come_back_to_their_places(some, make, up, stages, size):
    body = {
        "kind": "conv",
        "stages": "pooled",
        "channels": [1] * stages,
        "kernel": 1,
        "activation": "identity",
    }
    whole = {"kind": "plain", "size": None}
    network = make((1, *size), body=body, bottleneck=whole, up={"kind": up, "kernels": 1})
    for parameter in network.parameters():
        parameter.data.fill_(float(parameter.dim() == 4))
    x = some(6, 1, *size)
    block = 2**stages
    out = network.reconstruct(x)[:, 0]
    for k, image in enumerate(x[:, 0]):
        kept = torch.zeros(size)
        for i in range(size[0] // block):
            for j in range(size[1] // block):
                place = (slice(i * block, (i + 1) * block), slice(j * block, (j + 1) * block))
                kept[place] = torch.where(image[place] == image[place].max(), image[place], 0)
        torch.testing.assert_close(out[k], kept)


@pytest.mark.parametrize("up", UPS)
def test_the_side_bits_are_those_of_the_switches_and_0_without_them(make, up):
    if UPS[up].needs <= {"stages", "switches"}:
        network = make((1, 28, 28), body=POOLED, up=up, bottleneck=WHOLE)
        assert network.body.side_bits == (3136 + 1568 + 288 if UPS[up].side else 0)
        assert network.code_size == 144


def test_the_unpooling_of_the_labs(some, make):
    network = make(
        (1, 28, 28), body=POOLED, bottleneck=WHOLE, up={"kind": "unpool", "kernels": [None, 3, 3]}
    )
    shapes = [tuple(p.shape) for p in network.up.parameters() if p.dim() == 4]
    assert shapes == [(8, 16, 3, 3), (1, 8, 3, 3)]
    assert network.reconstruct(some(2, 1, 28, 28)).shape == (2, 1, 28, 28)


@pytest.mark.parametrize("up", [name for name in UPS if UPS[name].side])
def test_a_code_without_its_side_channel_is_refused_with_a_cure_that_works(some, make, up):
    body, cure = {"unet": ("unet", "linear"), "photo": ("photo", "linear")}.get(
        up, (POOLED, "resize")
    )
    with pytest.raises(
        BuildError, match=rf"side: got None, expected the .* of the way down; .* up='{cure}'"
    ):
        make((1, 28, 28), body=body, up=up).decode(some(2, 6))
    assert make((1, 28, 28), body=body, up=cure).decode(some(2, 6)).shape == (2, 1, 28, 28)


# -- unet ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [(1, 28, 28), (3, 9, 7), (4, 1, 5), (2, 33, 18)], ids=str)
@pytest.mark.parametrize("channels", [[4], [3, 5], [2, 3, 4, 5]], ids=str)
def test_the_skips_of_a_unet_are_its_stages_and_the_side_bits_are_theirs(
    some, make, image, channels
):
    network = make(image, body={"kind": "unet", "channels": channels}, bottleneck=WHOLE)
    h, side = network.body.encode(some(2, *image))
    assert [s.shape[1] for s in side] == [image[0], *channels[:-1]]
    assert network.body.side_bits == 32 * sum(s[0].numel() for s in side)
    assert network.code_size == h[0].numel()
    assert network.body.widest >= max(s[0].numel() for s in (h, *side[1:]))


def test_a_unet_that_puts_out_nothing_gives_the_image_itself(some, make):
    network = make((3, 9, 7), body="unet", bottleneck=WHOLE)
    network.up.last.weight.data.zero_()
    network.up.last.bias.data.zero_()
    x = some(4, 3, 9, 7) * 3 - 1
    assert torch.equal(network.reconstruct(x), x)


@pytest.mark.parametrize("bias", [True, False])
def test_a_unet_without_biases_is_homogeneous(some, make, bias):
    network = make((3, 9, 7), body={"kind": "unet", "bias": bias}, bottleneck=WHOLE).eval()
    x = some(4, 3, 9, 7)
    assert torch.allclose(network.reconstruct(3 * x), 3 * network.reconstruct(x), atol=1e-4) != bias


def test_a_skip_by_passes_the_code(some, make):
    network = make((1, 28, 28), body="unet").eval()
    network.bottleneck.project.weight.data.zero_()
    x = some(2, 1, 28, 28)
    left = network.reconstruct(x) - x
    assert not torch.allclose(left[0], left[1]), (
        "without skips, all images of one code would get the same"
    )


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("up", "words"),
    [
        ({"kind": "linear", "widths": [0]}, r"widths: got \[0\], expected"),
        ({"kind": "deconv", "channels_up": [5]}, r"channels_up: got \[5\], expected 2 integers"),
        (
            {"kind": "deconv", "channels_up": [5, 0]},
            r"channels_up: got \[5, 0\], expected a list of integers ≥ 1",
        ),
        (
            {"kind": "unpool", "channels_up": [7, 5]},
            r"channels_up: got \[7, 5\], expected \[16, 8\].*; leave it out",
        ),
        ({"kind": "deconv", "kernels": 2}, "kernels: got 2, expected integers ≥ 3"),
        ({"kind": "deconv", "kernels": None}, "kernels: got None, expected integers ≥ 3"),
        (
            {"kind": "deconv", "kernels": [3, 3]},
            r"kernels: got \[3, 3\], expected one number, or 3",
        ),
        ({"kind": "unpool", "kernels": 4}, "kernels: got 4, expected odd numbers"),
        (
            {"kind": "unpool", "kernels": None},
            r"expected a convolution where the channels change \(16 to 8\)",
        ),
        ({"kind": "deconv+unpool", "kernels": 4}, "kernels: got 4, expected odd numbers"),
        ({"kind": "deconv+unpool", "kernels": None}, "kernels: got None, expected odd numbers"),
        ({"kind": "resize", "kernels": 0}, "kernels: got 0, expected odd numbers"),
    ],
)
def test_wrong_options_are_refused_at_the_build(make, up, words):
    with pytest.raises(BuildError, match=words):
        make((1, 28, 28), body=POOLED, up=up)


def test_an_unknown_mode_is_refused(make):
    with pytest.raises(UnknownName, match="no mode called 'nearst'; did you mean 'nearest'"):
        make(body={"kind": "conv"}, up={"kind": "resize", "mode": "nearst"})


def test_dropout_follows_every_layer_but_the_last(some, make):
    body = {"kind": "conv", "channels": [4, 5], "dropout": 0.5}
    network = make(body=body, up="deconv")
    z = some(50, 6)
    drawn = network.decode(z, random=KeyedRandom(0))
    assert not torch.equal(drawn, network.decode(z))
    assert (drawn != 0).all(), "never after the output"
