"""pythae: its own models, costs and trainer around the same encoders and decoders.

It has plain and variational autoencoders, no denoising ones, and measures only the loss; so it is
timed only for labs that need no more.

Reference: C. Chadebec, L. Vincent, S. Allassonnière, "Pythae: unifying generative autoencoders in
Python", NeurIPS 2022, https://github.com/clementchadebec/benchmark_VAE.
"""

import logging
import os
import tempfile

import numpy as np
import torch
from torch import Tensor

from narrows.bench.cases import Case, crossed
from narrows.bench.floor import seconds
from narrows.errors import BuildError, extra


class Pythae:
    """`BaseTrainer` with its default settings; its `train_step` is an epoch."""

    def __init__(self, case: Case, train: np.ndarray, test: np.ndarray, device: torch.device):
        if case.noise:
            raise BuildError("pythae has no denoising autoencoder")
        os.environ["TQDM_DISABLE"] = "1"  # no progress bar among the answers
        datasets, trainers = (
            extra(f"pythae.{name}", "bench") for name in ("data.datasets", "trainers")
        )
        logging.disable(logging.INFO)
        self.device = device
        x = torch.from_numpy(train).float()[:, None] / 255
        x = x.flatten(1) if case.flat else x
        self.folder = tempfile.TemporaryDirectory()
        settings = trainers.BaseTrainerConfig(
            output_dir=self.folder.name, num_epochs=1, learning_rate=1e-3, no_cuda=device.type == "cpu",
            per_device_train_batch_size=case.batch,
        )  # fmt: skip
        images = datasets.BaseDataset(x, torch.zeros(len(x)))
        self.trainer = trainers.BaseTrainer(
            model=_model(case), train_dataset=images, training_config=settings
        )
        self.trainer.prepare_training()

    def round(self) -> tuple[float, float]:
        """One epoch: seconds of its training."""
        return seconds(lambda: self.trainer.train_step(1), self.device), 0.0


def _model(case: Case):
    """pythae's model around the case's encoder and decoder."""
    models, parts = extra("pythae.models", "bench"), extra("pythae.models.nn", "bench")
    output = extra("pythae.models.base.base_utils", "bench").ModelOutput
    net = case.net()

    class Encoder(parts.BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers = net.encoder

        def forward(self, x: Tensor):
            code = self.layers(x)
            if not net.variational:
                return output(embedding=code)
            mean, logvar = code.chunk(2, dim=1)
            return output(embedding=mean, log_covariance=logvar)

    class Decoder(parts.BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = net.decoder

        def forward(self, z: Tensor):
            return output(reconstruction=self.layers(z))

    shape = (784,) if case.flat else (1, 28, 28)
    if not net.variational:
        return models.AE(models.AEConfig(input_dim=shape, latent_dim=1), Encoder(), Decoder())
    loss = "bce" if case.cost is crossed else "mse"
    return models.VAE(
        models.VAEConfig(input_dim=shape, latent_dim=1, reconstruction_loss=loss),
        Encoder(),
        Decoder(),
    )
