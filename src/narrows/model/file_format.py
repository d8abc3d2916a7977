"""What a model file holds, read and checked before anything is built from it.

    metadata["narrows"] = the header, JSON (see `Header`)      metadata["sha256"] = the checksum of header and tensors

A file may come from anywhere, so nothing in it is believed. The safetensors library sees to it that each tensor lies
inside the file. The header must be of a format that is known here, and each entry of its type. The checksum tells
bytes that have changed on the way; it is no signature, for who changes a file on purpose can write another. What is
then built has the tensors of the file by name, shape and type, and is first built without memory, so that a file
makes nobody allocate more than it holds. No code is run and nothing is imported because a file says so.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from msgspec import Meta, Struct, ValidationError, convert
from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import Tensor

from narrows.errors import DataError, Faults, wrong
from narrows.layout import WHITE_LEVELS

FORMAT = 2
FORMATS = (1, FORMAT)  # that are read; 1 had no checksum
CHECKPOINT_WORDS = (
    "state of a training, which `narrows train ... --resume` goes on from; the model is model.safetensors"
)
CHECKPOINT_KEY = "training"  # in the header of a state (`narrows.model.training.checkpoint`), which is read here too
CHECKPOINT_NAME = "last.safetensors"  # its name beside the model
LONG = 100_000  # characters of JSON: no model has so many options
FEW = 5  # faults of one sort that are told
WRONG = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)  # what nonsense leads to
Tensors = dict[str, Tensor]
PositiveInt = Annotated[int, Meta(ge=1)]


class LayoutHeader(Struct):
    """The layout of the images that it was fitted on: `images.Layout`."""

    came: Annotated[tuple[PositiveInt, ...], Meta(min_length=1, max_length=3)]
    image: tuple[PositiveInt, PositiveInt, Annotated[int, Meta(ge=1, le=4)]]
    dtype: str


class Facts(Struct):
    """What every fitted model knows, and an autoencoder of its training."""

    n_features_in_: int
    seed_: int
    threshold_: float | None = None
    thresholds_: dict[str, float] | None = None
    history_: dict[str, list[float]] | None = None
    epochs_: int | None = None


class Numbers(Struct):
    """Sizes of the model, for those who read the header alone."""

    parameters: int
    code: int
    side_bits: int


class Header(Struct):
    """The header. options: the constructor's. own: import paths of parts from outside. about: the writer's."""

    format: int
    estimator: str
    options: dict[str, Any]
    layout: LayoutHeader
    scale: Literal["unit", "symmetric", "standard"]
    facts: Facts
    versions: dict[str, str]
    about: dict[str, Any]
    numbers: Numbers | None = None
    own: dict[str, dict[str, str]] = {}


def to_bytes(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """A model file's bytes."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(header)
    return _settled(serialise(whole, metadata={"narrows": text, "sha256": checksum(text, whole)}))


