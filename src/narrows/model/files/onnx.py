"""ONNX: a model as one file for other programs, which need neither Narrows nor torch.

    whole      images → reconstruction, code, score, flagged
    encoder    images → code
    decoder    code → images

The conversion to the working scale and back is inside, and so is the threshold:

    images          (N, ...) as the model was fitted on them, in form, type and range, such as uint8
                    of 0 to 255
    reconstruction  (N, ...) float32, on [0, 1] whatever the type of the images, neither clipped nor rounded:
                    `model.reconstruct(X, exact=True)`; of a table in its own units
    code            (N, size) float32: `model.transform(X)`, of a variational model the mean of q(z|x)
    score           (N,) float32: `model.anomaly_score(X)`
    flagged         (N,) booleans: score > threshold_, `model.flag(X)`; all False if the model
                    has no threshold
    images          (of the decoder) as the reconstruction: `model.inverse_transform(Z)` before it is clipped

N is free; everything else is fixed. The file's metadata has these entries: `narrows` (its version),
`what`, `model`, `images` (form and type of one), `black` and `white` (their levels), `scale`,
`code_size`, `score` (its kind), `threshold`, and, where they are known, the share of `false_alarms`
that the threshold is for, how many normal images' scores it comes from (`calibration_images`) and
which these are (`calibration`, see `narrows.model.calibration`).

Reference: ONNX, "Open Neural Network Exchange", https://onnx.ai. The exporter is torch's, which
traces the model.
"""

import copy
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import narrows
from narrows.data.outputs import file_place
from narrows.errors import OutputError, extra, unknown
from narrows.files import write_file
from narrows.levels import LEVELS
from narrows.model.calibration import SOURCES, Calibration
from narrows.model.estimator.anomaly import find_score
from narrows.model.estimator.arguments import NotFitted
from narrows.model.estimator.base import ImageModel
from narrows.parts.transposed import Transposed
from narrows.scale import Scale, as_given, to_unit

ENDINGS = (".onnx",)
OPSET = 18  # of ONNX: what programs of 2023 and later read


class Traced(nn.Module):
    """A model as a function of tensors. It is a copy on the CPU, so that the model itself stays as
    it is.
    """

    input_name: str
    output_names: tuple[str, ...]

    def __init__(self, model: ImageModel):
        super().__init__()
        self.model = self._traceable(model)

    def _traceable(self, model: ImageModel, prefix: str = "") -> ImageModel:
        """A copy on the CPU, whose tensors and modules, and those of its members, belong to this one."""
        traceable: Any = copy.copy(model)
        traceable.device_ = torch.device("cpu")
        traceable.scale_ = model.scale_.to(traceable.device_)
        for name, tensor in model.exported_tensors().items():  # each is in the file once
            self.register_buffer(prefix + name, tensor)
            setattr(traceable, name, tensor)
        for name, module in model.exported_modules().items():
            exported = _exportable(module)
            self.add_module(prefix + name, exported)
            setattr(traceable, name, exported)
        members = {
            name: self._traceable(member, f"{prefix}{name.replace('.', '-')}/")
            for name, member in model.member_models_.items()
        }
        if members:
            traceable.replace_member_models(members)
        return traceable

    def example(self) -> Tensor:
        """Two images to trace it with."""
        layout = self.model.layout_
        return torch.zeros(2, *layout.given, dtype=getattr(torch, layout.dtype))

    def to_working(self, images: Tensor) -> tuple[Tensor, Scale]:
        """Images as given, on the working scale, and the scale of these images."""
        unit = to_unit(images, self.model.layout_)
        scale = self.model.scale_.of(unit)
        return scale.work(unit), scale

    def to_given(self, working: Tensor, scale: Scale) -> Tensor:
        """Images on the working scale in the form in which they are given."""
        return as_given(scale.unit(working), self.model.layout_)


class Complete(Traced):
    """Images to all that the model makes of them."""

    input_name, output_names = "images", ("reconstruction", "code", "score", "flagged")

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        x, scale = self.to_working(images)
        outputs = self.model._outputs(x)
        reconstruction = self.to_given(self.model._reconstruct(x), scale)
        score = find_score(self.model, None).compute(outputs)
        threshold = self.model.threshold_
        flagged = score > (inf if threshold is None else threshold)
        return reconstruction, outputs.codes, score, flagged


