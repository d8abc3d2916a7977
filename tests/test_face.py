"""The public face: exactly these names, each there and documented, and quick to import."""

import inspect
import subprocess
import sys

import pytest

import narrows

FACE = [
    "AnomalyDetector",
    "Autoencoder",
    "Checkpoint",
    "NarrowsError",
    "NarrowsWarning",
    "Neighbours",
    "PCA",
    "compare",
    "compress",
    "decompress",
    "denoise",
    "evaluate",
    "export",
    "fit_pixel_model",
    "interpolate",
    "load",
    "load_data",
    "measure",
    "perturb",
    "recipe",
    "recipes",
    "register",
    "restore",
    "save",
]
HEAVY = {
    "torch",
    "numpy",
    "sklearn",
    "PIL",
    "matplotlib",
    "safetensors",
    "rich",
    "cyclopts",
    "msgspec",
    "pooch",
}


def test_the_face_is_exactly_this():
    assert narrows.__all__ == FACE


def test_the_interpreter_proposes_the_face():
    assert set(FACE) <= set(dir(narrows))


@pytest.mark.parametrize("name", FACE)
def test_each_name_is_there_and_documented(name):
    assert inspect.getdoc(getattr(narrows, name))


@pytest.mark.parametrize("name", [n for n in FACE if inspect.isclass(getattr(narrows, n))])
def test_each_method_of_the_face_is_documented(name):
    kind = getattr(narrows, name)
    ours = [
        m
        for k in kind.__mro__
        if k.__module__.startswith("narrows")
        for m in vars(k)
        if not m.startswith("_")
    ]
    for member in ours:
        if callable(getattr(kind, member)) or isinstance(getattr(kind, member), property):
            assert inspect.getdoc(getattr(kind, member)), f"{name}.{member} has no docstring"


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Autoencodre"):
        narrows.Autoencodre  # noqa: B018


def test_importing_narrows_imports_nothing_heavy():
    code = "import sys, narrows, narrows.errors; narrows.__version__; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert not HEAVY & set(told.split())
