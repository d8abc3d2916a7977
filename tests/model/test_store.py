"""Model files: what is written is read again exactly, and nothing else is."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import narrows as nw
from narrows.errors import DataError, NarrowsError, OutputError
from narrows.model import store

CONSTANT = "ignore:the model predicts a constant"  # as it does where hardly anything was learnt
MODELS = ["ae", "vae", "pca", "pooled"]


@pytest.fixture(params=MODELS)
def model(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def file(ae, tmp_path):
    return nw.save(ae, tmp_path / "m.safetensors")


def rewrite(path, tensors=None, **changes):
    """The model file with other tensors, or other entries in its header (an Ellipsis takes one away)."""
    with safe_open(path, "pt") as opened:
        header = json.loads(opened.metadata()["narrows"])
    header = {name: value for name, value in {**header, **changes}.items() if value is not ...}
    save_file(load_file(path) if tensors is None else tensors, path, {"narrows": json.dumps(header)})


# -- there and back -------------------------------------------------------------------------------------------


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
    assert getattr(again, "history_", None) == getattr(model, "history_", None)
    assert json.dumps(again.get_params()) == json.dumps(model.get_params())


@pytest.mark.parametrize("scale", ["symmetric", "standard", "auto"])
@pytest.mark.filterwarnings(CONSTANT)
def test_the_scale_is_kept(table, scale, tmp_path):
    for model in (nw.Autoencoder(scale=scale, epochs=2), nw.PCA(2, scale=scale)):
        model.fit(table)
        again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
        np.testing.assert_array_equal(again.reconstruct(table), model.reconstruct(table))
        assert again.scale_.name == model.scale_.name


def test_another_process_gives_the_same_results_exactly(vae, digits, tmp_path):
    nw.save(vae, tmp_path / "m.safetensors")
    np.save(tmp_path / "X.npy", digits)
    code = (
        "import narrows as nw, numpy as np, torch; torch.set_num_threads(1)\n"
        "m, X = nw.load('m.safetensors'), np.load('X.npy')\n"
        "np.savez('out', Z=m.transform(X), S=m.score_samples(X, samples=2), I=m.sample(3), R=m.reconstruct(X))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    out = np.load(tmp_path / "out.npz")
    expected = (vae.transform(digits), vae.score_samples(digits, samples=2), vae.sample(3), vae.reconstruct(digits))
    for name, value in zip("ZSIR", expected):
        np.testing.assert_array_equal(out[name], value)


@pytest.mark.filterwarnings(CONSTANT)
def test_a_model_that_was_read_can_be_fitted_again(digits, tmp_path):
    model = nw.Autoencoder(epochs=1, validation=digits[:9], random_state=np.random.RandomState(3)).fit(digits)
    again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
    assert again.get_params()["validation"] is None
    assert again.fit(digits).transform(digits).shape == (200, 32)


def test_a_run_folder_holds_the_file(ae, digits, tmp_path):
    nw.save(ae, tmp_path / "model.safetensors", about={"recipe": "mine"})
    again = nw.load(tmp_path)
    assert again.about_ == {"recipe": "mine"}
    np.testing.assert_array_equal(again.transform(digits), ae.transform(digits))


def test_the_file_is_plain_tensors_and_json(file, ae):
    header, tensors = store.read(file)
    assert header["format"] == 1
    assert header["estimator"] == "autoencoder"
    assert header["options"]["epochs"] == 15
    assert header["facts"]["history_"] == ae.history_
    assert {"narrows", "python", "torch", "numpy"} == header["versions"].keys()
    assert tensors.keys() == ae.network_.state_dict().keys()


@pytest.mark.filterwarnings(CONSTANT)
def test_a_part_of_ones_own_is_kept_where_its_table_knows_it_and_refused_where_not(digits, tmp_path, monkeypatch):
    from narrows.parts.bottleneck import BOTTLENECKS, Plain

    class Mine(Plain):
        """z = a."""

    with pytest.raises(OutputError, match=r"a part given as .*Mine.* enter its class in the part's table"):
        nw.save(nw.Autoencoder("mlp", Mine, epochs=2).fit(digits), tmp_path / "m.safetensors")
    monkeypatch.setitem(BOTTLENECKS, "mine", Mine)
    model = nw.Autoencoder("mlp", "mine", epochs=2).fit(digits)
    again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(again.transform(digits), model.transform(digits))


# -- writing --------------------------------------------------------------------------------------------------


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


def test_a_write_that_breaks_off_keeps_the_old_file(ae, pca, tmp_path, monkeypatch):
    path = nw.save(pca, tmp_path / "m.safetensors")
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        nw.save(ae, path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
    assert path.read_bytes() == before


# -- reading --------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_format_is_refused(file, version):
    rewrite(file, format=version)
    with pytest.raises(DataError, match=f"has the format {version}; this Narrows reads 1"):
        nw.load(file)


@pytest.mark.parametrize("fitted", ["ae", "vae", "pca"])
def test_missing_wrong_or_further_tensors_are_refused(request, fitted, tmp_path):
    path = nw.save(request.getfixturevalue(fitted), tmp_path / "m.safetensors")
    tensors = load_file(path)
    changed = [{k: v for k, v in tensors.items() if k != name} for name in tensors]
    changed += [{**tensors, name: torch.zeros(3, 7)} for name in tensors]
    changed += [{**tensors, "more": torch.zeros(1)}]
    for wrong in changed:
        rewrite(path, wrong)
        with pytest.raises(DataError, match="is no whole model of Narrows"):
            nw.load(path)


ENTRIES = ["estimator", "options", "layout", "scale", "facts"]


@pytest.mark.parametrize("entry", [*ENTRIES, "about"])
def test_a_header_that_lacks_something_is_refused(file, entry):
    rewrite(file, **{entry: ...})
    with pytest.raises(DataError, match=f"is no whole model of Narrows: it lacks '{entry}'"):
        nw.load(file)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("value", [None, 3, "x", [], {"x": 1}], ids=str)
def test_a_header_that_holds_nonsense_is_refused(file, entry, value):
    rewrite(file, **{entry: value})
    with pytest.raises(DataError, match="is no whole model of Narrows"):
        nw.load(file)


def test_a_layout_that_does_not_fit_itself_is_refused(file, digits):
    rewrite(file, layout={"came": [8, 9], "image": [8, 8, 1], "dtype": "uint8"})
    with pytest.raises(DataError, match="is no whole model of Narrows"):
        nw.load(file)
