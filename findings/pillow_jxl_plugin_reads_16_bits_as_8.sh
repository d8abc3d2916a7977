#!/usr/bin/env bash
# pillow-jxl-plugin 1.3.8: JPEG XL of RGB with 16 bits a channel is opened as 8 bits, without an error or a warning.
#
# Expected: an error, or a warning, or the samples at their depth (imagecodecs gives these).
# Seen (versions below): mode "RGB", 8 bits; the low byte of every sample is gone.
# Exits with 0 while that is so, else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow-jxl-plugin==1.3.8 pillow==13.0.0 imagecodecs==2026.3.6 numpy==2.4.6
cat > "$folder/read.py" <<'PY'
import io
import warnings

import imagecodecs
import numpy as np
import pillow_jxl  # noqa: F401, registers the format
from PIL import Image

warnings.simplefilter("error")
samples = np.random.default_rng(0).integers(0, 65536, (32, 32, 3), dtype=np.uint16)
data = imagecodecs.jpegxl_encode(samples, lossless=True, numthreads=1)
kept = np.array_equal(imagecodecs.jpegxl_decode(data, numthreads=1), samples)
opened = np.asarray(Image.open(io.BytesIO(data)))
print("imagecodecs keeps all samples:", kept, "; the plug-in gives", opened.dtype, opened.shape)
raise SystemExit(not (kept and opened.dtype == np.uint8 and opened.shape == (32, 32, 3)))
PY
"$folder/venv/bin/python" "$folder/read.py"
