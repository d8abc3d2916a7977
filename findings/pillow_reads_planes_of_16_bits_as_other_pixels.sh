#!/usr/bin/env bash
# Pillow 13.0.0: an uncompressed TIFF of RGB with 16 bits a channel, whose planes follow one another
# (PlanarConfiguration 2), is read as other pixels, without an error or a warning.
#
# Expected: the same high bytes as of the same picture when it is deflated, or an error.
# Seen (versions below): the deflated file is read as expected; in the plain one more than half of the values are wrong.
# tifffile writes this layout for an array (3, H, W) of uint16 by default.
# Exits with 0 while that is so, else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6
cat > "$folder/read.py" <<'PY'
import io

import numpy as np
import tifffile
from PIL import Image

y, x = np.mgrid[:32, :32]
planes = np.stack([x * 2000, y * 2000, (x + y) * 1000]).astype(np.uint16)
expected = np.moveaxis(planes >> 8, 0, -1)
wrong = {}
for compression in (None, "zlib"):
    file = io.BytesIO()
    tifffile.imwrite(
        file, planes, photometric="rgb", planarconfig="separate", compression=compression
    )
    wrong[compression] = float((np.asarray(Image.open(file)) != expected).mean())
print("share of wrong values, plain and deflated:", wrong[None], wrong["zlib"])
raise SystemExit(not (wrong[None] > 0.5 and wrong["zlib"] == 0))
PY
"$folder/venv/bin/python" "$folder/read.py"
