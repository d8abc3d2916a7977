"""Verbs about a model's file: what it holds, and the same for other programs."""

import numpy as np
import pytest

import narrows as nw
from narrows.model.files import store


def test_info_reports_what_a_file_holds(narrows, trained):
    model = store.load(trained["pca"])
    found = narrows("info", trained["pca"], "--json").json()
    assert (found["model"], found["code size"]) == ("pca", model.code_size_)
    assert found["threshold"] == pytest.approx(model.threshold_)
    text = narrows("info", trained["pca"] / "model.safetensors").out
    assert "8 x 8" in text


def test_info_reports_the_members_of_a_detector(narrows, tmp_path):
    X = nw.load_data("digits")[0][:60]
    detector = nw.AnomalyDetector().fit(X)
    path = nw.save(detector, tmp_path / "m.safetensors")
    found = narrows("info", path, "--json").json()
    assert found["members"].split(", ") == list(detector.members_)
    assert f"the score combines {found['score combines']};" in detector.choice_in_words_


def test_info_of_something_else_is_refused(refused, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"none")
    assert "x.safetensors" in refused(1, "info", tmp_path / "x.safetensors")
    assert "no model file" in refused(1, "info", tmp_path / "y.safetensors")


def test_an_exported_model_gives_the_same(narrows, refused, trained, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    assert narrows("export", trained["pca"], "-o", tmp_path / "m.onnx").code == 0
    X = nw.load_data("digits", split="test")[0][:20]
    (name,) = [given.name for given in runtime.InferenceSession(tmp_path / "m.onnx").get_inputs()]
    found = runtime.InferenceSession(tmp_path / "m.onnx").run(["score"], {name: X})[0]
    np.testing.assert_allclose(
        found, store.load(trained["pca"]).anomaly_score(X), rtol=1e-4, atol=1e-5
    )
    assert "exists already" in refused(1, "export", trained["pca"], "-o", tmp_path / "m.onnx")
    said = refused(2, "export", trained["pca"], "-o", tmp_path / "n.onnx", "--what", "hole")
    assert "did you mean 'whole'" in said
