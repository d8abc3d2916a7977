"""The network distributed over ranks while it is trained.

    alone      the network itself
    together   DDP: every rank holds all weights, and after each step's backward pass the average of
               all gradients
    sharded    FSDP2: every rank holds 1/w of the weights, gradients and optimiser's averages; a
               layer's weights are gathered while it computes, and its gradients averaged and
               scattered afterwards

The loss of a batch is the sum of the ranks' parts of it. Both engines average over the w ranks, so
that each part is taken w times (`Training.step`). With Adam in float32, of P parameters, a rank
holds 16 P bytes together, 16 P / w sharded. Between epochs the whole network is brought together on
each rank, to be validated, kept and used; while it is trained that copy is in the host's memory.

References: S. Li et al., "PyTorch distributed: experiences on accelerating data parallel training",
VLDB 2020, https://arxiv.org/abs/2006.15704; Y. Zhao et al., "PyTorch FSDP", VLDB 2023,
https://arxiv.org/abs/2304.11277.
"""

import os
import warnings
from collections.abc import Callable
from copy import deepcopy
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from narrows.distributed.process_group import rank_and_size
from narrows.distributed.rendezvous import barrier
from narrows.errors import wrong
from narrows.model.network import Network, device_of
from narrows.model.training.compiled import Compiled
from narrows.parts.layers import SYNCHRONISED_NORMS
from narrows.parts.transposed import Transposed

# that are brought together one at a time, the rest with the whole
LAYERS = (nn.Linear, nn.Conv2d, Transposed)
Sums = Callable[..., dict[str, Tensor]]


class Step(nn.Module):
    """A batch to the terms of the loss, summed over its images: what the engines of torch take for
    a network.
    """

    def __init__(self, network: Network, sums: Sums):
        super().__init__()
        self.network, self.sums = network, sums

    def forward(self, *batch: Any) -> dict[str, Tensor]:
        return self.sums(self.network, *batch)


class Distribution:
    """The network that is trained, and the average of its weights, which may be the same: in one
    piece.
    """

    def __init__(self, network: Network, average: Network, sums: Sums):
        self.network, self.average = network, average
        self.step: nn.Module = Step(network, sums)
        if rank_and_size()[1] > 1:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", FutureWarning
                )  # buffers are the same everywhere; newer torch renames it
                ddp = nn.parallel.DistributedDataParallel
                self.step = ddp(self.step, broadcast_buffers=False, find_unused_parameters=True)

    def scatter(self) -> None:
        """Before steps: bring the weights from the whole network to where they are trained."""

    def gather(self) -> None:
        """After steps: bring them into the whole network. All ranks take part."""


class Sharded(Distribution):
    """The same in pieces: what is trained are copies, of which each rank holds its piece."""

    def __init__(self, network: Network, average: Network, sums: Sums):
        self.whole, self.device = (network, average), device_of(network)
        self.network = deepcopy(network)
        self.average = self.network if average is network else deepcopy(average)
        self.step = _sharded(Step(self.network, sums), self.device)
        if average is not network:
            _sharded(Step(self.average, sums), self.device)

    def scatter(self) -> None:
        for whole, pieces in zip(self.whole, (self.network, self.average)):
            for a, b in _pairs(whole, pieces):
                local_shard(b).copy_(local_shard(place_like(a, b)))
            whole.to("cpu")

    def gather(self) -> None:
        for whole, pieces in zip(self.whole, (self.network, self.average)):
            for a, b in _pairs(whole.to(self.device), pieces):
                a.copy_(full_tensor(b))


def distribute(
    network: Network, average: Network, sums: Sums, batch_size: int, shard: bool
) -> Distribution:
    """The network as these ranks train it; alone it is never in pieces. Raises `BuildError`."""
    cure = "leave it out: a penalty on the gradient of the code needs second derivatives"
    if shard and network.needs_gradient:
        raise wrong("shard", shard, "False", cure)
    cure = "leave one of them out: what is compiled takes weights in one piece"
    if shard and isinstance(sums, Compiled):
        raise wrong("shard", shard, "False with compile", cure)
    world = rank_and_size()[1]
    if not (batch_size >= world):
        raise wrong(
            "batch_size", batch_size, f"{world} at least, an image for each of {world} processes"
        )
    if world > 1:
        _validate_device(device_of(network))
        barrier()
        for layer in network.modules():  # those of a user's own modules, too
            layer.__class__ = SYNCHRONISED_NORMS.get(type(layer), type(layer))
    return (Sharded if shard and rank_and_size()[1] > 1 else Distribution)(network, average, sums)


def _validate_device(device: torch.device) -> None:
    """Refuse more processes than there are GPUs on this machine."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fits = device.type == "cpu" or (device.type == "cuda" and here <= torch.cuda.device_count())
    there = f"{torch.cuda.device_count()} on this machine, one GPU for each; --device cpu has room for more"
    if not fits:
        raise wrong(f"processes on {device.type}", here, there)


def local_shard(tensor: Tensor) -> Tensor:
    """This rank's piece of a tensor that is in pieces; any other as it is."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor  # type: ignore[operator]


def full_tensor(tensor: Tensor) -> Tensor:
    """A tensor in one piece. All ranks take part."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor  # type: ignore[operator]


def place_like(value: Tensor, like: Tensor) -> Tensor:
    """A tensor of the shape of `like`, which all ranks have, in pieces where that one is."""
    mesh, placements = getattr(like, "device_mesh", None), getattr(like, "placements", None)
    if mesh is None:
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value.to(like.device), mesh, placements, src_data_rank=None)


@torch.no_grad()
def _pairs(whole: nn.Module, pieces: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Each weight and each buffer of the one, and of the other."""
    ones, others = (chain(module.parameters(), module.buffers()) for module in (whole, pieces))
    return [(one.detach(), other.detach()) for one, other in zip(ones, others)]


def _sharded(step: Step, device: torch.device) -> nn.Module:
    """The weights of each layer in pieces; those that a tied way up borrows belong to the whole."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (rank_and_size()[1],))
    borrowed = chain(*getattr(step.network.up, "downs", []))
    kept = {id(layer) for layer in borrowed}
    for layer in list(step.modules()):
        if isinstance(layer, LAYERS) and id(layer) not in kept:
            fully_shard(layer, mesh=mesh)
    fully_shard(step, mesh=mesh)
    return step
