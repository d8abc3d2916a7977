"""The names of maps of pictures, which are always PNG.

a/x.jpg                     a/x.png
x.jpg and x.png             x.jpg.png and x.png.png
page 3 of scan.tif          scan#3.png
"""

import os
from collections import Counter
from collections.abc import Sequence

MAP_ENDING = ".png"
SCALE_NAME = "scale.png"  # what the colours of all maps mean
LONGEST_NAME = 255  # bytes of a file's name


def map_stems(files: Sequence[str]) -> dict[str, str]:
    """The name of the map of each file, without `MAP_ENDING`; all are different.

    It is that of the file without its ending, with it if otherwise two would be one.
    """
    stems = {file: os.path.splitext(file)[0] for file in files}
    scale = os.path.splitext(SCALE_NAME)[0]
    counts = Counter([*stems.values(), *files, scale])
    return {file: stem if counts[stem] == 1 else _fitted(file) for file, stem in stems.items()}


def _fitted(file: str) -> str:
    """A name to which `MAP_ENDING` can be added; if it is too long, its first letters are left out."""
    folder, name = os.path.split(file)
    while len(os.fsencode(name + MAP_ENDING)) > LONGEST_NAME:
        name = name[1:]
    return os.path.join(folder, name)
