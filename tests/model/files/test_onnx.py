"""ONNX files: another program computes from them what the model computes, to 1e-5 and for any
number of images.
"""

import sys

import numpy as np
import pytest

import narrows as nw
from narrows.errors import BuildError, MissingExtra, NarrowsError, OutputError, UnknownName
from narrows.model.files.onnx import export
from small_models import UNCALIBRATED

pytest.importorskip("onnxscript")
runtime = pytest.importorskip("onnxruntime")
CLOSE = 1e-5
pytestmark = pytest.mark.filterwarnings(UNCALIBRATED)


def run(path, X):
    """What onnxruntime makes of it, by name."""
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = session.run(None, {session.get_inputs()[0].name: X})
    return dict(zip([output.name for output in session.get_outputs()], given))


def expected(model, X):
    """The same by the model itself."""
    scores = {"score": model.anomaly_score(X), "flagged": model.flag(X)}
    return {
        "reconstruction": model.reconstruct(X, exact=True),
        "code": model.transform(X),
        **scores,
    }


def agree(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert (found[name].shape, found[name].dtype) == (value.shape, value.dtype), name
        np.testing.assert_allclose(found[name], value, rtol=CLOSE, atol=CLOSE, err_msg=name)


@pytest.fixture(scope="module")
def colourful(colour):
    """A convolutional variational autoencoder of colour images on the symmetric scale, as floats."""
    body = {"kind": "conv", "channels": [4, 8], "batch_norm": True, "dropout": 0.1}
    bottleneck = {"kind": "variational", "size": 6}
    return nw.Autoencoder(body, bottleneck, scale="symmetric", epochs=30, batch_size=8).fit(colour)


@pytest.fixture(scope="module")
def whole(colourful, tmp_path_factory):
    return export(colourful, tmp_path_factory.mktemp("onnx") / "m.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 32])
def test_export_of_a_variational_model_of_colour_images(colourful, whole, colour, count):
    agree(run(whole, colour[:count]), expected(colourful, colour[:count]))


@pytest.mark.slow
def test_export_flags_anomalies(colourful, whole, colour):
    odd = np.concatenate([colour[:3], np.ones((3, 28, 28, 3), np.float32)])
    np.testing.assert_array_equal(run(whole, odd)["flagged"], [False] * 3 + [True] * 3)


@pytest.mark.slow
def test_export_the_file_says_what_it_is(colourful, whole):
    told = runtime.InferenceSession(str(whole)).get_modelmeta().custom_metadata_map
    assert float(told.pop("threshold")) == colourful.threshold_
    assert (told.pop("false_alarms"), told.pop("calibration_images")) == ("0.01", "6")
    assert told.pop("calibration") == "images that were held out of the training"
    assert told == {
        "narrows": nw.__version__, "what": "whole", "model": "Autoencoder", "images": "28 x 28 x 3 float32",
        "black": "0", "white": "1", "scale": "symmetric", "code_size": "6", "score": "patch",
    }  # fmt: skip


def test_export_of_encoder_and_decoder_is_silent_and_leaves_the_model_as_it_was(
    ae, digits, tmp_path, capfd
):
    codes = ae.transform(digits)
    agree(run(export(ae, tmp_path / "e.onnx", "encoder"), digits), {"code": codes})
    images = ae.reconstruct(digits, exact=True)
    agree(run(export(ae, tmp_path / "d.onnx", "decoder"), codes), {"images": images})
    assert capfd.readouterr() == ("", "")
    np.testing.assert_array_equal(ae.transform(digits), codes)


def test_export_components_of_images_of_another_type(pca, digits, tmp_path):
    path = export(pca, tmp_path / "m.onnx", dtype="float64")
    agree(run(path, digits / 255), expected(pca, digits / 255))


@pytest.mark.slow
def test_export_a_table_keeps_its_units(table, tmp_path):
    model = nw.PCA(2, add_mean=False).fit(table)
    agree(run(export(model, tmp_path / "m.onnx"), table), expected(model, table))


@pytest.mark.slow
def test_export_a_way_up_that_uses_the_switches_has_no_decoder_alone(pooled, digits, tmp_path):
    with pytest.raises(
        BuildError, match="export of a decoder needs images that follow from the code alone"
    ):
        export(pooled, tmp_path / "m.onnx", "decoder")
    agree(run(export(pooled, tmp_path / "m.onnx"), digits), expected(pooled, digits))


def test_export_of_what_cannot_be_exported_is_refused(ae, tmp_path):
    path = tmp_path / "m.onnx"
    with pytest.raises(
        UnknownName, match="no part of a model to export called 'encodr'; did you mean 'encoder'"
    ):
        export(ae, path, "encodr")
    with pytest.raises(UnknownName, match="there is no type of images called 'int7'"):
        export(ae, path, dtype="int7")
    with pytest.raises(NarrowsError, match="only a fitted model can be exported"):
        export(nw.PCA(), path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:the model predicts a constant")
@pytest.mark.slow
def test_export_an_operation_without_a_counterpart_is_refused_and_nothing_written(digits, tmp_path):
    bottleneck = {"kind": "variational", "size": 2}
    model = nw.Autoencoder("mlp", bottleneck, prior="gaussian", epochs=1).fit(digits)
    model.thresholds_ = {"bound": 1.0}  # the score that needs the operation
    with pytest.raises(
        OutputError, match=r"cannot be written as ONNX: .*solve_triangular.*; its encoder or"
    ):
        export(model, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_export_names_the_extra_that_is_missing(ae, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(
        MissingExtra, match=r"this needs onnxscript, .* pip install 'narrows\[onnx\]'"
    ):
        export(ae, tmp_path / "m.onnx")
