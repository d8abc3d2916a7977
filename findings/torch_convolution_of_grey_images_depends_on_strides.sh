#!/usr/bin/env bash
# torch 2.13.0: equal grey images give different convolutions, though all of them are contiguous.
#
# A batch (N, 1, H, W) that comes from an array (N, H, W, 1) by permute(0, 3, 1, 2) has other strides than one that comes
# from (N, H, W) by [:, None]. With one channel is_contiguous() is True of both, and contiguous() returns the tensor with
# its strides. Expected: as both are contiguous and equal, a convolution gives equal results.
# Seen (version below): conv2d takes the strides for a request of "channels last", and computes in another order: results
# differ in their last bits, and the output has other strides. reshape to (N, H * W) and back gives plain strides.
# Exits with 0 while that is so, else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import sys

import torch

torch.manual_seed(0)
torch.set_num_threads(1)
images = torch.rand(64, 28, 28)
first = images[:, None]
second = images[..., None].permute(0, 3, 1, 2)
layers = torch.nn.Sequential(
    torch.nn.Conv2d(1, 32, 3, stride=2, padding=1), torch.nn.Conv2d(32, 64, 3, stride=2, padding=1)
)
with torch.no_grad():
    a, b = layers(first), layers(second)
print("equal inputs:", torch.equal(first, second))
print("contiguous:", first.is_contiguous(), second.is_contiguous(), second.contiguous().stride() == second.stride())
print("strides of inputs:", first.stride(), second.stride())
print("equal outputs:", torch.equal(a, b), " largest difference:", float((a - b).abs().max()))
sys.exit(not (torch.equal(first, second) and second.is_contiguous() and not torch.equal(a, b)))
PY
