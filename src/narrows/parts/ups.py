"""The table of ways up: `up` has those of layers in a chain, `residual` and `photo` those of blocks that
add.
"""

from narrows.parts.photo import PhotoUp
from narrows.parts.residual import ResidualUp
from narrows.parts.up import (
    DeconvUnpoolUp,
    DeconvUp,
    LinearUp,
    ResizeUp,
    TiedUp,
    UnetUp,
    UnpoolUp,
)

UPS = {
    "linear": LinearUp,
    "tied": TiedUp,
    "deconv": DeconvUp,
    "unpool": UnpoolUp,
    "deconv+unpool": DeconvUnpoolUp,
    "resize": ResizeUp,
    "unet": UnetUp,
    "residual": ResidualUp,
    "photo": PhotoUp,
}
