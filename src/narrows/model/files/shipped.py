"""Models that come with the package, by name: `load("photo")`, `narrows denoise photo noisy/ -o clean/`.

Each is a model file as any other, but for its weights, which have 16 bits: half the bytes, and a
rounding by 2⁻¹¹ of a weight at most. They are read as float32. A run folder or a file that is called
like one of them comes first.
"""

from pathlib import Path

import torch

from narrows.model.file_format import Tensors

SHIPPED = {"photo": Path(__file__).with_name("photo.safetensors")}


def shipped_or(path: Path) -> Path:
    """The file of the shipped model if that is what `path` names, and no file or folder does."""
    if path.exists():
        return path
    return SHIPPED.get(str(path), path)


def in_half(tensors: Tensors) -> Tensors:
    """The same tensors, those of 32 bits in 16."""
    return _converted(tensors, torch.float32, torch.float16)


def in_single(tensors: Tensors) -> Tensors:
    """The same tensors, those of 16 bits in 32."""
    return _converted(tensors, torch.float16, torch.float32)


def _converted(tensors: Tensors, given: torch.dtype, wanted: torch.dtype) -> Tensors:
    converted = dict(tensors)
    for name, tensor in tensors.items():
        if tensor.dtype == given:
            converted[name] = tensor.to(wanted)
    return converted
