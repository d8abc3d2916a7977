#!/usr/bin/env bash
# bm3d 4.0.3, bm3d_rgb: a grey picture that is stored in three equal channels comes back as NaN, all of it.
#
# bm3d_rgb scales each channel of an opponent space by the range of its values. The two colour differences of a grey picture
# are zero everywhere, and so is their range; the division gives NaN, which the matrix back to red, green and blue spreads
# to all three. Grey photographs are often saved so, with the same noise in each channel.
# Expected: about what bm3d gives for one of the channels. Seen (versions below): 12,288 of 12,288 values are NaN, and no
# error; with noise of their own in each channel none is.
# Exits with 0 while that is so, else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 bm3d==4.0.3 bm4d==4.2.5
"$folder/venv/bin/python" - <<'PY'
import sys
import warnings

import bm3d
import numpy as np

warnings.simplefilter("ignore")
random, sigma = np.random.default_rng(0), 0.1
clean = np.tile(np.linspace(0, 1, 64), (64, 1))
noisy = clean + random.normal(0, sigma, clean.shape)
own_noise = clean[..., None] + random.normal(0, sigma, (64, 64, 3))

results = {
    "one channel, bm3d": bm3d.bm3d(noisy, sigma),
    "three equal channels, bm3d_rgb": bm3d.bm3d_rgb(np.dstack([noisy] * 3), sigma),
    "the same with noise of their own": bm3d.bm3d_rgb(own_noise, sigma),
}
for name, result in results.items():
    print(f"{name}: {np.isnan(result).sum()} of {result.size} values are NaN")
shares = [np.isnan(result).mean() for result in results.values()]
sys.exit(shares != [0, 1, 0])
PY
