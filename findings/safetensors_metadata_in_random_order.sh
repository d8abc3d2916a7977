#!/usr/bin/env bash
# safetensors 0.8.0: the same tensors with the same metadata are not always the same bytes.
#
# Expected: serialising the same tensors and the same metadata twice gives the same file, so that files can be compared
# by their checksums and builds are reproducible.
# Seen (version below): with two entries of metadata or more, their order in the header is that of a hash map which is
# seeded anew, also within one process: of 50 files some differ. Tensors themselves are sorted. A reader does not
# notice. Exits with 0 while that is so, else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import sys

import numpy as np
from safetensors.numpy import save

tensors = {"b": np.zeros(3, np.float32), "a": np.ones(2, np.float32)}
metadata = {"model": "x", "sha256": "y"}
files = {save(tensors, metadata=metadata) for _ in range(50)}
alone = {save(tensors, metadata={"model": "x"}) for _ in range(50)}
print(f"different files of 50 with two entries: {len(files)}; with one entry: {len(alone)}")
sys.exit(not (len(files) > 1 and len(alone) == 1))
PY