def _settled(content: bytes) -> bytes:
    """The same file with its metadata in the order of their names: the library writes them in one of chance."""
    end = 8 + int.from_bytes(content[:8], "little")
    words = json.loads(content[8:end])
    words["__metadata__"] = dict(sorted(words["__metadata__"].items()))
    text = json.dumps(words, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + content[end:]


def read_file(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Tensors]:
    """The header and the tensors of a model file, once it is known to be whole. Raises `DataError`."""
    path = Path(path)
    if not path.is_file():
        broken = f"; {path.parent / CHECKPOINT_NAME} is a checkpoint: `narrows train ... --resume` continues from it"
        cure = (
            broken
            if (path.parent / CHECKPOINT_NAME).is_file()
            else "; a run folder holds one, named model.safetensors"
        )
        raise DataError(f"there is no model file {path}{cure}")
    try:
        content = path.read_bytes()  # not mapped: a mapped file that is cut short ends the process
        tensors = deserialise(content)
        words = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
        header = json.loads(text := words.get("narrows", "null"))
    except (SafetensorError, *WRONG, OSError) as error:
        raise DataError(f"{path} cannot be read as a model file: {error}") from error
    if not isinstance(header, dict):
        raise DataError(f"{path} is a .safetensors file, but not one of Narrows: its header is missing")
    if header.get("format") not in FORMATS:
        known = " and ".join(map(str, FORMATS))
        raise DataError(f"{path} has the format {header.get('format')}; this Narrows reads {known}")
    if header["format"] > 1 and words.get("sha256") != checksum(text, tensors):
        raise DataError(f"{path} is damaged: its checksum is not that of its contents; copy it again from its source")
    return header, tensors


def parse_header(header: Mapping[str, Any]) -> Header:
    """The header of a model with each entry of its type. Raises `DataError`."""
    if CHECKPOINT_KEY in header:
        raise DataError(f"it is the {CHECKPOINT_WORDS}")
    try:
        found = convert(header, Header)
    except ValidationError as error:
        raise DataError(f"its header is wrong: {error}") from error
    form = found.layout
    came, shape = prod(form.came), found.options.get("image_shape")
    if not (came == prod(form.image) == found.facts.n_features_in_):
        raise wrong("layout", form, "one number of values")
    if form.dtype not in WHITE_LEVELS:
        raise wrong("dtype", form.dtype, f"one of {', '.join(WHITE_LEVELS)}")
    plain = isinstance(shape, list) and all(type(n) is int for n in shape)
    if not (shape is None or (plain and prod(shape) == came)):
        raise wrong("image_shape", shape, f"None, or {came} values in all")
    long = len(json.dumps(found.options))
    if not (long <= LONG):
        raise wrong("options", f"{long} characters", f"{LONG} at most")
    return found


def check_tensors(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are not those wanted, by name, shape and type, or that hold NaN or infinity."""
    faults = Faults("its tensors are not those of its model")
    told = [f"it lacks {name}" for name in wanted if name not in found]
    told += [f"nothing in the model is called {name}" for name in found if name not in wanted]
    for name in [name for name in wanted if name in found]:
        got, expected = _form(found[name]), _form(wanted[name])
        if got != expected:
            told.append(f"{name}: got {got}, expected {expected}")
        elif not bool(torch.isfinite(found[name]).all()):
            told.append(f"{name} holds NaN or infinity")
    for fault in told[:FEW] + ([f"and {len(told) - FEW} more"] if len(told) > FEW else []):
        faults.add(fault)
    faults.stop(DataError)


def checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the header's text, and of each tensor's name, form and bytes, in the order of the names."""
    found = sha256(text.encode("utf-8", "surrogatepass"))
    for name in sorted(tensors):
        found.update(f"\n{name} {_form(tensors[name])}\n".encode("utf-8", "surrogatepass"))
        found.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


def describe_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a model file says of itself, as plain values by name; nothing is built, and no part need be known."""
    header, tensors = read_file(path)
    size = {"file": str(path), "bytes": Path(path).stat().st_size}
    with as_data_error(path):
        return size | (
            _of_state(header[CHECKPOINT_KEY]) if CHECKPOINT_KEY in header else _told(parse_header(header), tensors)
        )


@contextmanager
def as_data_error(path: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever fails in here, for what a file holds, is a `DataError` that names the file."""
    try:
        yield
    except KeyError as error:
        raise DataError(f"{path} is no whole model of Narrows: it lacks {error}") from error
    except WRONG as error:
        raise DataError(f"{path} is no whole model of Narrows: {error}") from error


def _of_state(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a state says of itself: how far the training has come, and its settings."""
    done = {"epochs done": found["numbers"]["epoch"], "batches of the next": found["numbers"]["done"]}
    settings = {name: value for name, value in found["settings"].items() if value not in (None, "", "()", "[]", [])}
    return {"what": CHECKPOINT_WORDS, **done, **settings}


def _told(found: Header, tensors: Tensors) -> dict[str, Any]:
    facts, numbers = found.facts, found.numbers
    losses = {name: column[-1] for name, column in (facts.history_ or {}).items() if column and "seconds" not in name}
    return {
        "format": found.format,
        "model": found.estimator,
        **{name: found.about[name] for name in ("recipe", "data", "fingerprint") if found.about.get(name)},
        **{name: _words(value) for name, value in found.options.items() if value not in (None, [], {}, ())},
        **({f"{kind} of your own": ", ".join(paths.values()) for kind, paths in found.own.items()}),
        "images": f"{' x '.join(map(str, found.layout.came))} {found.layout.dtype}",
        "working scale": found.scale,
        **({"parameters": numbers.parameters, "code size": numbers.code} if numbers else {}),
        **({"side bits": numbers.side_bits} if numbers and numbers.side_bits else {}),
        "numbers in the file": sum(tensor.numel() for tensor in tensors.values()),
        "threshold": facts.threshold_,
        **({"epochs trained": facts.epochs_} if facts.epochs_ is not None else {}),
        **{f"last {name}": value for name, value in losses.items()},
        "versions": ", ".join(f"{name} {version}" for name, version in found.versions.items()),
    }


def _words(value: Any) -> Any:
    """A part's name and options in a line; lists of parts with commas; other values as they are."""
    if isinstance(value, dict):
        options = ", ".join(f"{k}={_words(v)}" for k, v in value.items() if k != "kind")
        return f"{value['kind']} ({options})" if "kind" in value and options else str(value.get("kind", options))
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return ", ".join(str(_words(one)) for one in value)
    return value
