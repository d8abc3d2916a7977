"""Parts of one's own: registered by one line, plain modules as body and way up, and what is refused."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import narrows as nw
from narrows.errors import BuildError, UnknownName
from narrows.parts import register as register_module
from narrows.parts.bottleneck import Plain
from narrows.parts.kinds import KINDS
from narrows.parts.register import ModuleBody, custom_paths, import_path
from narrows.randomness import KeyedRandom


class Down(nn.Module):
    """Images to a feature map; knows nothing of Narrows."""

    def __init__(self, image, width: int = 4, dropout: float = 0.0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(image[0], width, 3, 2, 1), nn.ReLU(), nn.Dropout(dropout)
        )

    def forward(self, x):
        return self.layers(x)


class Climb(nn.Module):
    """Codes to images; told their sizes by the build."""

    def __init__(self, size, channels, image):
        super().__init__()
        self.shape = (channels, *image[1:])
        self.layer = nn.Linear(size, channels * image[1] * image[2])

    def forward(self, z):
        return self.layer(z).view(-1, *self.shape)


@pytest.fixture(autouse=True)
def _tables(monkeypatch):
    """Whatever a test registers is gone after it."""
    for name, kind in KINDS.items():
        monkeypatch.setitem(KINDS, name, replace(kind, table=dict(kind.table)))


@pytest.fixture(scope="module")
def digits():
    return nw.load_data("digits", split="train")[0][:64]


def fitted(X, **changes):
    options = {
        "body": "Down",
        "bottleneck": {"kind": "plain", "size": 6},
        "up": "Climb",
        "epochs": 12,
        **changes,
    }
    return nw.Autoencoder(**options, batch_size=8).fit(X)


def test_plain_modules_are_an_autoencoder(digits):
    nw.register("body", Down)
    nw.register("up", Climb)
    model = fitted(digits, body={"kind": "Down", "width": 3})
    assert model.history_["loss"][-1] < 0.8 * model.history_["loss"][0]
    assert model.transform(digits).shape == (64, 6)
    assert model.reconstruct(digits).shape == model.sample(64).shape == digits.shape
    assert model.network_.body.shape == (3, 4, 4)


def test_they_are_saved_and_read_again_exactly(digits, tmp_path):
    nw.register("body", Down)
    nw.register("up", Climb)
    model = fitted(digits)
    again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(again.reconstruct(digits), model.reconstruct(digits))


def test_only_registered_parts_have_custom_paths():
    class Mine(KINDS["penalty"].base):
        pass

    nw.register("body", Down)
    nw.register("penalty", Mine)
    specs = {"body": {"kind": "Down", "width": 3}, "up": "linear", "penalties": ["Mine"], "seed": 1}
    paths = {"body": {"Down": import_path(Down)}, "penalty": {"Mine": import_path(Mine)}}
    assert custom_paths(specs) == paths
    assert custom_paths({"body": "mlp", "up": "auto", "penalties": ["contractive"]}) == {}


@pytest.mark.parametrize(("width", "widest"), [(1, 2 * 8 * 8), (40, 40 * 4 * 4)])
def test_a_module_is_as_wide_as_the_larger_of_what_goes_in_and_comes_out(width, widest):
    body = ModuleBody(Down((2, 8, 8), width), (2, 8, 8))
    assert body.widest == widest
    kinds = [type(layer).__name__ for layer in body.linear_layers([5, 3])]
    assert kinds == ["Linear", "Activation"], "what a linear way up adds is plain"


@pytest.mark.parametrize(
    "parts", [{"up": "linear"}, {"body": "conv"}, {"bottleneck": "variational", "up": "linear"}]
)
def test_one_of_them_goes_with_the_others_of_narrows(digits, parts):
    nw.register("body", Down)
    nw.register("up", Climb)
    assert fitted(digits, **parts).reconstruct(digits).shape == digits.shape


def test_a_feature_map_may_be_the_code_and_a_class_need_not_be_registered(digits):
    class Back(nn.Sequential):
        def __init__(self, channels):
            super().__init__(nn.ConvTranspose2d(4, channels, 2, 2))

    model = fitted(digits, body=Down, bottleneck={"kind": "plain", "size": None}, up=Back)
    assert model.code_size_ == 4 * 4 * 4


def test_what_they_draw_at_random_belongs_to_the_step_and_moves_no_global_state(digits):
    model = {"body": {"kind": Down, "dropout": 0.5}, "up": Climb}
    torch.manual_seed(1)
    before, first = torch.get_rng_state(), fitted(digits, **model)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    assert fitted(digits, **model).history_["loss"] == first.history_["loss"]
    body, x = ModuleBody(Down((1, 8, 8), dropout=0.5), (1, 8, 8)).train(), torch.rand(4, 1, 8, 8)
    one, same, other = (body.encode(x, KeyedRandom(key))[0] for key in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_any_kind_of_part_is_registered_by_line_or_above_its_class(digits):
    @nw.register("bottleneck", name="mine")
    class Mine(Plain):
        """z = a."""

    assert KINDS["bottleneck"].table["mine"] is Mine
    assert nw.Autoencoder("mlp", "mine", epochs=4, batch_size=8).fit(digits).code_size_ == 32
    assert nw.register("bottleneck", Mine, name="mine") is Mine  # once more


def test_what_cannot_be_registered_is_refused():
    with pytest.raises(
        UnknownName, match="there is no kind of part called 'bodi'; did you mean 'body'"
    ):
        nw.register("bodi", Down)
    with pytest.raises(
        BuildError,
        match=r"a bottleneck to register: got .*Down.*, expected a class derived from Bottle",
    ):
        nw.register("bottleneck", Down)
    with pytest.raises(BuildError, match="expected a class derived from Module"):
        nw.register("body", Down((1, 8, 8)))
    with pytest.raises(BuildError, match="name: got 'conv', expected one that no other part has"):
        nw.register("body", Down, name="conv")


class Broken(nn.Module):
    """Gives what it is told to."""

    def __init__(self, given="nothing"):
        super().__init__()
        self.given = {
            "nothing": None,
            "two": (1, 2),
            "one row": torch.zeros(1, 3),
            "numbers": torch.zeros(2),
        }.get(given)

    def forward(self, x):
        return x.no_such_thing if self.given is None else self.given


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            "nothing",
            r"body 'Broken' fails for an input of the shape \(2, 1, 8, 8\): AttributeError",
        ),
        (
            "two",
            "body 'Broken': what it gives for 2 images: got 'tuple', expected one tensor with 2 rows",
        ),
        ("one row", r"what it gives for 2 images: got \(1, 3\)"),
        ("numbers", r"body 'Broken': its features: got \(\), expected numbers for each image"),
    ],
)
def test_a_module_that_gives_something_else_is_refused(digits, given, told):
    with pytest.raises(BuildError, match=told):
        fitted(digits, body={"kind": Broken, "given": given}, up="linear")


def test_a_way_up_of_another_shape_is_refused_with_the_shape_wanted(digits):
    class Short(Climb):
        def __init__(self, size):
            super().__init__(size, 1, (1, 8, 7))

    with pytest.raises(BuildError, match=r"up 'Short': .* got \(1, 8, 7\), expected \(1, 8, 8\)"):
        fitted(digits, body="mlp", up=Short)


def test_an_object_is_refused_where_a_class_is_wanted(digits):
    with pytest.raises(
        BuildError, match=r"body: got an object, .*; give its class: body=Down, or .*'kind': Down"
    ):
        fitted(digits, body=Down((1, 8, 8)), up="linear")


def test_the_path_of_a_class_is_the_one_to_import_it_from(monkeypatch):
    assert import_path(Down) == f"{__name__}.Down"
    monkeypatch.setattr(Down, "__module__", "__main__")
    main = SimpleNamespace(__spec__=None, __file__="/home/me/nets.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert import_path(Down) == "nets.Down"
    main.__spec__ = SimpleNamespace(name="mine.nets")
    assert import_path(Down) == "mine.nets.Down"


def test_what_a_module_draws_is_seeded_on_the_device_of_its_input(monkeypatch):
    devices = []
    seeded = register_module.seeded_initialisation

    def spy(seed, device="cpu"):
        devices.append(device)
        return seeded(seed)

    monkeypatch.setattr(register_module, "seeded_initialisation", spy)
    body = ModuleBody(nn.Flatten(), (1, 8, 8))
    assert body.encode(torch.empty(2, 1, 8, 8, device="meta"), KeyedRandom(0))[0].is_meta
    assert devices == [torch.device("meta")]
