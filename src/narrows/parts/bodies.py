"""The table of bodies: `body` has those of layers in a chain, `residual` that of blocks that add."""

from narrows.parts.body import Conv, Mlp, Unet
from narrows.parts.residual import Residual

BODIES = {"mlp": Mlp, "conv": Conv, "unet": Unet, "residual": Residual}
