"""What a model file holds, read and checked before anything is built from it.

    metadata["narrows"] = the header, JSON (see `file_headers.Header`)
    metadata["sha256"] = the checksum of header and tensors

A file may come from anywhere, so nothing in it is believed. The safetensors library makes sure that
each tensor is inside the file. The header must be of a format that is known here, and each entry of
its type. The checksum detects bytes that have changed on the way; it is no signature, for whoever
changes a file on purpose can write another. What is then built has the tensors of the file by name,
shape and type, and is first built without memory, so that a file cannot make anyone allocate more
than it holds. No code is run and nothing is imported because a file says so.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from math import isnan, prod
from pathlib import Path
from typing import Any

import torch
from msgspec import ValidationError, convert
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import Tensor

from narrows.errors import DataError, Faults, wrong
from narrows.levels import LEVELS, check_levels
from narrows.model.file_headers import CheckpointHeader, Header
from narrows.reading import cause_of, reading

FORMAT = 2
FORMATS = (1, FORMAT)  # that are read; 1 had no checksum
CHECKPOINT_WORDS = (
    "checkpoint of a training, from which `narrows train ... --resume` continues; the model is "
    "model.safetensors"
)
# in the header of a checkpoint (`narrows.model.training.checkpoint`), also read here
CHECKPOINT_KEY = "training"
EXPECTED = "a run folder, which `narrows train` writes, or the model.safetensors in it"
CHECKPOINT_NAME = "last.safetensors"  # in the folder of the model
# options that earlier files lack, and the values that say what was done then
LATER_OPTIONS = {"calibration": 0, "false_alarms": 0.01}
LONGEST_OPTIONS = 100_000  # characters of JSON: no model has as many options
MOST_FAULTS = 5  # of one sort that are reported
SPARE_ENTRIES = 64  # of lists that make no tensors, such as penalties
Tensors = dict[str, Tensor]


def to_bytes(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """A model file's bytes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(header)
    metadata = {"narrows": text, "sha256": checksum(text, plain)}
    return _sort_metadata(serialise(plain, metadata=metadata))


def _sort_metadata(content: bytes) -> bytes:
    """The same file with its metadata sorted by name: the library writes them in random order."""
    end = 8 + int.from_bytes(content[:8], "little")
    entries = json.loads(content[8:end])
    entries["__metadata__"] = dict(sorted(entries["__metadata__"].items()))
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + content[end:]


def read_file(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Tensors]:
    """The header and the tensors of a model file, once it is known to be intact. Raises `DataError`."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no model file {path}; {_where_to_look(path)}")
    with reading(path, f"expected {EXPECTED}", "cannot be read as a model file"):
        content = path.read_bytes()  # not mapped: a mapped file that is cut short ends the process
        tensors = deserialise(content)
        entries = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = entries.get("__metadata__", {})
        text = metadata.get("narrows", "null")
        header = json.loads(text)
    _check_format(path, header)
    if header["format"] > 1 and metadata.get("sha256") != checksum(text, tensors):
        raise DataError(
            f"{path} is damaged: its checksum is not that of its contents; copy it again from its source"
        )
    return header, tensors


def _where_to_look(path: Path) -> str:
    checkpoint = path.parent / CHECKPOINT_NAME
    if checkpoint.is_file():
        return f"{checkpoint} is a checkpoint: `narrows train ... --resume` continues from it"
    return f"expected {EXPECTED}"


def _check_format(path: Path, header: Any) -> None:
    """Refuse what is not a header of a format that is known here."""
    if not isinstance(header, dict):
        raise DataError(
            f"{path} is a .safetensors file, but not one of Narrows: its header is missing"
        )
    if header.get("format") not in FORMATS:
        known = " and ".join(map(str, FORMATS))
        raise DataError(f"{path} has the format {header.get('format')}; this Narrows reads {known}")


def parse_header(header: Mapping[str, Any]) -> Header:
    """The header of a model with each entry of its type. Raises `DataError`."""
    if CHECKPOINT_KEY in header:
        raise DataError(f"it is the {CHECKPOINT_WORDS}")
    try:
        parsed = convert(header, Header)
    except ValidationError as error:
        raise DataError(f"its header is wrong: {error}") from error
    layout, values = parsed.layout, parsed.facts.n_features_in_
    if not prod(layout.came) == prod(layout.image) == values:
        raise wrong("layout", layout, "one number of values")
    if layout.dtype not in LEVELS:
        raise wrong("dtype", layout.dtype, f"one of {', '.join(LEVELS)}")
    if layout.levels is not None:
        check_levels(layout.levels)
    _check_image_shape(parsed.options.get("image_shape"), values)
    length = len(json.dumps(parsed.options))
    if length > LONGEST_OPTIONS:
        raise wrong("options", f"{length} characters", f"at most {LONGEST_OPTIONS}")
    return parsed


def parse_checkpoint(header: Mapping[str, Any]) -> CheckpointHeader:
    """What the header of a checkpoint holds, each entry of its type. Raises `DataError`."""
    if CHECKPOINT_KEY not in header:
        raise DataError(f"it lacks '{CHECKPOINT_KEY}'")
    try:
        parsed = convert(header[CHECKPOINT_KEY], CheckpointHeader)
    except ValidationError as error:
        raise DataError(f"its header is wrong: {error}") from error
    epochs = parsed.settings.get("epochs")
    if type(epochs) is not int or parsed.numbers.epoch > epochs:
        raise wrong("epochs", epochs, f"an integer, at least {parsed.numbers.epoch}")
    if isnan(parsed.numbers.lowest):
        raise wrong("lowest", parsed.numbers.lowest, "a number")
    return parsed


def with_later_options(options: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an earlier file, with those that it lacks; with validation images the share of
    `calibration` has no effect.
    """
    later = {name: value for name, value in LATER_OPTIONS.items() if name in present}
    if later and options.get("validation") is not None:
        later["calibration"] = present["calibration"]
    return {**later, **options}


