"""Model files: what is written is read again exactly, and nothing else is."""

import json
import re
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load as parse
from safetensors.torch import save_file

import narrows as nw
from narrows.errors import DataError, NarrowsError, OutputError
from narrows.model.file_format import to_bytes
from narrows.model.files import store
from narrows.model.files.describe import describe_file
from narrows.parts.bottleneck import Plain
from narrows.parts.bottlenecks import BOTTLENECKS
from small_models import timeless

CONSTANT = "ignore:the model predicts a constant"  # as it does where hardly anything was learnt
MODELS = ["ae", "vae", "pca", "pooled"]


@pytest.fixture(params=MODELS)
def model(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def file(ae, tmp_path):
    return nw.save(ae, tmp_path / "m.safetensors")


def rewrite(path, tensors=None, **changes):
    """The model file with other tensors, or other entries in its header (an Ellipsis takes one
    away), signed anew.
    """
    with safe_open(path, "pt") as opened:
        header = json.loads(opened.metadata()["narrows"])
    header = {name: value for name, value in {**header, **changes}.items() if value is not ...}
    path.write_bytes(to_bytes(header, parse(path.read_bytes()) if tensors is None else tensors))


# -- there and back --------------------------------------------------------------------------------


def test_a_model_that_was_read_gives_the_same_results_exactly(model, digits, tmp_path):
    again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
    assert type(again) is type(model)
    for use in ("transform", "reconstruct", "score_samples", "anomaly_score"):
        np.testing.assert_array_equal(getattr(again, use)(digits), getattr(model, use)(digits))
    if not model.side_bits_:
        np.testing.assert_array_equal(again.sample(5), model.sample(5))
    for name in (
        "threshold_",
        "n_features_in_",
        "image_shape_",
        "code_size_",
        "side_bits_",
        "layout_",
        "n_parameters_",
    ):
        assert getattr(again, name) == getattr(model, name)
    assert getattr(again, "history_", {}) == timeless(getattr(model, "history_", {}))
    assert json.dumps(again.get_params()) == json.dumps(model.get_params())


@pytest.mark.parametrize("scale", ["symmetric", "standard", "auto"])
@pytest.mark.filterwarnings(CONSTANT)
def test_the_scale_is_kept(table, scale, tmp_path):
    for model in (nw.Autoencoder(scale=scale, epochs=2), nw.PCA(2, scale=scale)):
        model.fit(table)
        again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
        np.testing.assert_array_equal(again.reconstruct(table), model.reconstruct(table))
        assert again.scale_.name == model.scale_.name


@pytest.mark.slow
def test_another_process_gives_the_same_results_exactly(vae, digits, tmp_path):
    nw.save(vae, tmp_path / "m.safetensors")
    np.save(tmp_path / "X.npy", digits)
    code = (
        "import narrows as nw, numpy as np, torch; torch.set_num_threads(1)\n"
        "m, X = nw.load('m.safetensors'), np.load('X.npy')\n"
        "np.savez('out', Z=m.transform(X), S=m.score_samples(X, samples=2), I=m.sample(3), "
        "R=m.reconstruct(X))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    out = np.load(tmp_path / "out.npz")
    expected = (
        vae.transform(digits),
        vae.score_samples(digits, samples=2),
        vae.sample(3),
        vae.reconstruct(digits),
    )
    for name, value in zip("ZSIR", expected):
        np.testing.assert_array_equal(out[name], value)


@pytest.mark.filterwarnings(CONSTANT)
def test_a_model_that_was_read_can_be_fitted_again(digits, tmp_path):
    model = nw.Autoencoder(
        epochs=1, validation=digits[:9], random_state=np.random.RandomState(3)
    ).fit(digits)
    again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
    assert again.get_params()["validation"] is None
    assert again.fit(digits).transform(digits).shape == (200, 32)


def test_a_run_folder_holds_the_file(ae, digits, tmp_path):
    nw.save(ae, tmp_path / "model.safetensors", about={"recipe": "mine"})
    again = nw.load(tmp_path)
    assert again.about_ == {"recipe": "mine"}
    np.testing.assert_array_equal(again.transform(digits), ae.transform(digits))


def test_the_file_is_plain_tensors_and_json(file, ae):
    header, tensors = store.read_file(file)
    assert header["format"] == 2
    assert header["estimator"] == "autoencoder"
    assert header["options"]["epochs"] == 15
    assert header["facts"]["history_"] == timeless(ae.history_)
    assert {"narrows", "python", "torch", "numpy"} == header["versions"].keys()
    scores = {f"calibration.{kind}" for kind in ae.thresholds_}
    assert tensors.keys() == {
        *ae.network_.state_dict(),
        "cloud.mean",
        "cloud.white",
        "usual.squares",
        *scores,
    }
    assert header["numbers"] == {"parameters": ae.n_parameters_, "code": 8, "side_bits": 0}


def test_the_same_model_gives_the_same_bytes(vae, tmp_path):
    paths = [nw.save(vae, tmp_path / f"{k}.safetensors", {"recipe": "π"}) for k in range(10)]
    assert len({path.read_bytes() for path in paths}) == 1
    content = paths[0].read_bytes()
    # so that tensors lie where processors like them
    assert int.from_bytes(content[:8], "little") % 8 == 0
    assert nw.load(paths[0]).about_ == {"recipe": "π"}


@pytest.mark.filterwarnings(CONSTANT)
def test_a_part_of_ones_own_is_kept_where_its_table_knows_it_and_refused_where_not(
    digits, tmp_path, monkeypatch
):
    with pytest.raises(
        OutputError, match=r"a part given as .*Mine.* has no name; call narrows.register"
    ):
        nw.save(nw.Autoencoder("mlp", Mine, epochs=2).fit(digits), tmp_path / "m.safetensors")
    monkeypatch.setitem(BOTTLENECKS, "mine", Mine)
    model = nw.Autoencoder("mlp", "mine", epochs=2).fit(digits)
    again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(again.transform(digits), model.transform(digits))


# -- writing ---------------------------------------------------------------------------------------


def test_what_cannot_be_written_leaves_nothing_behind(ae, digits, tmp_path, monkeypatch):
    class Mine(nw.PCA):
        """A kind that no file knows."""

    with pytest.raises(OutputError, match="a Mine cannot be saved"):
        nw.save(Mine(2).fit(digits), tmp_path / "m.safetensors")
    with pytest.raises(NarrowsError, match="only a fitted model can be saved; call fit"):
        nw.save(nw.PCA(), tmp_path / "m.safetensors")
    with pytest.raises(TypeError):
        nw.save(ae, tmp_path / "m.safetensors", about={"data": object()})
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_is_interrupted_keeps_the_old_file(ae, pca, tmp_path, monkeypatch):
    path = nw.save(pca, tmp_path / "m.safetensors")
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        nw.save(ae, path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
    assert path.read_bytes() == before


# -- reading ---------------------------------------------------------------------------------------


def test_a_file_that_is_missing_or_no_model_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"there is no model file .*nowhere"):
        nw.load(tmp_path / "nowhere.safetensors")
    with pytest.raises(DataError, match=r"there is no model file .*model\.safetensors"):
        nw.load(tmp_path)
    path = tmp_path / "x.safetensors"
    for content in (b"", b"\x89PNG\r\n", b"\x80\x04pickle" * 50, b"{}" * 100, b"\xff" * 64):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"x\.safetensors cannot be read as a model file"):
            nw.load(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(file, share):
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match="cannot be read as a model file"):
        nw.load(file)


def test_safetensors_of_another_kind_are_refused(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="not one of Narrows: its header is missing"):
        nw.load(tmp_path / "w.safetensors")
    save_file({"w": torch.zeros(2)}, tmp_path / "w.safetensors", {"narrows": "{"})
    with pytest.raises(DataError, match="cannot be read as a model file"):
        nw.load(tmp_path / "w.safetensors")
    save_file({"w": torch.zeros(2)}, tmp_path / "w.safetensors", {"narrows": "[1]"})
    with pytest.raises(DataError, match="its header is missing"):
        nw.load(tmp_path / "w.safetensors")


@pytest.mark.parametrize("version", [0, 3, "1", None, [1]])
def test_another_format_is_refused(file, version):
    rewrite(file, format=version)
    with pytest.raises(
        DataError, match=re.escape(f"has the format {version}; this Narrows reads 1 and 2")
    ):
        nw.load(file)


def test_the_format_before_the_checksum_is_still_read(file, ae, digits):
    with safe_open(file, "pt") as opened:
        header = json.loads(opened.metadata()["narrows"])
    tensors = {
        name: tensor
        for name, tensor in parse(file.read_bytes()).items()
        if not name.startswith("cloud.")
    }
    facts = {name: value for name, value in header["facts"].items() if name != "thresholds_"}
    old = {**header, "format": 1, "facts": facts}
    del old["numbers"], old["own"]
    save_file(tensors, file, {"narrows": json.dumps(old)})
    np.testing.assert_array_equal(nw.load(file).transform(digits), ae.transform(digits))
    assert nw.load(file).threshold_ == ae.threshold_
    assert "parameters" not in describe_file(file)


@pytest.mark.parametrize("fitted", ["ae", "vae", "pca"])
def test_missing_wrong_or_further_tensors_are_refused(request, fitted, tmp_path):
    path = nw.save(request.getfixturevalue(fitted), tmp_path / "m.safetensors")
    tensors = parse(path.read_bytes())
    changed = [{k: v for k, v in tensors.items() if k != name} for name in tensors]
    changed += [{**tensors, name: torch.zeros(3, 7)} for name in tensors]
    changed += [{**tensors, "more": torch.zeros(1)}]
    for wrong in changed:
        rewrite(path, wrong)
        with pytest.raises(DataError, match="is not a complete model of Narrows"):
            nw.load(path)


ENTRIES = ["estimator", "options", "layout", "scale", "facts"]


@pytest.mark.parametrize("entry", [*ENTRIES, "about"])
def test_a_header_that_lacks_something_is_refused(file, entry):
    rewrite(file, **{entry: ...})
    with pytest.raises(
        DataError,
        match=f"is not a complete model of Narrows: its header is wrong: .*field `{entry}`",
    ):
        nw.load(file)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("value", [None, 3, "x", [], {"x": 1}], ids=str)
def test_a_header_that_holds_nonsense_is_refused(file, entry, value):
    rewrite(file, **{entry: value})
    with pytest.raises(DataError, match="is not a complete model of Narrows"):
        nw.load(file)


HOSTILE = {
    "a layer of a million million": {"options": {"body": {"kind": "mlp", "widths": [10**12]}}},
    "a code of a thousand million": {"options": {"bottleneck": {"kind": "plain", "size": 10**9}}},
    "a size beyond all numbers": {"options": {"bottleneck": {"kind": "plain", "size": 2**62}}},
    "a thousand million pixels": {
        "layout": {"came": [10**9], "image": [1, 10**9, 1], "dtype": "uint8"}
    },
    "more layers than tensors": {"options": {"body": {"kind": "mlp", "widths": [4] * 100}}},
    "layers in a list of lists": {"options": {"penalties": [["contractive"] * 50] * 50}},
    "endless options": {"options": {"body": {"kind": "mlp", "widths": [1] * 200_000}}},
    "no pixels": {"layout": {"came": [0], "image": [1, 1, 1], "dtype": "uint8"}},
    "pixels that do not add up": {"layout": {"came": [8, 9], "image": [8, 8, 1], "dtype": "uint8"}},
    "five channels": {"layout": {"came": [8, 8], "image": [4, 2, 8], "dtype": "uint8"}},
    "another type": {"layout": {"came": [8, 8], "image": [8, 8, 1], "dtype": "object"}},
    "the name of a method": {"estimator": "__class__"},
    "an image shape in words": {"options": {"image_shape": "8x8"}},
    "an image shape of another size": {"options": {"image_shape": [8, 9]}},
    "text for a threshold": {"facts": {"threshold_": "low"}},
    "text in the history": {"facts": {"history_": {"loss": ["low"]}}},
}


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_refused_before_anything_is_allocated(file, entries):
    header, _ = store.read_file(file)
    known = {
        name: header[name] | entry if isinstance(entry, dict) else entry
        for name, entry in entries.items()
    }
    rewrite(file, **known)
    with pytest.raises(DataError, match="is not a complete model of Narrows"):
        nw.load(file)


def test_facts_that_no_model_has_are_left_out(file, digits):
    header, _ = store.read_file(file)
    rewrite(file, facts=header["facts"] | {"transform": 3, "__class__": "x"})
    assert nw.load(file).transform(digits).shape == (200, 8)


def test_a_header_nested_without_end_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file({"w": torch.zeros(2)}, path, {"narrows": '{"a":' * 100_000 + "1" + "}" * 100_000})
    with pytest.raises(DataError, match="cannot be read as a model file"):
        nw.load(path)


@pytest.mark.parametrize("fitted", ["ae", "pca"])
def test_weights_of_another_type_or_that_are_nans_are_refused_by_name(request, fitted, tmp_path):
    path = nw.save(request.getfixturevalue(fitted), tmp_path / "m.safetensors")
    tensors = parse(path.read_bytes())
    name = next(name for name in tensors if tensors[name].dim() == 2)
    for wrong, told in (
        (tensors[name].double(), r"got float64 of shape .* expected float32"),
        (tensors[name].clone().fill_(np.nan), "holds NaN or infinity"),
    ):
        rewrite(path, {**tensors, name: wrong})
        with pytest.raises(DataError, match=f"{re.escape(name)}:? {told}"):
            nw.load(path)


def test_all_wrong_tensors_are_reported_at_once(file):
    tensors = parse(file.read_bytes())
    del tensors["body.layers.0.weight"]
    rewrite(file, tensors | {"bottleneck.project.bias": torch.zeros(7), "more": torch.zeros(1)})
    with pytest.raises(DataError) as caught:
        nw.load(file)
    for told in (
        "it lacks body.layers.0.weight",
        "called more",
        "bottleneck.project.bias: got float32 of shape (7",
    ):
        assert told in str(caught.value)


def test_a_file_that_has_changed_on_the_way_is_refused(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1  # one bit of one weight
    file.write_bytes(content)
    with pytest.raises(DataError, match="is damaged: its checksum"):
        nw.load(file)


def test_any_damage_gives_a_data_error_or_the_same_model(digits, tmp_path):
    model = nw.PCA(1, random_state=3).fit(digits[:, :3, :3])
    whole, expected = (
        nw.save(model, tmp_path / "m.safetensors").read_bytes(),
        model.transform(digits[:, :3, :3]),
    )
    random, path, refused = np.random.default_rng(0), tmp_path / "n.safetensors", 0
    for case in range(400):
        content = bytearray(whole[: random.integers(len(whole))] if case % 4 == 0 else whole)
        for place in random.integers(
            len(content) or 1, size=min(len(content), int(random.integers(1, 4)))
        ):
            content[place] = random.integers(256)
        path.write_bytes(content)
        try:
            again = nw.load(path)
        except DataError:
            refused += 1
        else:
            np.testing.assert_array_equal(again.transform(digits[:, :3, :3]), expected)
            assert (again.threshold_, again.get_params()) == (model.threshold_, model.get_params())
    assert refused > 380


def leaves(value, path=()):
    """The places of all values in nested JSON."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    yield from (
        place for key, inner in items for place in [(*path, key), *leaves(inner, (*path, key))]
    )


def test_any_lie_in_the_header_gives_a_refusal_or_a_model_that_works(digits, tmp_path):
    bottleneck = {"kind": "variational", "size": 1}
    model = nw.Autoencoder(
        {"kind": "mlp", "widths": [2]}, bottleneck, prior="mixture", epochs=1
    ).fit(digits)
    path = nw.save(model, tmp_path / "m.safetensors")
    header, tensors = store.read_file(path)
    lies = (None, -1, 0, 10**18, 1e308, "x", "auto", [], {}, [[0]], {"kind": "conv"}, True)
    for number, place in enumerate(leaves(header)):
        lie = json.loads(json.dumps(header))
        inner = lie
        for key in place[:-1]:
            inner = inner[key]
        for value in (lies[number % len(lies)], lies[(number + 5) % len(lies)]):
            inner[place[-1]] = value
            path.write_bytes(to_bytes(lie, tensors))
            with suppress(DataError):
                assert nw.load(path).transform(digits[:2]).shape == (2, 1)
            with suppress(DataError):
                assert describe_file(path)["bytes"] == path.stat().st_size


# -- parts of one's own ----------------------------------------------------------------------------


class Mine(Plain):
    """z = a."""


class Other(Plain):
    """z = a, of another class."""


@pytest.fixture
def mine(monkeypatch, digits, tmp_path):
    """The file of a model with a part of one's own, and its codes; the part is registered no more."""
    monkeypatch.setitem(BOTTLENECKS, "Mine", Mine)
    model = nw.Autoencoder("mlp", {"kind": Mine, "size": 4}, epochs=5, batch_size=16).fit(digits)
    path = nw.save(model, tmp_path / "mine.safetensors")
    monkeypatch.delitem(BOTTLENECKS, "Mine")
    return path, model.transform(digits)


def test_a_part_of_ones_own_is_read_once_its_class_is_registered(mine, digits, monkeypatch):
    path, codes = mine
    with pytest.raises(
        DataError,
        match=r"its bottleneck 'Mine' is not part of Narrows, .* import .*\.Mine and call",
    ):
        nw.load(path)
    monkeypatch.setitem(BOTTLENECKS, "Mine", Mine)
    np.testing.assert_array_equal(nw.load(path).transform(digits), codes)


def test_another_class_under_that_name_is_refused(mine, monkeypatch):
    monkeypatch.setitem(BOTTLENECKS, "Mine", Other)
    with pytest.raises(
        DataError, match=r"its bottleneck 'Mine' was .*\.Mine, and .*\.Other is registered"
    ):
        nw.load(mine[0])


def test_nothing_is_imported_because_a_file_says_so(mine, monkeypatch, tmp_path):
    """Neither the module that the path names, nor a name of Narrows' that is said to be something
    else.
    """
    (tmp_path / "trap.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    for own in (
        {"bottleneck": {"Mine": "trap.Mine"}},
        {"bottleneck": {"plain": "trap.Plain"}},
        {"trap": {"a": "b"}},
    ):
        rewrite(mine[0], own=own)
        with pytest.raises(DataError):
            nw.load(mine[0])
    assert "trap" not in sys.modules


# -- what a file says of itself --------------------------------------------------------------------


def test_a_file_reports_what_it_holds_without_its_parts(mine, digits):
    told = describe_file(mine[0])
    assert told["bottleneck"] == "Mine (size=4)"
    assert told["bottleneck of your own"].endswith(".Mine")
    assert (told["model"], told["images"], told["code size"]) == ("autoencoder", "8 x 8 uint8", 4)
    assert told["bytes"] == mine[0].stat().st_size
    assert {
        "parameters",
        "threshold",
        "epochs trained",
        "last loss",
        "versions",
        "working scale",
    } <= told.keys()
    json.dumps(told)


def test_what_the_writer_added_is_reported(pca, tmp_path):
    told = describe_file(
        nw.save(pca, tmp_path / "m.safetensors", about={"recipe": "pca", "data": "digits"})
    )
    assert (told["recipe"], told["data"], told["n_components"]) == ("pca", "digits", 8)
    assert told["parameters"] == pca.n_parameters_
    assert "epochs trained" not in told
