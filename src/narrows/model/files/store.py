"""Model files: one `.safetensors`, weights and a header of JSON, which no code is run to read.

    save    a fitted model  →  header and tensors  →  bytes, a temporary file, renamed
    load    bytes  →  header and tensors, checked (`narrows.model.file_format`)  →  a fitted model, the same

Tensors are the network's, by name, and those of a fitted scale, of the density of codes, of the usual
size of errors and of the scores of normal images. No wall time is in the file: the same model gives
the same bytes.
"""

import json
import os
import platform
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec import structs

import narrows
from narrows.choose import choose
from narrows.errors import DataError, OutputError, wrong
from narrows.files import write_file
from narrows.layout import Layout
from narrows.levels import LEVELS, check_levels
from narrows.model.estimator.arguments import NotFitted
from narrows.model.estimator.base import ImageModel
from narrows.model.file_format import (
    FORMAT,
    Header,
    Tensors,
    as_data_error,
    check_lists,
    parse_header,
    read_file,
    to_bytes,
)
from narrows.model.files.calibration import (
    calibration_facts,
    calibration_tensors,
    take_calibration,
)
from narrows.model.files.fitted_tensors import (
    DENSITY_NAMES,
    USUAL_ERROR,
    checked_density,
    density_tensors,
    scale_tensors,
    take_density_tensors,
    take_scale,
    take_usual,
    usual_tensors,
)
from narrows.model.files.shipped import in_single, shipped_or
from narrows.model.recipes import ESTIMATORS
from narrows.parts.kinds import KINDS
from narrows.parts.register import custom_paths, validate_paths

FACTS = ("threshold_", "thresholds_", "n_features_in_", "seed_")  # what every fitted model has


def save(
    model: ImageModel, path: str | os.PathLike[str], about: dict[str, Any] | None = None
) -> Path:
    """Write a fitted model to `path`, atomically. about: further JSON to keep in it."""
    if not model.__sklearn_is_fitted__():
        name = type(model).__name__
        raise NotFitted(f"only a fitted model can be saved; call fit(X) on this {name} first")
    return write_file(path, to_bytes(*header_and_tensors(model, about or {})))


def weights_digest(model: ImageModel) -> bytes:
    """The SHA-256 of all numbers of a fitted model: the same before and after it was in a file."""
    digest = sha256()
    for name, tensor in sorted(header_and_tensors(model, {})[1].items()):
        array = np.ascontiguousarray(tensor)
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest()


def load(path: str | os.PathLike[str]) -> ImageModel:
    """Read a model that `save` wrote (or the `model.safetensors` of a run folder), or one that comes with
    the package, by its name ("photo"). Raises `DataError`.
    """
    path = shipped_or(Path(path))
    if path.is_dir():
        path = _model_file(path)
    header, tensors = read_file(path)
    with as_data_error(path):
        return _model(parse_header(header), in_single(tensors))


def options_as_json(model: ImageModel) -> dict[str, Any]:
    """The constructor's options as JSON can hold them. Validation images are left out, as None."""
    options = model.get_params(deep=False)
    if not isinstance(options.get("validation"), (int, float, type(None))):
        options["validation"] = None
    if not isinstance(options["random_state"], (int, np.integer)):
        options["random_state"] = None
    try:
        return _as_json(options)
    except TypeError as error:
        raise OutputError(f"this model cannot be written: {error}") from error


