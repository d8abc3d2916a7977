"""Models that come with the package."""

import numpy as np
import pytest
import torch

import narrows as nw
from narrows.errors import UnknownName
from narrows.model.files import ship as shipping
from narrows.model.files.shipped import SHIPPED, in_half, in_single, shipped_or


def test_each_is_there_and_small_and_reads_as_any_model():
    for name, path in SHIPPED.items():
        assert path.stat().st_size < 3_000_000
        model = nw.load(name)
        assert model.about_["card"]
        weights = model.network_.state_dict().values()
        assert all(weight.dtype == torch.float32 for weight in weights)


def test_a_file_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo").mkdir()
    assert shipped_or(shipping.Path("photo")) == shipping.Path("photo")
    (tmp_path / "photo").rmdir()
    assert shipped_or(shipping.Path("photo")) == SHIPPED["photo"]


def test_weights_of_16_bits_are_read_in_32_and_others_stay():
    tensors = {"w": torch.rand(3), "n": torch.arange(3)}
    half = in_half(tensors)
    assert half["w"].dtype == torch.float16
    assert torch.equal(half["n"], tensors["n"])
    torch.testing.assert_close(in_single(half)["w"], tensors["w"], rtol=2**-11, atol=0)


def test_a_run_becomes_a_shipped_model_with_its_network_alone(tmp_path, monkeypatch):
    X = nw.load_data("digits")[0][:200]
    model = nw.Autoencoder(epochs=10, batch_size=20, calibration=0.2).fit(X)
    run = nw.save(model, tmp_path / "model.safetensors")
    monkeypatch.setitem(SHIPPED, "photo", tmp_path / "photo.safetensors")
    shipping.ship(str(run), "photo", "what it was trained on")
    found = nw.load("photo")
    assert found.about_ == {"card": "what it was trained on"}
    assert found.thresholds_ == {}
    np.testing.assert_allclose(found.transform(X), model.transform(X), atol=0.02)
    assert found.density_ is None


def test_a_name_that_is_not_shipped_is_refused():
    with pytest.raises(UnknownName, match="did you mean 'photo'"):
        shipping.ship("run", "foto")
