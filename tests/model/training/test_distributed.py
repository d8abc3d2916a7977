"""What several processes need before they train together; `tests/model/test_ranks.py` trains."""

from contextlib import nullcontext

import pytest
import torch

from narrows.errors import BuildError
from narrows.model.training.distributed import _validate_device


@pytest.mark.parametrize(
    ("device", "gpus", "refused"),
    [
        ("cpu", 0, False),
        ("cuda", 2, False),
        ("cuda", 3, False),
        ("cuda", 1, True),
        ("mps", 2, True),
    ],
)
def test_each_of_two_processes_needs_a_gpu_to_itself(device, gpus, refused, monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    words = f"processes on {device}: got 2, expected {gpus} on this machine"
    with pytest.raises(BuildError, match=words) if refused else nullcontext():
        _validate_device(torch.device(device))
