"""ONNX: a model as one file for other programs, which need neither Narrows nor torch.

    whole      images → reconstruction, code, score, flagged
    encoder    images → code
    decoder    code → images

The way to the working scale and back is inside, and so is the threshold:

    images          (N, ...) as the model was fitted on them, in form, type and range: uint8 of 0 to 255, say
    reconstruction  (N, ...) float32, on [0, 1] whatever the type of the images, neither clipped nor rounded:
                    `model.reconstruct(X, exact=True)`; of a table in its own units
    code            (N, size) float32: `model.transform(X)`, of a variational model the mean of q(z|x)
    score           (N,) float32: `model.anomaly_score(X)`
    flagged         (N,) booleans: score > threshold_, `model.flag(X)`; none where the model has no threshold
    images          (of the decoder) as the reconstruction: `model.inverse_transform(Z)` before it is clipped

N is free; everything else is fixed. The file's metadata has an entry for what Narrows knows of the model, by name:
`narrows` (its version), `what`, `model`, `images` (form and type of one), `scale`, `code_size`, `score` (its kind)
and `threshold`.

Reference: ONNX, "Open Neural Network Exchange", https://onnx.ai. The exporter is torch's, which traces the model.
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

import torch
from torch import Tensor, nn

import narrows
from narrows.errors import OutputError, extra, unknown
from narrows.files import write_file
from narrows.layout import WHITE_LEVELS
from narrows.model.estimator.anomaly import SCORES
from narrows.model.estimator.base import ImageModel, NotFitted
from narrows.parts.transposed import Transposed
from narrows.scale import as_given, to_unit

OPSET = 18  # of ONNX: what programs of 2023 and later read


class Traced(nn.Module):
    """A model as a function of tensors. On the CPU, and a copy, so that the model itself stays as it is."""

    takes: str
    gives: tuple[str, ...]

    def __init__(self, model: ImageModel):
        super().__init__()
        self.model = copy.copy(model)
        self.model.device_ = torch.device("cpu")  # type: ignore[attr-defined]
        self.model.scale_ = model.scale_.to(torch.device("cpu"))
        for name, tensor in model._state()[0].items():
            if hasattr(model, name):  # an array of a PCA, which is to be in the file once
                self.register_buffer(name, tensor)
                setattr(self.model, name, tensor)
        if network := getattr(model, "network_", None):
            self.network = self.model.network_ = copy.deepcopy(network).cpu().eval()  # type: ignore[attr-defined]
            for layer in self.network.modules():
                if isinstance(layer, Transposed):  # ours is written for a processor
                    layer.forward = nn.ConvTranspose2d.forward.__get__(layer)

    def example(self) -> Tensor:
        """Two images to trace it with."""
        return torch.zeros(2, *self.model.layout_.given, dtype=getattr(torch, self.model.layout_.dtype))

    def work(self, images: Tensor) -> Tensor:
        return self.model.scale_.work(to_unit(images, self.model.layout_))

    def back(self, x: Tensor) -> Tensor:
        return as_given(self.model.scale_.unit(x), self.model.layout_)


class Whole(Traced):
    """Images to all that the model makes of them."""

    takes, gives = "images", ("reconstruction", "code", "score", "flagged")

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        x = self.work(images)
        seen, made = self.model._see(x), self.back(self.model._reconstruct(x))
        score, threshold = SCORES[self.model._usual](seen), self.model.threshold_
        return made, seen.codes, score, score > (inf if threshold is None else threshold)


class Encoder(Traced):
    """Images to codes."""

    takes, gives = "images", ("code",)

    def forward(self, images: Tensor) -> Tensor:
        return self.model._encode(self.work(images))


class Decoder(Traced):
    """Codes to images."""

    takes, gives = "code", ("images",)

    def example(self) -> Tensor:
        return torch.zeros(2, self.model.code_size_)

    def forward(self, code: Tensor) -> Tensor:
        return self.back(self.model._decode(code))


WHAT: dict[str, type[Traced]] = {"whole": Whole, "encoder": Encoder, "decoder": Decoder}


def export(model: ImageModel, path: str | os.PathLike[str], what: str = "whole", *, dtype: str | None = None) -> Path:
    """Write a fitted model to `path` as ONNX, atomically (see the module for its inputs and outputs).

    what: "whole", "encoder" or "decoder". dtype: of the images that it is to take, such as "uint8" or "float32"; by
    default that of the images it was fitted on. Needs the extra "onnx". Raises `OutputError` where a part has no
    counterpart in ONNX.
    """
    if what not in WHAT:
        raise unknown("part of a model to export", what, WHAT)
    if dtype is not None and dtype not in WHITE_LEVELS:
        raise unknown("type of images", dtype, WHITE_LEVELS)
    if not model.__sklearn_is_fitted__():
        raise NotFitted(f"only a fitted model can be exported; call fit(X) on this {type(model).__name__} first")
    if what == "decoder":
        model._by_code_alone("export of a decoder")
    for module in ("onnx", "onnxscript"):
        extra(module, "onnx")
    traced = WHAT[what](model)
    traced.model.layout_ = replace(model.layout_, dtype=dtype or model.layout_.dtype)
    return write_file(path, _program(traced, _facts(traced.model, what)))


def _program(traced: Traced, facts: dict[str, str]) -> bytes:
    """The traced model as ONNX."""
    batch = torch.export.Dim("N")
    with _quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                traced.eval(), (traced.example(),), dynamo=True, verbose=False, opset_version=OPSET,
                input_names=[traced.takes], output_names=list(traced.gives), dynamic_shapes=({0: batch},),
            )  # fmt: skip
            assert program is not None
            program.model.metadata_props.update(facts)
            return program.model_proto.SerializeToString()
        except Exception as error:  # of whatever kind: the exporter's are many
            why = str(error.__cause__ or error).strip().split("\n")[0][:200]
            raise OutputError(
                f"this model cannot be written as ONNX: an operation of it has no counterpart there ({why}); "
                "its encoder or its decoder alone may have"
            ) from error


def _facts(model: Any, what: str) -> dict[str, str]:
    layout = model.layout_
    facts = {
        "narrows": narrows.__version__, "what": what, "model": type(model).__name__,
        "images": f"{' x '.join(map(str, layout.given))} {layout.dtype}", "scale": model.scale_.name,
        "code_size": model.code_size_, "score": model._usual, "threshold": model.threshold_,
    }  # fmt: skip
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's own words, of which there are many."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
