import os

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from skimage.color import deltaE_ciede2000, rgb2lab

from narrows.draw import as_png, figure, save
from narrows.draw.style import CLASSES, LINES

# G. Machado et al., "A physiologically-based model for simulation of color vision deficiency",
# 2009, severity 1
SIGHT = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("palette", [CLASSES, LINES], ids=["classes", "lines"])
def test_colours_differ_to_every_sight(palette, sight):
    rgb = np.array([to_rgb(colour) for colour in palette])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ np.transpose(
        SIGHT[sight]
    )
    linear = np.clip(linear, 0, 1)
    seen = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    lab = rgb2lab(seen[None])[0]
    apart = deltaE_ciede2000(lab[:, None], lab[None]) + 99 * np.eye(len(lab))
    assert apart.min() > 10


def test_save_writes_the_whole_file_or_none(tmp_path):
    drawn = figure("curves", {"loss": [3, 2, 1]})
    path = save(drawn, tmp_path / "figures" / "loss.png")
    assert path.read_bytes() == as_png(drawn)
    assert os.listdir(path.parent) == ["loss.png"]
