"""The non-local ridge next to the other baselines."""

import numpy as np
import pytest

import narrows as nw
from narrows import measure
from narrows.denoise.baseline import MORE_BASELINES, non_local_ridge
from narrows.model.use import denoisers
from narrows.model.use.baselines import compare_denoisers
from narrows.model.use.denoisers import BASELINES, usual_baselines


@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)], ids=str)
def test_it_is_the_best_that_learns_nothing_in_all_channels(grey, with_noise, channels):
    clean = np.stack([np.resize(grey[..., None], (*grey.shape, *channels))])
    if not channels:
        clean = grey[None]
    noisy = with_noise(clean)
    found = non_local_ridge(noisy, 25 / 255)
    assert (found.shape, found.dtype) == (noisy.shape, np.float32)
    other = BASELINES["median"](noisy, 25 / 255)
    assert measure.psnr(clean, found, 1.0) > measure.psnr(clean, other, 1.0) + 1


@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")
def test_it_has_a_row_and_bm3d_none_if_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(denoisers, "find_spec", lambda name: None)
    assert "bm3d" not in usual_baselines()
    X = nw.load_data("digits")[0][:40]
    noise = {"kind": "gaussian", "sigma": 0.2}
    model = nw.Autoencoder("mlp", corruption=noise, epochs=1, batch_size=20).fit(X)
    table = compare_denoisers(model, X[:3], more=MORE_BASELINES)
    rows = {row["denoiser"]: row for row in table}
    assert "bm3d" not in rows
    assert rows["non-local ridge"]["psnr"] > rows["noisy"]["psnr"]
