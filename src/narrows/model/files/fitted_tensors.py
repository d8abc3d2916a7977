"""What a model has fitted besides its weights, as tensors of its file: the working scale, the density of
codes, the usual size of errors. `take_...` takes its own out of a file's tensors.
"""

import torch

from narrows.layout import Layout
from narrows.model.density import CodeDensity
from narrows.model.file_format import Tensors, check_tensors
from narrows.model.usual_error import UsualError
from narrows.scale import FIXED_SCALES, Scale, fitted_shape

SCALE_OFFSET, SCALE_GAIN = "scale.offset", "scale.gain"  # names of tensors in the file
DENSITY_MEAN, DENSITY_WHITENING = "cloud.mean", "cloud.white"
USUAL_ERROR = "usual.squares"
DENSITY_NAMES = f"{DENSITY_MEAN}, {DENSITY_WHITENING}"


def take_density_tensors(tensors: Tensors) -> Tensors:
    """The tensors of the density of codes, taken out of `tensors`; none in earlier files."""
    return _take_tensors((DENSITY_MEAN, DENSITY_WHITENING), tensors)


def checked_density(tensors: Tensors, size: int) -> CodeDensity | None:
    """The density of codes of that size, if there is one."""
    if not tensors:
        return None
    dimensions = tensors.get(DENSITY_WHITENING, torch.empty(0)).dim()
    shapes = {
        DENSITY_MEAN: torch.empty(size, device="meta"),
        DENSITY_WHITENING: torch.empty([size] * dimensions, device="meta"),
    }
    check_tensors(shapes, tensors)
    return CodeDensity(tensors[DENSITY_MEAN], tensors[DENSITY_WHITENING])


def density_tensors(density: CodeDensity | None) -> Tensors:
    """The tensors of the density of the training codes, if it is known."""
    if density is None:
        return {}
    return {DENSITY_MEAN: density.mean, DENSITY_WHITENING: density.whitening}


def usual_tensors(usual: UsualError | None) -> Tensors:
    """The tensor of the usual size of the error, if it is known."""
    return {} if usual is None else {USUAL_ERROR: usual.squares}


def take_usual(layout: Layout, tensors: Tensors) -> UsualError | None:
    """The usual size of the error, taken out of `tensors`; None in earlier files."""
    found = _take_tensors((USUAL_ERROR,), tensors)
    if not found:
        return None
    check_tensors({USUAL_ERROR: torch.empty(layout.image[:2], device="meta")}, found)
    return UsualError(found[USUAL_ERROR])


def scale_tensors(scale: Scale) -> Tensors:
    """The tensors of a scale that was fitted."""
    if scale.name in FIXED_SCALES:
        return {}
    return {SCALE_OFFSET: torch.as_tensor(scale.offset), SCALE_GAIN: torch.as_tensor(scale.gain)}


def take_scale(name: str, layout: Layout, tensors: Tensors) -> Scale:
    """The working scale; if it was fitted, its tensors are taken out of `tensors`."""
    if name in FIXED_SCALES:
        return FIXED_SCALES[name]
    fitted = _take_tensors((SCALE_OFFSET, SCALE_GAIN), tensors)
    shape = torch.empty(fitted_shape(name, layout), device="meta")
    check_tensors({SCALE_OFFSET: shape, SCALE_GAIN: shape}, fitted)
    return Scale(name, fitted[SCALE_OFFSET], fitted[SCALE_GAIN])


def _take_tensors(names: tuple[str, ...], tensors: Tensors) -> Tensors:
    """Those of that name, if there are any, taken out of `tensors`."""
    return {name: tensors.pop(name) for name in names if name in tensors}
