"""The non-local ridge as a baseline of trained denoisers: the strongest that learns nothing.

Like the others (`narrows.model.use.denoisers`) it is given the true standard deviation of the noise.
"""

import numpy as np
import torch

from narrows.denoise import non_local
from narrows.measure.noise import plain_noise
from narrows.model.use.denoisers import Baseline, of_each


@of_each
def non_local_ridge(image: np.ndarray, sigma: float) -> np.ndarray:
    """Similar patches, combined linearly; of three colours, those of the opponent space."""
    noisy = torch.from_numpy(np.atleast_3d(image).astype(np.float32)).permute(2, 0, 1)[None]
    clean = non_local.non_local_ridge(noisy.contiguous(), plain_noise(noisy, sigma))
    return clean[0].permute(1, 2, 0).numpy().reshape(image.shape)


MORE_BASELINES: dict[str, Baseline] = {"non-local ridge": non_local_ridge}