class Encoder(Traced):
    """Images to codes."""

    input_name, output_names = "images", ("code",)

    def forward(self, images: Tensor) -> Tensor:
        return self.model._encode(self.to_working(images)[0])


class Decoder(Traced):
    """Codes to images."""

    input_name, output_names = "code", ("images",)

    def example(self) -> Tensor:
        return torch.zeros(2, self.model.code_size_)

    def forward(self, code: Tensor) -> Tensor:
        return self.to_given(self.model._decode(code), self.model.scale_)


def _exportable(module: nn.Module) -> nn.Module:
    """A copy with torch's own transposed convolutions in place of ours, which are written for a
    processor.
    """
    exported = copy.deepcopy(module).cpu().eval()
    for layer in exported.modules():
        if isinstance(layer, Transposed):
            layer.forward = nn.ConvTranspose2d.forward.__get__(layer)
    return exported


WHAT: dict[str, type[Traced]] = {"whole": Complete, "encoder": Encoder, "decoder": Decoder}


def export(
    model: ImageModel,
    path: str | os.PathLike[str],
    what: str = "whole",
    *,
    dtype: str | None = None,
) -> Path:
    """Write a fitted model to `path` as ONNX, atomically (see the module for its inputs and
    outputs).

    what: "whole", "encoder" or "decoder". dtype: of the images that it takes, such as "uint8" or
    "float32"; by default that of the images it was fitted on. Needs the extra "onnx". Raises
    `OutputError` where a part has no counterpart in ONNX.
    """
    file_place(os.fspath(path), "models for other programs", ENDINGS)
    _validate(model, what, dtype)
    for module in ("onnx", "onnxscript"):
        extra(module, "onnx")
    traced = WHAT[what](model)
    if dtype is not None:
        levels = model.levels_for(np.dtype(dtype))
        traced.model.layout_ = replace(model.layout_, dtype=dtype, levels=levels)
    return write_file(path, _program(traced, _facts(traced.model, what)))


def _validate(model: ImageModel, what: str, dtype: str | None) -> None:
    """Refuse what cannot be exported."""
    if what not in WHAT:
        raise unknown("part of a model to export", what, WHAT)
    if dtype is not None and dtype not in LEVELS:
        raise unknown("type of images", dtype, LEVELS)
    if not model.__sklearn_is_fitted__():
        raise NotFitted(
            f"only a fitted model can be exported; call fit(X) on this {type(model).__name__} first"
        )
    if what == "decoder":
        model._require_no_side_channel("export of a decoder")


def _program(traced: Traced, facts: dict[str, str]) -> bytes:
    """The traced model as ONNX."""
    try:
        with _quiet(), torch.no_grad():
            program = _exported(traced)
            program.model.metadata_props.update(facts)
            return program.model_proto.SerializeToString()
    except Exception as error:  # of whatever kind: the exporter's are many
        why = str(error.__cause__ or error).strip().split("\n")[0][:200]
        raise OutputError(
            f"this model cannot be written as ONNX: an operation of it has no counterpart there ({why}); "
            "its encoder or its decoder alone may have"
        ) from error


def _exported(traced: Traced) -> torch.onnx.ONNXProgram:
    """The program that torch's exporter makes, for any number of images N."""
    program = torch.onnx.export(
        traced.eval(),
        (traced.example(),),
        dynamo=True,
        verbose=False,
        opset_version=OPSET,
        input_names=[traced.input_name],
        output_names=list(traced.output_names),
        dynamic_shapes=({0: torch.export.Dim("N")},),
    )
    if program is None:
        raise RuntimeError("the exporter gave no program")
    return program


def _facts(model: Any, what: str) -> dict[str, str]:
    layout = model.layout_
    return {
        "narrows": narrows.__version__,
        "what": what,
        "model": type(model).__name__,
        "images": f"{' x '.join(map(str, layout.given))} {layout.dtype}",
        "black": json.dumps(layout.levels.black),
        "white": json.dumps(layout.levels.white),
        "scale": model.scale_.name,
        "code_size": json.dumps(model.code_size_),
        "score": model.default_score_,
        "threshold": json.dumps(model.threshold_),
        **_calibration_facts(model.calibration_),
    }


def _calibration_facts(calibration: Calibration | None) -> dict[str, str]:
    if calibration is None:
        return {}
    return {
        "false_alarms": json.dumps(calibration.false_alarms),
        "calibration_images": json.dumps(calibration.count),
        "calibration": SOURCES[calibration.source],
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's own messages, of which there are many."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
