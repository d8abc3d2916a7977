#!/usr/bin/env bash
# imagecodecs 2026.3.6: avif_encode(grey, level=...) writes the same file without loss at every level from 0 to 100,
# so that grey images come out several times as large as asked for.
#
# Expected: as for colour, level 0 is the smallest and worst, 100 without loss; or an error.
# Seen (versions below): the files of all levels are equal, and decode to exactly the image.
# Exits with 0 while that is so, else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet imagecodecs==2026.3.6 numpy==2.4.6
cat > "$folder/levels.py" <<'PY'
import imagecodecs
import numpy as np

steps = np.random.default_rng(0).integers(-9, 10, (64, 64)).cumsum(0).cumsum(1)
grey = (128 + steps).clip(0, 255).astype(np.uint8)
colour = np.stack([grey] * 3, axis=2)
sizes = {
    name: [len(imagecodecs.avif_encode(image, level=level)) for level in (0, 50, 90, 100)]
    for name, image in (("grey", grey), ("colour", colour))
}
exact = np.array_equal(imagecodecs.avif_decode(imagecodecs.avif_encode(grey, level=0)).reshape(grey.shape), grey)
print("bytes at levels 0, 50, 90, 100:", sizes, "; grey at level 0 is exact:", exact)
raise SystemExit(not (exact and len(set(sizes["grey"])) == 1 and len(set(sizes["colour"])) == 4))
PY
"$folder/venv/bin/python" "$folder/levels.py"