def _check_image_shape(shape: Any, values: int) -> None:
    if shape is None:
        return
    is_list = isinstance(shape, list) and all(type(length) is int for length in shape)
    if not is_list or prod(shape) != values:
        raise wrong("image_shape", shape, f"None, or {values} values in all")


def check_lists(header: Header, tensors: Tensors) -> None:
    """Refuse options that list more layers than the file can have tensors of: to build them, even
    without memory, takes half a minute for 20,000. What registered parts list is theirs.
    """
    entries = _count_listed(header.options)
    most = len(tensors) + SPARE_ENTRIES
    if entries > most and not header.own:
        raise wrong(
            "options", f"lists of {entries} entries", f"at most {most} for {len(tensors)} tensors"
        )


def _count_listed(value: Any) -> int:
    """How many entries the lists in nested JSON have together."""
    if isinstance(value, dict):
        return sum(map(_count_listed, value.values()))
    if isinstance(value, list):
        return len(value) + sum(map(_count_listed, value))
    return 0


def check_tensors(
    expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], finite: bool = True
) -> None:
    """Refuse tensors that are not as expected, by name, shape and type, or, if `finite`, that hold
    NaN or infinity.
    """
    problems = [f"it lacks {name}" for name in expected if name not in tensors]
    problems += [
        f"nothing in the model is called {name}" for name in tensors if name not in expected
    ]
    for name in expected:
        if name in tensors:
            problems += _differences(name, tensors[name], expected[name], finite)
    faults = Faults("its tensors are not those of its model")
    for problem in problems[:MOST_FAULTS]:
        faults.add(problem)
    if len(problems) > MOST_FAULTS:
        faults.add(f"and {len(problems) - MOST_FAULTS} more")
    faults.stop(DataError)


def _differences(name: str, tensor: Tensor, expected: Tensor, finite: bool) -> list[str]:
    """What is wrong with a tensor, if anything is."""
    if _describe_tensor(tensor) != _describe_tensor(expected):
        return [f"{name}: got {_describe_tensor(tensor)}, expected {_describe_tensor(expected)}"]
    if finite and not bool(torch.isfinite(tensor).all()):
        return [f"{name} holds NaN or infinity"]
    return []


def checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the header's text, and of each tensor's name, form and bytes, in the order of the
    names.
    """
    digest = sha256(text.encode("utf-8", "surrogatepass"))
    for name in sorted(tensors):
        entry = f"\n{name} {_describe_tensor(tensors[name])}\n"
        digest.update(entry.encode("utf-8", "surrogatepass"))
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _describe_tensor(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


@contextmanager
def as_data_error(path: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever fails in here because of a file's contents is a `DataError` that names the file."""
    try:
        yield
    except Exception as error:  # of ours too: they do not know the file
        cause = cause_of(error)
        raise DataError(f"{path} is not a complete model of Narrows: {cause}") from error
