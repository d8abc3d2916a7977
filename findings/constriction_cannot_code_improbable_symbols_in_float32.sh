#!/usr/bin/env bash
# constriction 0.5.0: Categorical(perfect=False) with probabilities in float32 panics at the last symbol, if that is
# improbable: "leakiness should guarantee nonzero probabilities". With the same probabilities in float64 it codes it.
#
# Expected, by its documentation: at least the smallest nonzero probability for every symbol.
# Seen (versions below): pyo3_runtime.PanicException, which `except Exception` does not catch.
# Exits with 0 while that is so, else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet constriction==0.5.0 numpy==2.4.6
cat > "$folder/code.py" <<'PY'
import constriction
import numpy as np

model = constriction.stream.model.Categorical(perfect=False)
probabilities = 0.7 ** np.arange(256.0)


def is_coded(dtype):
    coder = constriction.stream.stack.AnsCoder()
    try:
        coder.encode_reverse(np.array([255], np.int32), model, probabilities[None].astype(dtype))
    except BaseException as error:
        print(dtype.__name__, type(error).__name__, error)
        return False
    print(dtype.__name__, "is coded in", coder.num_valid_bits(), "bits")
    return True


raise SystemExit(is_coded(np.float32) or not is_coded(np.float64))
PY
"$folder/venv/bin/python" "$folder/code.py"
