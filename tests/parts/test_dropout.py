"""Laws of what parts are made of: dropout by a key, activations by name, and the order of a layer's
followers.
"""

import pytest
import torch
from torch import nn

from narrows.errors import BuildError, UnknownName
from narrows.parts.layers import ACTIVATIONS, Activation, Chain, Dropout, after_weights
from narrows.randomness import KeyedRandom


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_its_share_is_dropped_and_the_mean_is_kept(some, rate):
    h = torch.ones(500, 400)
    out = Dropout(rate)(h, KeyedRandom(0))
    assert abs((out == 0).float().mean() - rate) < 0.005
    assert abs(out.mean() - 1) < 0.02
    torch.testing.assert_close(out[out != 0], torch.full_like(out[out != 0], 1 / (1 - rate)))


@pytest.mark.parametrize("how", ["eval", "no draw", "rate 0"])
def test_otherwise_nothing_is_dropped(some, how):
    layer, h = Dropout(0.0 if how == "rate 0" else 0.5), some(5, 6)
    layer.train(how != "eval")
    assert torch.equal(layer(h, None if how == "no draw" else KeyedRandom(0)), h)


def test_a_rate_of_almost_1_drops_everything(some):
    assert not Dropout(1 - 1e-6)(some(50, 40), KeyedRandom(0)).any()
    assert not KeyedRandom(0).chance("dropout", some(50, 40), 0.0).any()


def test_what_is_dropped_belongs_to_the_draw_and_ranks_drop_rows_of_the_whole(some):
    layer, h = Dropout(0.5), some(20, 3, 4, 4)
    whole = layer(h, KeyedRandom(0, 1, 2))
    part = slice(5, 11)
    assert torch.equal(whole, layer(h, KeyedRandom(0, 1, 2)))
    assert not torch.equal(whole, layer(h, KeyedRandom(0, 1, 3)))
    assert torch.equal(whole[part], layer(h[part], KeyedRandom(0, 1, 2, rows=part, total=20)))


def test_two_layers_drop_other_values(some):
    h, random = torch.ones(20, 50), KeyedRandom(0)
    first, second = Dropout(0.5), Dropout(0.5)
    assert not torch.equal(first(h, random), second(h, random))


@pytest.mark.parametrize("rate", [-0.1, 1, 2, float("nan")])
def test_a_wrong_rate_is_refused(rate):
    with pytest.raises(BuildError, match=f"dropout: got {rate}, expected a rate in"):
        Dropout(rate)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_keep_the_shape_and_never_turn_back(name):
    h = torch.linspace(0, 3, 50).view(5, 10)
    out = Activation(name)(h)
    assert out.shape == h.shape
    assert (out.flatten().diff() > 0).all(), "they grow with h ≥ 0"


def test_an_unknown_activation_is_refused():
    with pytest.raises(UnknownName, match="no activation called 'rleu'; did you mean 'relu'"):
        Activation("rleu")


@pytest.mark.parametrize("flat", [True, False])
def test_a_layer_is_followed_by_norm_activation_dropout_in_this_order(flat):
    kinds = [
        type(layer) for layer in after_weights(3, "relu", batch_norm=True, dropout=0.5, flat=flat)
    ]
    assert kinds == [nn.BatchNorm1d if flat else nn.BatchNorm2d, Activation, Dropout]
    assert [type(layer) for layer in after_weights(3, "relu", False, 0.0, flat)] == [Activation]


def test_a_chain_hands_the_draw_to_those_that_need_it(some):
    h = some(9, 4) + 1
    chain = Chain([Activation("relu"), Dropout(0.5)])
    assert torch.equal(chain(h), h)
    assert torch.equal(chain(h, KeyedRandom(0)), Dropout(0.5)(h, KeyedRandom(0)))
    assert torch.equal(Chain()(h, KeyedRandom(0)), h)
