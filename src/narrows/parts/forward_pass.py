"""What one forward pass through the network gives, for objectives and penalties to read."""

from dataclasses import dataclass

from torch import Tensor

from narrows.parts.code import Code


@dataclass
class ForwardPass:
    """One forward pass of a batch.

    code: of the images. out: the likelihood's parameters, `(N, outputs · C, H, W)`. corrupted: the
    images that the body was given, `(N, C, H, W)`. hidden: the mask of the values that the
    corruption hid, or None. target: what the output is compared with, `(N, C, H, W)`: the clean images,
    unless the corruption says otherwise.
    """

    code: Code
    out: Tensor
    corrupted: Tensor
    hidden: Tensor | None
    target: Tensor
