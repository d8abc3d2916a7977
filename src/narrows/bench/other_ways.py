"""The usual ways of training these networks, written as they usually are.

    Notebook    a data set that makes a PIL image and then a tensor of each image, a DataLoader,
                `.item()` at each step, and scikit-image's measures image by image: as in the labs'
                programs
    Plain       the images as one float tensor in a TensorDataset, the same loop, measures image by image

Both use torch.optim.Adam with its defaults.
"""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from narrows.bench.cases import Case
from narrows.bench.floor import seconds
from narrows.errors import extra


class Images(Dataset):
    """Images as PIL images that become tensors, as torchvision's sets with `ToTensor` (and
    `Normalize`) do.
    """

    def __init__(self, images: np.ndarray, case: Case):
        self.images, self.labels = (
            torch.from_numpy(images),
            torch.zeros(len(images), dtype=torch.long),
        )
        self.low, self.high = case.span

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index].numpy())
        raw = torch.from_numpy(np.array(image, copy=True)).view(
            image.size[1], image.size[0], len(image.getbands())
        )
        x = raw.permute(2, 0, 1).contiguous().to(torch.get_default_dtype()).div(255)
        if (self.low, self.high) != (0.0, 1.0):
            x = x.sub(0.5).div(0.5)
        return x, int(self.labels[index])


class Notebook:
    """As in the labs' programs."""

    def __init__(self, case: Case, train: np.ndarray, test: np.ndarray, device: torch.device):
        torch.manual_seed(0)
        self.case, self.device = case, device
        kept = train[: case.split(len(train))]
        held = train[len(kept) :] if case.held else test
        self.loader = DataLoader(self.set_of(kept), batch_size=case.batch, shuffle=True)
        self.held = DataLoader(self.set_of(held), batch_size=case.batch)
        self.net = case.net().to(device)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=1e-3, weight_decay=case.decay)

    def set_of(self, images: np.ndarray) -> Dataset:
        return Images(images, self.case)

    def round(self) -> tuple[float, float]:
        """One epoch, and the evaluation after it: seconds of each."""
        training = seconds(self.train, self.device)
        return training, seconds(self.evaluate, self.device) if self.case.evaluation else 0.0

    def train(self) -> None:
        """One epoch."""
        self.net.train()
        self.loss = 0.0
        for x, noisy in self._batches(self.loader):
            out, cost = self.net(noisy)
            values = len(x) * (x[0].numel() if self.case.per == "pixel" else 1)
            loss = (self.case.cost(out, x) + cost) / values
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.loss += loss.item()

    @torch.no_grad()
    def evaluate(self) -> None:
        """The evaluation after an epoch: the loss, and PSNR and SSIM image by image."""
        self.net.eval()
        self.held_loss, measured = 0.0, []
        for x, noisy in self._batches(self.held):
            out, cost = self.net(noisy)
            self.held_loss += (self.case.cost(out, x) + cost).item() / len(x)
            if self.case.evaluation == "images":
                pairs = zip(x.view(-1, 28, 28).cpu().numpy(), out.view(-1, 28, 28).cpu().numpy())
                measured += [self._measures(a, b) for a, b in pairs]
        self.measured = np.mean(measured, axis=0) if measured else None

    def _batches(self, loader: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
        """Images in the shape that the network takes, clean and with noise."""
        for x, *_ in loader:
            x = x.to(self.device)
            x = x.view(len(x), -1) if self.case.flat else x
            noisy = (
                torch.clamp(x + self.case.noise * torch.randn_like(x), *self.case.span)
                if self.case.noise
                else x
            )
            yield x, noisy

    def _measures(self, clean: np.ndarray, image: np.ndarray) -> tuple[float, float]:
        metrics = extra("skimage.metrics", "bench")
        span = self.case.span[1] - self.case.span[0]
        return (
            metrics.peak_signal_noise_ratio(clean, image, data_range=span),
            metrics.structural_similarity(clean, image, data_range=span),
        )


class Plain(Notebook):
    """A plain loop over a TensorDataset."""

    def set_of(self, images: np.ndarray) -> Dataset:
        low, high = self.case.span
        x = (
            torch.from_numpy(images.reshape(*images.shape[:3], -1)).permute(0, 3, 1, 2).float()
            / 255
        )
        return TensorDataset((x * (high - low) + low).contiguous())
