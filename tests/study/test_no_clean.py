"""A study of models that learn from noisy images alone: what they are trained on, and that the page calls
no noisy image clean.
"""

import numpy as np
import pytest

import narrows as nw
from narrows.choose import merge_spec
from narrows.model.recipes import without_clean
from narrows.study.data_split import read_split
from narrows.study.run import run_study
from narrows.study.schema import Run, Study

SMALL = {
    "epochs": 1,
    "batch_size": 50,
    "body": {"channels": [4, 6]},
    "training": {"least_steps": None},
}
ALONE = Run("alone", "denoiser-unet", {**SMALL, **without_clean("denoiser-unet")}, snapshots=[1])
SHOTS = Run("shots", "denoiser-unet", {**SMALL, "corruption": "two-shots"}, watch="test")
CLEAN = Run("clean", "denoiser-unet", {**SMALL, "corruption": "pairs"})
pytestmark = pytest.mark.filterwarnings("ignore:the noise of neighb", "ignore:the model predicts")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two files of digits: clean, and with noise."""
    folder = tmp_path_factory.mktemp("no-clean")
    clean = nw.load_data("digits")[0][:200]
    noise = np.random.default_rng(0).normal(0, 40, clean.shape)
    np.save(folder / "clean.npy", clean)
    np.save(folder / "noisy.npy", (clean + noise).clip(0, 255).astype(np.uint8))
    return folder


def rows(record, title):
    (table,) = [table for table in record.tables if table["title"] == title]
    return table["caption"], {row["measure"]: row for row in table["rows"]}


def test_noisy_images_alone_are_compared_with_nothing(folder, tmp_path):
    record = run_study(Study("Alone", [ALONE], str(folder / "noisy.npy")), tmp_path)
    caption, measures = rows(record, "Measures")
    assert "The images of alone are noisy: no clean ones are known" in caption
    assert not [name for name in measures if "psnr" in name or "mse" in name or "ssim" in name]
    (shown,) = [figure for figure in record.figures if figure.section == "Reconstructions"]
    assert list(shown.arrays) == ["noisy", "denoised"]
    assert not shown.options["captions"]
    page = (tmp_path / "report.html").read_text()
    assert " dB" not in page
    assert "noisy: no clean ones are known" in page
    with np.load(tmp_path / "snapshots.npz") as snapshots:
        assert {"1/noisy", "1/denoised"} == set(snapshots.files)


def test_of_pairs_the_noisy_ones_are_learnt_from_and_both_are_measured(folder, tmp_path):
    data = {"kind": str(folder / "clean.npy"), "noisy": str(folder / "noisy.npy")}
    record = run_study(Study("All", [ALONE, SHOTS, CLEAN], data), tmp_path)
    caption, measures = rows(record, "Measures")
    assert "The images of shots are noisy" in caption
    psnr = measures["denoised_psnr"]
    assert psnr["alone"] > 0
    assert psnr["clean"] > 0
    assert psnr["shots"] is None
    split = read_split(data)
    alone = nw.load(tmp_path / "runs" / "alone")
    seen = split.seen_by(alone)
    np.testing.assert_array_equal(seen.train.images, split.train.noisy)
    assert seen.train.noisy is None
    assert seen.test is split.test
    np.testing.assert_array_equal(split.validation_for(alone), split.test.noisy)
    said = []
    study = Study("All", [ALONE, SHOTS, CLEAN], data)
    run_study(study, tmp_path, reuse=True, say=said.append)
    assert sum("already trained" in words for words in said) == 3


def test_a_recipe_for_images_of_one_size_is_refused_with_a_cure(folder, tmp_path):
    run = Run("mlp", "denoising-mlp", merge_spec(SMALL, without_clean("denoising-mlp")))
    run.changes.pop("body")
    with pytest.raises(nw.NarrowsError, match="expected a network that takes images of any size"):
        run_study(Study("One size", [run], str(folder / "noisy.npy")), tmp_path)
