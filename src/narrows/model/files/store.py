"""Model files: one `.safetensors`, weights and a header of JSON, which no code is run to read.

    save    a fitted model  →  header and tensors  →  bytes, aside, renamed
    load    bytes  →  header and tensors, checked (`narrows.model.file_format`)  →  a fitted model, the same

Tensors are the network's, by name, and those of a fitted scale. No wall time is in the file: the same model gives the
same bytes.
"""

import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec import structs

import narrows
from narrows.choose import choose
from narrows.errors import DataError, OutputError
from narrows.files import write_file
from narrows.layout import Layout
from narrows.model.estimator.base import ImageModel, NotFitted
from narrows.model.file_format import (
    FORMAT,
    Header,
    Tensors,
    as_data_error,
    check_tensors,
    parse_header,
    read_file,
    to_bytes,
)
from narrows.model.recipes import ESTIMATORS
from narrows.parts.kinds import KINDS
from narrows.parts.register import custom_paths, validate_paths
from narrows.scale import FIXED_SCALES, Scale

SCALE = ("scale.offset", "scale.gain")
CLOUD = ("cloud.mean", "cloud.white")
FACTS = ("threshold_", "thresholds_", "n_features_in_", "seed_")  # what every fitted model knows


def save(model: ImageModel, path: str | os.PathLike[str], about: dict[str, Any] | None = None) -> Path:
    """Write a fitted model to `path`, atomically. about: further JSON to keep in it."""
    if not model.__sklearn_is_fitted__():
        raise NotFitted(f"only a fitted model can be saved; call fit(X) on this {type(model).__name__} first")
    estimator = next((name for name, kind in ESTIMATORS.items() if type(model) is kind), None)
    if estimator is None:
        known = " or ".join(kind.__name__ for kind in ESTIMATORS.values())
        raise OutputError(f"a {type(model).__name__} cannot be saved: a model file holds an {known}")
    tensors, facts = model._state()
    if model.scale_.name == "standard":
        tensors |= {name: torch.as_tensor(getattr(model.scale_, name[6:])) for name in SCALE}
    if hasattr(model, "cloud_"):
        tensors |= {name: getattr(model.cloud_, name[6:]) for name in CLOUD}
    options = options_as_json(model)
    header = {
        "format": FORMAT,
        "estimator": estimator,
        "options": options,
        "layout": {"came": model.layout_.given, "image": model.layout_.image, "dtype": model.layout_.dtype},
        "scale": model.scale_.name,
        "facts": _json({name: getattr(model, name) for name in FACTS} | _timeless(facts)),
        "numbers": {"parameters": model.n_parameters_, "code": model.code_size_, "side_bits": model.side_bits_},
        "own": custom_paths({kind: spec for kind, spec in options.items() if kind in KINDS or kind == "penalties"}),
        "versions": versions(),
        "about": about or {},
    }
    return write_file(path, to_bytes(header, tensors))


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
    header, tensors = read_file(path)
    with as_data_error(path):
        return _made(parse_header(header), tensors)


def _made(header: Header, tensors: Tensors) -> ImageModel:
    """The model that a file describes."""
    validate_paths(header.own)
    model = choose("model", ESTIMATORS, {"kind": header.estimator, **header.options})
    form = header.layout
    model.layout_ = Layout(form.came, form.image, form.dtype)
    model.image_shape_ = tuple(model.image_shape or form.came)
    model.scale_ = _scale(header.scale, model.layout_, tensors)
    for name, value in structs.asdict(header.facts).items():
        if value is not None:
            setattr(model, name, value)
    cloud = _taken(CLOUD, tensors)
    model._restore(tensors)
    if cloud:
        size = model.code_size_
        white = torch.empty([size] * cloud.get(CLOUD[1], torch.empty(0)).dim(), device="meta")
        check_tensors(dict(zip(CLOUD, (torch.empty(size, device="meta"), white))), cloud)
    model._recall(*(cloud.get(name) for name in CLOUD))
    model.about_ = header.about
    return model


def options_as_json(model: ImageModel) -> dict[str, Any]:
    """The constructor's options as JSON can hold them. Validation images are left out, as None."""
    options = model.get_params(deep=False)
    if not isinstance(options.get("validation"), (int, float, type(None))):
        options["validation"] = None
    if not isinstance(options["random_state"], (int, np.integer)):
        options["random_state"] = None
    try:
        return _json(options)
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


def _timeless(facts: dict[str, Any]) -> dict[str, Any]:
    """What a model knows of its training, less how long it took."""
    kept = {name: column for name, column in facts.get("history_", {}).items() if "seconds" not in name}
    return {**facts, **({"history_": kept} if "history_" in facts else {})}


def _json(value: Any) -> Any:
    """As JSON can hold it, and gives it back."""
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    for kind in KINDS.values():
        for name, make in kind.table.items():
            if make is value:
                return name
    raise TypeError(f"a part given as {value!r} has no name; call narrows.register(kind, ...) with its class first")


def _scale(name: str, layout: Layout, tensors: Tensors) -> Scale:
    """The working scale; where it was fitted, its tensors are taken out of `tensors`."""
    if name != "standard":
        return FIXED_SCALES[name]
    found = _taken(SCALE, tensors)
    check_tensors(dict.fromkeys(SCALE, torch.empty(layout.chw, device="meta")), found)
    return Scale(name, found[SCALE[0]], found[SCALE[1]])


def _taken(names: Iterable[str], tensors: Tensors) -> Tensors:
    """Those of that name that are there, taken out of `tensors`."""
    return {name: tensors.pop(name) for name in names if name in tensors}
