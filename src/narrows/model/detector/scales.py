"""The working scales on which the members of a detector see images.

Brightness and contrast: if they explain more than 40 % of the variance among the training images,
they are taken to mean nothing, and members see each image at mean 0 and deviation 1 alone;
otherwise a second set of neighbours sees them too.
"""

import numpy as np

from narrows.layout import Layout
from narrows.scale import share_of_light

LIGHT = 0.4  # share of the variance, beyond which brightness and contrast mean nothing
SCALES = {"auto": ("each", "unit"), "each": ("each",), "unit": ("unit",), "local": ("local",)}


def chosen_scales(asked: str, array: np.ndarray, layout: Layout) -> tuple[tuple[str, ...], str]:
    """The working scales of members, the components' first, and why these, as text."""
    if asked != "auto":
        return SCALES[asked], f"on the scale {asked!r}, as was asked for"
    share = share_of_light(array, layout)
    explained = f"brightness and contrast explain {share:.0%} of the variance among the images"
    if share > LIGHT:
        return ("each",), f"at mean 0 and deviation 1, since {explained}"
    return ("each", "unit"), f"with their brightness and contrast and without, since {explained}"
