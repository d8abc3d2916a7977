"""The table of bodies: `body` has those of layers in a chain, `residual` and `photo` those of blocks that
add.
"""

from narrows.parts.body import Conv, Mlp, Unet
from narrows.parts.photo import Photo
from narrows.parts.residual import Residual

BODIES = {"mlp": Mlp, "conv": Conv, "unet": Unet, "residual": Residual, "photo": Photo}
