"""How much memory a training takes beside torch and the images: measured in a process of its own."""

import subprocess
import sys

import pytest

CODE = """
import resource, warnings
import numpy as np, torch

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3

torch.optim.Adam(torch.nn.Linear(2, 2).parameters())  # which loads half of torch
alone = peak()
import narrows as nw

images = np.random.default_rng(0).integers(0, 256, ({count}, 28, 28), dtype=np.uint8)
warnings.simplefilter("ignore")
{work}
print(peak() - alone - images.nbytes / 1e6)
"""
TRAIN = 'nw.recipe("lab-c", body={"widths": [32]}, epochs=1, batch_size=512, validation=0.2).fit(images)'
LIBRARIES = 100  # MB: scikit-learn, scipy


def beside_the_images(count: int, work: str) -> float:
    """MB at most, beyond torch and the images."""
    told = subprocess.run(
        [sys.executable, "-c", CODE.format(count=count, work=work)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(told.stdout)


@pytest.mark.slow
def test_a_training_holds_its_images_once_and_little_next_to_them():
    assert beside_the_images(60_000, TRAIN) < LIBRARIES + 100


@pytest.mark.slow
def test_a_pca_sums_up_its_images_a_batch_at_a_time():
    assert beside_the_images(60_000, "nw.PCA(5).fit(images)") < LIBRARIES + 100


@pytest.mark.slow
def test_codes_are_written_to_out_a_batch_at_a_time(tmp_path):
    place = str(tmp_path / "out.npy")
    work = f"""
model = nw.PCA(5).fit(images[:2000])
out = np.lib.format.open_memmap({place!r}, "w+", np.uint8, images.shape)
model.reconstruct(images, out=out)
"""
    pages = 40_000 * 784 / 1e6  # of the map, which the system may leave in memory
    assert beside_the_images(40_000, work) < LIBRARIES + 100 + pages
