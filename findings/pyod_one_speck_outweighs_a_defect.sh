#!/usr/bin/env bash
# pyod 3.6.7, AutoEncoder with its defaults: one grey level at a pixel that never varied outweighs a real defect.
#
# It standardises each feature, (x - mean) / (deviation + 1e-8). The corner of a digit is black in every training image, so
# the smallest change there is divided by 1e-8. Expected: the image with one pixel 1/255 brighter in the corner is less
# anomalous than one with its centre inverted; so it is for KNN.
# Seen (versions below): the speck scores more than a thousand times as high as the inverted centre. (tqdm is installed
# here because the module imports it, and pyod does not require it.)
# Exits with 0 while that is so, else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 scikit-learn==1.9.1 pyod==3.6.7 tqdm==4.70.1
"$folder/venv/bin/python" - <<'PY'
import sys
import warnings

import numpy as np
from pyod.models.auto_encoder import AutoEncoder
from pyod.models.knn import KNN
from sklearn.datasets import load_digits

warnings.simplefilter("ignore")
digits = load_digits()
normal = digits.images[digits.target == 3] / 16
train, held_out = normal[:120].reshape(120, -1), normal[120:]
speck, defect = held_out.copy(), held_out.copy()
speck[:, 0, 0] += 1 / 255
defect[:, 2:6, 2:6] = 1 - defect[:, 2:6, 2:6]

ratios = {}
for model in (AutoEncoder(random_state=0, verbose=0), KNN()):
    model.fit(train)
    scores = [np.median(model.decision_function(x.reshape(len(x), -1))) for x in (held_out, speck, defect)]
    ratios[type(model).__name__] = scores[1] / scores[2]
    print(type(model).__name__, "median scores: normal {:.4g}, speck {:.4g}, centre inverted {:.4g}".format(*scores))
print("variation of that pixel in the training set:", train[:, 0].std())
sys.exit(not (ratios["AutoEncoder"] > 1000 and ratios["KNN"] < 1))
PY
