"""Narrows: the recipe of the lab, fitted epoch by epoch through the public interface."""

import numpy as np
import torch

from narrows.bench.cases import Case
from narrows.model.recipes import recipe

MANY_EPOCHS = 1000  # more than are timed


class Narrows:
    """A recipe with its defaults. training: more options of the training, such as compile and
    precision.
    """

    training: dict[str, object] = {}

    def __init__(self, case: Case, train: np.ndarray, test: np.ndarray, device: torch.device):
        changes: dict[str, object] = {
            "epochs": MANY_EPOCHS,
            "device": str(device),
            "training": dict(self.training),
        }
        if case.evaluation and not case.held:
            changes["validation"] = test
            changes["training"] = {**self.training, "measures": ["psnr", "ssim"]}
        self.epochs = recipe(case.recipe, **changes).fit_epochs(train)  # type: ignore[union-attr]

    def round(self) -> tuple[float, float]:
        """One epoch and its validation: seconds of each."""
        self.history = next(self.epochs).history_
        return self.history["seconds"][-1], self.history.get("val_seconds", [0.0])[-1]


class Fast(Narrows):
    """The same, compiled, in bfloat16."""

    training = {"compile": True, "precision": "bf16"}
