"""The labs' settings, as LABS writes them, and how changes merge into a recipe."""

import numpy as np
import pytest
from torch import nn

import narrows as nw
from narrows.errors import BuildError, UnknownName
from narrows.model.recipes import RECIPES

SHORT = [
    "ae-mlp", "ae-conv", "sparse-mlp", "denoising-mlp", "denoising-conv", "denoiser-unet",
    "vae-mlp", "vae-conv", "compression-mlp",
]  # fmt: skip


def network(name, X, **changes):
    return nw.recipe(name, **changes)._prepare(X).network


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("lab-a", [784, 256, 128, 64, 128, 256, 784]),
        ("lab-b", [784, 128, 64, 32, 64, 128, 784]),
        ("lab-c", [784, 400, 40, 400, 784]),  # two heads of 20
        ("lab-d", [784, 400, 4, 400, 784]),
        ("lab-e1", [784, 512, 256, 128, 30, 128, 256, 784]),
        *((f"lab-e2-{h}", [784, h, 784]) for h in (64, 128, 256)),
        *((f"lab-e3-{w}", [784, 1156, 784]) for w in ("1e-6", "1e-5", "1e-4")),
        *((f"lab-e4-{s}", [784, 256, 784]) for s in ("0.3", "0.5", "0.8", "0.9")),
        ("lab-e5", [784, 64, 8, 64, 784]),
    ],
)
def test_the_layers_of_the_labs_mlps(name, widths, grey):
    linears = [layer for layer in network(name, grey).modules() if isinstance(layer, nn.Linear)]
    assert [784, *(layer.out_features for layer in linears)] == widths


@pytest.mark.parametrize(
    ("names", "epochs", "batch", "rate"),
    [
        (["lab-a"], 15, 128, 1e-3),
        (["lab-b"], 50, 256, 1e-3),
        (["lab-c", "vae-mlp"], 5, 128, 1e-3),
        (["lab-d"], 20, 128, 1e-3),
        (["lab-e1", "lab-e2-64", "lab-e3-1e-6", "lab-e5", "lab-e6-deconv"], 10, 256, 1e-3),
        (["lab-e4-0.3", "lab-e4-0.9"], 10, 256, 8e-4),
        (["lab-f-plain", "lab-f-regular", "lab-f-vae"], 20, 128, 1e-3),
    ],
)
def test_the_training_of_the_labs(names, epochs, batch, rate, grey):
    for name in names:
        model = nw.recipe(name)
        assert (model.epochs, model.batch_size, model.training["keep"]) == (epochs, batch, "last")
        assert model._prepare(grey).learning_rate == rate


def test_published_weights_are_converted_to_sums_over_an_image():
    weights = [nw.recipe(f"lab-e3-{w}").bottleneck["weight"] for w in ("1e-6", "1e-5", "1e-4")]
    assert weights == pytest.approx([0.200704, 2.00704, 20.0704])
    assert nw.recipe("lab-f-plain").optimiser["weight_decay"] == pytest.approx(0.02352)
    for name, values in (
        ("lab-a", 784),
        ("lab-b", 784),
        ("lab-e1", 784),
        ("lab-e4-0.5", 784),
        ("lab-f-vae", 2352),
    ):
        assert nw.recipe(name).optimiser["eps"] == pytest.approx(1e-8 * values)


def test_lab_e6_goes_28_14_7_3_and_its_switches_are_4992_bits(grey):
    for name, bits in (("lab-e6-unpool", 4992), ("lab-e6-both", 4992), ("lab-e6-deconv", 0)):
        found = network(name, grey)
        assert found.body.sizes == [(28, 28), (14, 14), (7, 7), (3, 3)]
        assert found.body.side_bits == bits
        assert found.code_size == 16 * 3 * 3
    decoder = [
        layer
        for layer in network("lab-e6-deconv", grey).up.modules()
        if isinstance(layer, nn.ConvTranspose2d)
    ]
    assert [
        (d.in_channels, d.out_channels, d.kernel_size[0], d.stride[0], d.padding[0])
        for d in decoder
    ] == [
        (16, 16, 3, 2, 0),
        (16, 8, 4, 2, 1),
        (8, 1, 4, 2, 1),
    ]


def test_lab_f_goes_28_14_7_4_2_and_back_with_the_output_paddings_of_the_lab(colour):
    found = network("lab-f-plain", colour)
    assert [size for size, _ in found.body.sizes] == [28, 14, 7, 4, 2]
    assert found.code_size == 64
    decoder = [layer for layer in found.up.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert [d.out_channels for d in decoder] == [32, 64, 128, 3]
    assert [d.output_padding for d in decoder] == [(1, 1), (0, 0), (1, 1), (1, 1)]
    assert len(network("lab-f-vae", colour).bottleneck.project.bias) == 128  # two heads, 64 to 64


def test_a_change_merges_into_a_part_of_the_same_kind_and_replaces_another():
    assert nw.recipe("vae-mlp", bottleneck={"size": 2}).bottleneck == {
        "kind": "variational",
        "size": 2,
    }
    assert nw.recipe("vae-mlp", bottleneck={"kind": "relu"}).bottleneck == {"kind": "relu"}
    assert nw.recipe("vae-mlp", bottleneck="plain").bottleneck == "plain"
    assert nw.recipe("vae-mlp", likelihood={"kind": "bernoulli"}).likelihood == {
        "kind": "bernoulli"
    }
    assert nw.recipe("lab-c", training={"ema": 0.9}).training == {"keep": "last", "ema": 0.9}
    assert nw.recipe("ae-mlp", optimiser={"kind": "adam", "rate": 0.1}, epochs=3).epochs == 3


def test_a_change_of_one_model_leaves_the_recipe_alone():
    model = nw.recipe("lab-c")
    model.training["keep"] = "best"
    model.body["widths"].append(7)
    assert nw.recipe("lab-c").training == {"keep": "last"}
    assert nw.recipe("lab-c").body == {"kind": "mlp", "widths": [400]}


def test_the_table_names_every_recipe_and_where_it_comes_from():
    rows = nw.recipes()
    assert [row["recipe"] for row in rows] == list(RECIPES)
    assert all(row["what"] and row["from"] for row in rows)
    assert set(SHORT) <= set(RECIPES)


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("shape", [(5, 7), (16, 9, 3), (33, 20, 4), (1, 3)], ids=str)
@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")
def test_the_short_names_take_images_of_any_size(name, shape):
    X = np.random.default_rng(0).integers(0, 256, (6, *shape), np.uint8)
    model = nw.recipe(name, epochs=1).fit(X)
    assert model.denoise(X).shape == X.shape
    if not model.side_bits_:
        assert model.sample(6).shape == X.shape


@pytest.mark.parametrize(
    ("name", "changes", "kind", "reason"),
    [
        ("vea-mlp", {}, UnknownName, "no recipe called 'vea-mlp'; did you mean 'vae-mlp'"),
        ("lab-z", {}, UnknownName, "no recipe called 'lab-z'; .*known: ae-conv, "),
        (
            "vae-mlp",
            {"epoch": 3},
            BuildError,
            "recipe 'vae-mlp': it has no option 'epoch'; did you mean 'epochs'",
        ),
        ("pca", {"epochs": 3}, BuildError, "no option 'epochs'"),
        (
            "vae-mlp",
            {"epoch": 3, "optimizer": "adam"},
            BuildError,
            "2 reasons(.|\\n)*'epochs'(.|\\n)*'optimiser'",
        ),
    ],
)
def test_wrong_names_and_options_are_refused(name, changes, kind, reason):
    with pytest.raises(kind, match=reason):
        nw.recipe(name, **changes)
