"""A study of pairs: trained on them, measured on them, shown with them, taken up again and verified."""

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.choose import merge_spec
from narrows.study.run import run_study
from narrows.study.schema import Drawing, Run, Study
from narrows.study.verify import verify

SMALL = {"epochs": 2, "batch_size": 32, "body": {"kind": "mlp", "widths": [16]}, "validation": 0.2}
PAIRED = Run("pairs", "ae-mlp", {**SMALL, "corruption": "pairs"}, snapshots=[1])
GAUSSIAN = Run("gaussian", "ae-mlp", {**SMALL, "corruption": "gaussian"})
FIGURES = [
    Drawing("inputs", "What goes in"),
    Drawing("reconstructions", "What comes out", options={"images": {"count": 3}}),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two files of digits, the second with a white line in each image."""
    folder = tmp_path_factory.mktemp("pairs")
    clean, _ = nw.load_data("digits")
    noisy = clean[:300].copy()
    noisy[np.arange(300), np.arange(300) % 8] = 255
    np.save(folder / "clean.npy", clean[:300])
    np.save(folder / "noisy.npy", noisy)
    return {"kind": str(folder / "clean.npy"), "noisy": str(folder / "noisy.npy")}


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("done")
    study = Study("Streaks", [PAIRED, GAUSSIAN], data, figures=FIGURES)
    return study, folder, run_study(study, folder)


def test_all_runs_are_measured_on_the_pairs(done, data):
    _, folder, record = done
    measures = {name: run["measures"] for name, run in record.origin["runs"].items()}
    assert measures["pairs"]["noisy_psnr"] == measures["gaussian"]["noisy_psnr"]
    clean, noisy = (np.load(path) for path in data.values())
    among = nw.measure.psnr(clean, noisy)
    assert among.min() <= measures["pairs"]["noisy_psnr"] <= among.max()
    trained = {name: nw.load(folder / "runs" / name) for name in measures}
    assert {name: model.wants_pairs for name, model in trained.items()} == {
        "pairs": True,
        "gaussian": False,
    }


def test_figures_show_the_noisy_images(done, data):
    record = done[2]
    noisy = np.load(data["noisy"]) / 255
    shown = {(figure.section, figure.name): figure.arrays for figure in record.figures}
    assert len(shown) == 4
    for arrays in shown.values():
        for image in arrays["noisy"]:
            assert np.isclose(noisy, image, atol=1e-6).all(axis=(1, 2)).any()
    with np.load(done[1] / "runs" / "pairs" / "snapshots.npz") as snapshots:
        assert {"1/original", "1/noisy", "1/denoised"} <= set(snapshots.files)


def test_a_training_is_resumed_only_with_the_same_pairs(done, data, tmp_path):
    study, folder, _ = done
    said = []
    run_study(study, folder, reuse=True, say=said.append)
    assert sum("already trained" in words for words in said) == 2
    np.save(tmp_path / "other.npy", 255 - np.load(data["noisy"]))
    run_study(
        study,
        folder,
        data={**data, "noisy": str(tmp_path / "other.npy")},
        reuse=True,
        say=said.append,
    )
    assert sum("already trained" in words for words in said) == 2


def test_it_is_verified_with_its_pairs(data, tmp_path):
    run_study(Study("Streaks", [PAIRED], data), tmp_path)
    rows, faults = verify(tmp_path)
    assert not faults.found
    assert {row["verdict"] for row in rows} == {"the same"}
    assert "denoised_psnr" in {row["measure"] for row in rows}


def test_test_images_are_watched_in_pairs(data, tmp_path):
    watched = Run("pairs", "ae-mlp", merge_spec(PAIRED.changes, {"validation": None}), watch="test")
    run_study(Study("Streaks", [watched], data), tmp_path)
    assert len(nw.load(tmp_path).history_["val_loss"]) == 2  # type: ignore[attr-defined]


def test_files_without_counterpart_are_reported(data, tmp_path):
    clean, noisy = (np.load(path)[:40] for path in data.values())
    for name, images in (("clean", clean), ("noisy", noisy[:-1])):
        (tmp_path / name).mkdir()
        for k, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / name / f"{k:02}.png")
    said = []
    folders = {"kind": str(tmp_path / "clean"), "noisy": str(tmp_path / "noisy")}
    run_study(Study("Streaks", [PAIRED], folders), tmp_path / "run", say=said.append)
    assert [
        words
        for words in said
        if words.startswith("skipped 39.png: ") and "no noisy counterpart" in words
    ]