def versions() -> dict[str, str]:
    """The versions of what computes."""
    return {
        "narrows": narrows.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def header_and_tensors(model: ImageModel, about: dict[str, Any]) -> tuple[dict[str, Any], Tensors]:
    """The header and the tensors of a model, those of its members included."""
    tensors, facts = model._state()
    tensors |= scale_tensors(model.scale_) | density_tensors(model.density_)
    tensors |= usual_tensors(model.usual_error_) | calibration_tensors(model.calibration_)
    header = _header(model, facts, about)
    for name, member in model.member_models_.items():
        of_member, its_tensors = header_and_tensors(member, {})
        header.setdefault("members", {})[name] = of_member
        tensors |= {f"{name}/{key}": tensor for key, tensor in its_tensors.items()}
    return header, tensors


def _header(model: ImageModel, facts: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """The header of a model file; its keys are those of `file_format.Header`."""
    options, layout = options_as_json(model), model.layout_
    return {
        "format": FORMAT,
        "estimator": _estimator_name(model),
        "options": options,
        "layout": _layout_header(layout),
        "scale": model.scale_.name,
        "facts": _facts(model, facts),
        "numbers": {
            "parameters": model.n_parameters_,
            "code": model.code_size_,
            "side_bits": model.side_bits_,
        },
        "own": custom_paths(_parts(options)),
        "versions": versions(),
        "about": about,
    }


def _facts(model: ImageModel, of_training: dict[str, Any]) -> dict[str, Any]:
    """What the model knows, as JSON can hold it."""
    of_every_model = {name: getattr(model, name) for name in FACTS}
    of_every_model |= calibration_facts(model.calibration_)
    return _as_json(of_every_model | _without_times(of_training))


def _parts(options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that are specs of parts."""
    return {name: spec for name, spec in options.items() if name in KINDS or name == "penalties"}


def _layout_header(layout: Layout) -> dict[str, Any]:
    """The layout; its levels if they are not those of its type."""
    header = {"came": layout.given, "image": layout.image, "dtype": layout.dtype}
    return {**header, "levels": layout.levels} if layout.has_own_levels else header


def _estimator_name(model: ImageModel) -> str:
    for name, estimator in ESTIMATORS.items():
        if type(model) is estimator:
            return name
    known = " or ".join(estimator.__name__ for estimator in ESTIMATORS.values())
    raise OutputError(f"a {type(model).__name__} cannot be saved: a model file holds an {known}")


def _model_file(folder: Path) -> Path:
    """The model file of a run folder. Raises `DataError` if the folder holds several runs."""
    file = folder / "model.safetensors"
    runs = sorted(run for run in (folder / "runs").glob("*") if run.is_dir())
    if runs and not file.exists():
        names = ", ".join(str(run) for run in runs)
        raise DataError(f"{folder} holds several runs, choose one: {names}")
    return file


def _model(header: Header, tensors: Tensors) -> ImageModel:
    """The model that a file describes."""
    validate_paths(header.own)
    check_lists(header, tensors)
    model = choose("model", ESTIMATORS, {"kind": header.estimator, **header.options})
    _restore_header(model, header)
    model.scale_ = take_scale(header.scale, model.layout_, tensors)
    density = take_density_tensors(tensors)
    model.usual_error_ = take_usual(model.layout_, tensors)
    model.calibration_ = take_calibration(header.facts.calibration_, tensors)
    members = {name: _member(name, inside, tensors) for name, inside in header.members.items()}
    if members:
        model.take_member_models(members)
    model._restore(tensors)
    model.density_ = checked_density(density, model.code_size_)
    _restore_thresholds(model)
    return model


def _member(name: str, header: dict[str, Any], tensors: Tensors) -> ImageModel:
    """The member of that name, whose tensors are taken out of `tensors`."""
    prefix = f"{name}/"
    names = [key for key in tensors if key.startswith(prefix)]
    own = {key.removeprefix(prefix): tensors.pop(key) for key in names}
    parsed = parse_header(header)
    if parsed.members:
        raise wrong(f"member {name}", "a model with members", "a model without")
    return _model(parsed, own)


def _restore_header(model: ImageModel, header: Header) -> None:
    """What the header says of the images and of the training."""
    layout = header.layout
    levels = check_levels(layout.levels or LEVELS[layout.dtype])
    model.layout_ = Layout(layout.came, layout.image, layout.dtype, levels)
    model.image_shape_ = tuple(model.image_shape or layout.came)
    model.about_ = header.about
    for name, value in structs.asdict(header.facts).items():
        if value is not None and name != "calibration_":
            setattr(model, name, value)


def _restore_thresholds(model: ImageModel) -> None:
    """Files of earlier versions have one threshold, that of the error or the bound."""
    if not model.thresholds_ and model.threshold_ is not None:
        kind = "bound" if model.is_variational else "error"
        model.thresholds_ = {kind: model.threshold_}
    if "code" in model.thresholds_ and model.density_ is None:
        raise wrong(DENSITY_NAMES, None, "the density of the training codes")
    if "relative" in model.thresholds_ and model.usual_error_ is None:
        raise wrong(USUAL_ERROR, None, "the usual size of the errors")


def _without_times(facts: dict[str, Any]) -> dict[str, Any]:
    """What a model knows of its training, without how long it took."""
    if "history_" not in facts:
        return facts
    columns = facts["history_"].items()
    kept = {name: column for name, column in columns if "seconds" not in name}
    return {**facts, "history_": kept}


def _as_json(value: Any) -> Any:
    """As JSON can hold it, and gives it back."""
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    """A number of numpy's as Python's own; a class of a part as its name."""
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    for kind in KINDS.values():
        for name, make in kind.table.items():
            if make is value:
                return name
    raise TypeError(
        f"a part given as {value!r} has no name; call narrows.register(kind, ...) with its class first"
    )
