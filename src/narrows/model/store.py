"""Model files: one `.safetensors`, weights and a header of JSON, which no code is run to read.

    metadata["narrows"] = {"format": 1, "estimator", "options", "layout", "scale", "facts", "versions", "about"}

options: the constructor's. layout, scale: of the images it was fitted on. facts: threshold, history and such. about:
what the writer adds (recipe, data, command). Tensors are the network's, by name, and those of a fitted scale.
"""

import json
import os
import platform
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise

import narrows
from narrows.choose import choose
from narrows.errors import DataError, OutputError, expect
from narrows.files import write
from narrows.images import FIXED, Layout, Scale
from narrows.model.base import ImageModel, NotFitted
from narrows.model.recipes import ESTIMATORS

FORMAT = 1
FACTS = ("threshold_", "n_features_in_", "seed_")  # what every fitted model knows


def save(model: ImageModel, path: str | os.PathLike[str], about: dict[str, Any] | None = None) -> Path:
    """Write a fitted model to `path`, atomically. about: further JSON to keep in it."""
    if not model.__sklearn_is_fitted__():
        raise NotFitted(f"only a fitted model can be saved; call fit(X) on this {type(model).__name__} first")
    estimator = next((name for name, kind in ESTIMATORS.items() if type(model) is kind), None)
    if estimator is None:
        known = " or ".join(kind.__name__ for kind in ESTIMATORS.values())
        raise OutputError(f"a {type(model).__name__} cannot be saved: a model file holds an {known}")
    scale = model.scale_
    tensors, facts = model._state()
    if scale.name == "standard":
        tensors |= {"scale.offset": torch.as_tensor(scale.offset), "scale.gain": torch.as_tensor(scale.gain)}
    header = {
        "format": FORMAT,
        "estimator": estimator,
        "options": options_of(model),
        "layout": {"came": model.layout_.came, "image": model.layout_.image, "dtype": model.layout_.dtype},
        "scale": scale.name,
        "facts": {
            "threshold_": getattr(model, "threshold_", None),
            "n_features_in_": model.n_features_in_,
            "seed_": model.seed_,
            **facts,
        },
        "versions": versions(),
        "about": about or {},
    }
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return write(path, serialise(whole, metadata={"narrows": json.dumps(header)}))


def load(path: str | os.PathLike[str]) -> ImageModel:
    """Read a model that `save` wrote (or the `model.safetensors` of a run folder). Raises `DataError`."""
    path = Path(path)
    if path.is_dir():
        several = sorted(run.name for run in (path / "runs").glob("*") if run.is_dir())
        if several and not (path / "model.safetensors").exists():
            raise DataError(
                f"{path} holds several runs, choose one: {', '.join(str(path / 'runs' / r) for r in several)}"
            )
        path = path / "model.safetensors"
    header, tensors = read(path)
    try:
        model = choose("model", ESTIMATORS, {"kind": header["estimator"], **header["options"]})
        layout = header["layout"]
        model.layout_ = Layout(tuple(layout["came"]), tuple(layout["image"]), layout["dtype"])
        expect(prod(layout["came"]) == prod(layout["image"]), "layout", layout, "one number of values")
        model.image_shape_ = tuple(model.image_shape or model.layout_.came)
        model.scale_ = _scale(header["scale"], tensors)
        for name, value in header["facts"].items():
            setattr(model, name, value)
        model._restore(tensors)
        model.about_ = header["about"]
    except KeyError as error:
        raise DataError(f"{path} is no whole model of Narrows: it lacks {error}") from error
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(f"{path} is no whole model of Narrows: {error}") from error
    return model


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The header and the tensors of a model file."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no model file {path}; a run folder holds one, named model.safetensors")
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get("narrows", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a model file: {error}") from error
    if not isinstance(header, dict):
        raise DataError(f"{path} is a .safetensors file, but not one of Narrows: its header is missing")
    if header.get("format") != FORMAT:
        raise DataError(f"{path} has the format {header.get('format')}; this Narrows reads {FORMAT}")
    return header, tensors


def options_of(model: ImageModel) -> dict[str, Any]:
    """The constructor's options as JSON can hold them. Validation images are left out, as None."""
    options = model.get_params(deep=False)
    if not isinstance(options.get("validation"), (int, float, type(None))):
        options["validation"] = None
    if not isinstance(options["random_state"], (int, np.integer)):
        options["random_state"] = None
    try:
        return json.loads(json.dumps(options, default=_plain))
    except TypeError as error:
        raise OutputError(f"this model cannot be written: {error}") from error


def versions() -> dict[str, str]:
    """What this runs on."""
    return {
        "narrows": narrows.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    raise TypeError(f"a part given as {value!r} has no name; enter its class in the part's table first")


def _scale(name: str, tensors: dict[str, torch.Tensor]) -> Scale:
    if name == "standard":
        return Scale(name, tensors.pop("scale.offset"), tensors.pop("scale.gain"))
    return FIXED[name]
