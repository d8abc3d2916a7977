"""Processes that are started after a fit, as docs/scale.md says of each start method."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import multiprocessing
import sys

import numpy as np
import torch

import narrows as nw


def scores(model, X, threads):
    if threads:
        torch.set_num_threads(threads)
    return model.score_samples(X), nw.Autoencoder(epochs=1).fit(X).code_size_


if __name__ == "__main__":
    method, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(2)
    X = np.random.default_rng(0).integers(0, 256, (256, 28, 28), dtype=np.uint8)
    model = nw.Autoencoder(epochs=1).fit(X)
    with multiprocessing.get_context(method).Pool(1) as pool:
        result, size = pool.apply_async(scores, (model, X, threads)).get(timeout=120)
    np.testing.assert_allclose(result, model.score_samples(X), rtol=1e-5)
    assert size == 32
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "threads"), [("spawn", 0), ("forkserver", 0), ("fork", 1)], ids=str
)
def test_a_process_started_after_a_fit_can_use_the_model_and_fit(method, threads, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-W", "ignore", str(script), method, str(threads)]
    subprocess.run(command, env=environment, check=True, timeout=300)
