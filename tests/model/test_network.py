import pytest
import torch

from narrows.errors import BuildError, UnknownName
from narrows.model.build import build, parts_table
from narrows.model.network import Network, count_parameters
from narrows.parts.kinds import KINDS
from narrows.parts.up import LinearUp
from narrows.randomness import KeyedRandom
from narrows.scale import FIXED_SCALES

SPECS = {
    "corruption": "none", "body": "mlp", "bottleneck": "plain", "up": "auto",
    "likelihood": "gaussian", "prior": "auto", "penalties": (),
}  # fmt: skip
CONV = {"kind": "conv", "channels": [4, 8]}


def made(image=(1, 8, 8), scale="unit", **specs):
    return build({**SPECS, **specs}, image, FIXED_SCALES[scale], seed=0)


FITTING = [
    ({"kind": "mlp", "widths": [12]}, ["linear", "tied"]),
    (CONV, ["linear", "deconv", "resize"]),
    ({**CONV, "stages": "pooled"}, ["linear", "deconv", "resize", "unpool", "deconv+unpool"]),
]


@pytest.mark.parametrize(("body", "up"), [(body, up) for body, ups in FITTING for up in ups])
@pytest.mark.parametrize("bottleneck", ["plain", "relu", "sparse", "topk", "variational"])
@pytest.mark.parametrize("size", [8, None])
def test_parts_that_fit_give_images_of_the_size_that_came(body, up, bottleneck, size):
    x = torch.rand(3, 3, 9, 7)
    network = made((3, 9, 7), body=body, up=up, bottleneck={"kind": bottleneck, "size": size})
    done = network(x, KeyedRandom(0))
    assert done.out.shape == x.shape
    assert done.code.z.flatten(1).shape == (3, network.code_size)
    done.out.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_the_way_up_mirrors_the_body_by_default():
    network = made(
        body={"kind": "mlp", "widths": [40, 20]}, bottleneck={"kind": "plain", "size": 5}
    )
    shapes = [tuple(p.shape) for p in network.up.parameters() if p.dim() == 2]
    assert shapes == [(20, 5), (40, 20), (64, 40)]
    assert count_parameters(network) == sum(
        a * b + b for a, b in [(64, 40), (40, 20), (20, 5), (5, 20), (20, 40), (40, 64)]
    )


def test_reconstruction_is_deterministic_and_sampled_only_where_a_draw_is_given():
    x = torch.rand(4, 1, 8, 8)
    network = made(bottleneck="variational", body={"kind": "mlp", "dropout": 0.5}).eval()
    assert torch.equal(network.reconstruct(x), network.reconstruct(x))
    assert not torch.allclose(network.reconstruct(x), network.reconstruct(x, KeyedRandom(0)))
    assert torch.equal(
        network.reconstruct(x, KeyedRandom(0)), network.reconstruct(x, KeyedRandom(0))
    )


def test_weights_belong_to_the_seed_and_not_to_the_global_state():
    torch.manual_seed(1)
    one = made().state_dict()
    torch.manual_seed(2)
    two, other = (
        made().state_dict(),
        build(SPECS, (1, 8, 8), FIXED_SCALES["unit"], seed=1).state_dict(),
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["body.layers.0.weight"], other["body.layers.0.weight"])


def test_side_bits_are_counted_only_where_the_switches_are_used():
    pooled = {**CONV, "stages": "pooled"}
    assert made(body=pooled, up="resize").body.side_bits == 0
    assert made(body=pooled, up="unpool").body.side_bits == 2 * (4 * 4 * 4 + 8 * 2 * 2)


def test_a_part_may_be_a_class_of_ones_own():
    class Double(LinearUp):
        """Twice what `LinearUp` gives."""

        def forward(self, z, side, random=None):
            return 2 * super().forward(z, side, random)

    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(made(up=Double).reconstruct(x), 2 * made(up="linear").reconstruct(x))


@pytest.mark.parametrize(
    ("specs", "reason"),
    [
        (
            {"up": "unpool"},
            "up 'unpool' needs stages and switches: got a body that gives widths; use up='linear'",
        ),
        ({"body": CONV, "up": "unpool"}, "needs switches.*or body=.*'stages': 'pooled'"),
        ({"body": CONV, "up": "tied"}, "up 'tied' needs widths: got a body that gives stages"),
        (
            {"prior": "normal"},
            "prior 'normal' needs a variational bottleneck.* use prior='gaussian' or 'mixture'",
        ),
        ({"body": "mpl"}, "no body called 'mpl'; did you mean 'mlp'"),
        ({"body": {"widths": [3]}}, "expected a 'kind' in it"),
        ({"body": {"kind": "mlp", "width": [3]}}, "no option 'width'; did you mean 'widths'"),
        (
            {"body": {"kind": "conv", "channels": [2] * 9, "stages": "pooled"}},
            "at most 3 pooled stages",
        ),
        (
            {"bottleneck": {"kind": "topk", "size": 4, "k": 5}},
            "bottleneck 'topk': k: got 5, expected .* 1..4",
        ),
        ({"penalties": "contractive"}, "penalties: got 'contractive', expected a list"),
        (
            {"penalties": ["contractiv"]},
            "no penalty called 'contractiv'; did you mean 'contractive'",
        ),
        ({"body": {"kind": "mlp", "widths": 7}}, "widths: got 7, expected a list of integers"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_cure(specs, reason):
    with pytest.raises((BuildError, UnknownName), match=reason):
        made(**specs)


def test_a_likelihood_must_reach_the_working_scale():
    with pytest.raises(BuildError, match=r"'symmetric', -1 to 1.*'identity'"):
        made(scale="symmetric", likelihood={"kind": "gaussian", "output": "sigmoid"})
    with pytest.raises(BuildError, match="scale='unit', or likelihood='gaussian'"):
        made(scale="symmetric", likelihood="bernoulli")


def test_all_faults_are_reported_at_once():
    with pytest.raises(BuildError, match="for 3 reasons") as told:
        made(body="mpl", bottleneck={"kind": "plain", "siez": 3}, likelihood="gausian")
    for name in ("'mlp'", "'size'", "'gaussian'"):
        assert f"did you mean {name}" in str(told.value)


def test_the_table_of_parts_names_every_part_and_its_options():
    rows = {(row["kind"], row["part"]): row for row in parts_table()}
    assert "beta=1.0" in rows["bottleneck", "variational"]["options"]
    assert all(row["what"] for row in rows.values())


def test_a_network_made_by_hand_has_the_side_channel_that_its_way_up_needs():
    specs = {
        **SPECS,
        "body": {"kind": "conv", "channels": [4, 8], "stages": "pooled"},
        "up": "unpool",
    }
    built = build(specs, (1, 8, 8), FIXED_SCALES["unit"], seed=0)
    parts = {
        name: getattr(built, name)
        for name in ("bottleneck", "up", "likelihood", "prior", "corruption")
    }
    body = KINDS["body"].make(specs["body"], image=(1, 8, 8))
    by_hand = Network(body, **parts)
    body.load_state_dict(built.body.state_dict())
    x = torch.rand(3, 1, 8, 8)
    assert body.side_bits == built.body.side_bits > 0
    torch.testing.assert_close(by_hand.reconstruct(x), built.reconstruct(x))
