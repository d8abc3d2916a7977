"""Bits-back coding: images come back exactly, at about the cost that the ELBO says; its pixels are
beta-binomial.
"""

import numpy as np
import pytest
import torch

from narrows.bench import beta_binomial_vae as model
from narrows.data import load_data
from narrows.errors import DataError


@pytest.fixture(scope="module")
def digits():
    """Images `(150, 8, 8)` of uint8."""
    images = load_data("digits", "all")[0][:150]
    return (images.reshape(-1, 8, 8) / images.max() * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def vae(digits):
    return model.train(digits, epochs=30, hidden=32, latents=6)


@pytest.fixture
def coder(vae, monkeypatch):
    pytest.importorskip("constriction")
    from narrows.bench import bits_back

    monkeypatch.setattr(bits_back, "BATCH", 8)
    return bits_back.BitsBack(vae)


def test_the_table_of_a_pixel_is_its_beta_binomial_distribution():
    a, b = torch.tensor([0.01, 0.5, 3.0, 2000.0]), torch.tensor([5.0, 0.5, 70.0, 0.1])
    table = model.beta_binomial_table(a, b)
    x = torch.arange(256.0)[:, None]
    expected = model.log_beta_binomial(x, a, b).exp().T
    torch.testing.assert_close(expected.sum(1), torch.ones(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(table / table.sum(1, keepdim=True), expected, atol=1e-4, rtol=1e-3)


def test_twenty_images_come_back_exactly_in_batches_the_last_of_which_is_smaller(coder, digits):
    data = coder.encode(digits[:20])
    assert np.array_equal(coder.decode(data, digits[:20].shape), digits[:20])


def test_the_bytes_are_those_that_the_elbo_says(coder, vae, digits):
    more, less = (len(coder.encode(digits[:count])) for count in (150, 50))
    with torch.no_grad():
        x = torch.from_numpy(digits[50:].reshape(100, -1)).float()
        nats = torch.stack([vae.negative_elbo(x) for _ in range(20)]).mean(0).sum().item()
    assert 8 * (more - less) * np.log(2) == pytest.approx(nats, rel=0.03)


def test_damaged_bits_are_noticed(coder, digits):
    data = bytearray(coder.encode(digits[:20]))
    data[-9] ^= 1
    with pytest.raises(DataError, match="did not come back"):
        coder.decode(bytes(data), digits[:20].shape)


def test_a_file_of_a_vae_has_the_same_vae(vae, digits, tmp_path):
    model.save(vae, tmp_path / "vae.safetensors")
    again = model.load(tmp_path / "vae.safetensors")
    x = torch.from_numpy(digits[:3].reshape(3, -1)).float()
    assert all(torch.equal(a, b) for a, b in zip(vae.posterior(x), again.posterior(x)))


def test_training_lowers_the_negative_elbo_and_leaves_the_global_generator_alone(vae, digits):
    x = torch.from_numpy(digits.reshape(len(digits), -1)).float()
    before = torch.get_rng_state()
    one = model.train(digits, epochs=1, hidden=32, latents=6)
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad():
        assert vae.negative_elbo(x).mean() < 0.8 * one.negative_elbo(x).mean()


def test_improbable_pixels_are_coded(coder, digits):
    images = np.concatenate([digits[:16], 255 - digits[:16]])
    data = coder.encode(images)
    assert np.array_equal(coder.decode(data, images.shape), images)
