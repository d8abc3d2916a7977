"""What a training will cost, before it starts.

A network is built without memory, on torch's meta device, and its parameters P are counted.
Training keeps four numbers for each: the weight, its gradient, and Adam's two running means. An
epoch of N images needs at least

    6 P N operations        2 for each weight and image on the way there, 4 on the way back

(more in a convolution, which uses each weight at every pixel), and these take N · 6 P / (operations
a second).
"""

import time
from typing import Any

import torch

from narrows.errors import NarrowsError
from narrows.image_inputs import as_images
from narrows.model.build import SPEC_NAMES, build
from narrows.model.network import Network
from narrows.parts.register import custom_paths
from narrows.scale import scale_without_images

LARGE = 50_000_000  # parameters, from which on the cost is announced
BYTES = 16  # of a parameter: four float32 numbers
SIDE = 1024  # of the matrices whose product is timed


def planned_parameters(model: Any, images: Any) -> int | None:
    """Parameters of the network that a fit on these images would build.

    None if the model has no network, if it has parts of the user's own, which may not bear a build
    without memory, or if it cannot be built (the fit will say why).
    """
    options = model.get_params(deep=False)
    if not set(SPEC_NAMES) <= set(options):
        return None
    specs = {name: options[name] for name in SPEC_NAMES}
    if custom_paths(specs):
        return None
    try:
        network = _without_memory(specs, options, images)
    except NarrowsError:
        return None
    return sum(p.numel() for p in network.parameters())


def _without_memory(specs: dict[str, Any], options: dict[str, Any], images: Any) -> Network:
    """The network of these parts for these images, on the meta device."""
    scale = scale_without_images(options["scale"])
    _, layout = as_images(images, options["image_shape"])
    with torch.device("meta"):
        return build(specs, layout.chw, scale, seed=0)


def cost_in_words(model: Any, images: Any) -> str:
    """What a training of this many parameters will need, or "" below `LARGE`."""
    parameters = planned_parameters(model, images)
    if parameters is None or parameters < LARGE:
        return ""
    memory = parameters * BYTES / 1e9
    words = f"{parameters:,} parameters, about {memory:.1f} GB of memory"
    if _computes_on_cpu(model):
        seconds = 6 * parameters * len(images) / _operations_a_second()
        words += f", at least {seconds:,.0f} s an epoch"
    return f"{words}; a smaller bottleneck.size or narrower body.widths need less"


def _computes_on_cpu(model: Any) -> bool:
    return model.get_params(deep=False)["device"] == "cpu" or not torch.cuda.is_available()


def _operations_a_second() -> float:
    """Of this processor, in the better of two products of matrices."""
    matrix = torch.ones(SIDE, SIDE)
    seconds = min(_seconds_of_product(matrix), _seconds_of_product(matrix))
    return 2 * SIDE**3 / seconds


def _seconds_of_product(matrix: torch.Tensor) -> float:
    start = time.perf_counter()
    torch.mm(matrix, matrix)
    return time.perf_counter() - start
