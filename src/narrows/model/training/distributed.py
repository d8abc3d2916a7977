"""The network distributed over ranks while it is trained.

    alone      the network itself
    together   DDP: every rank holds all weights, and after each step's backward pass the average of
               all gradients
    sharded    FSDP2: every rank holds 1/w of the weights, gradients and optimiser's averages; a
               layer's weights are gathered while it computes, and its gradients averaged and
               scattered afterwards

The loss of a batch is the sum of the ranks' parts of it. Both engines average over the w ranks, so
that each part is taken w times (`Training.step`). With Adam in float32, of P parameters, a rank
holds 16 P bytes together, 16 P / w sharded. Between epochs the complete network is gathered on each
rank, where it is validated, kept and used; during an epoch that copy is in the host's memory.

References: S. Li et al., "PyTorch distributed: experiences on accelerating data parallel training",
VLDB 2020, https://arxiv.org/abs/2006.15704; Y. Zhao et al., "PyTorch FSDP", VLDB 2023,
https://arxiv.org/abs/2304.11277.
"""

import os
import warnings
from collections.abc import Callable, Iterable
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

# layers that are sharded and gathered one at a time; the rest of the network is one more shard
LAYERS = (nn.Linear, nn.Conv2d, Transposed)
Sums = Callable[..., dict[str, Tensor]]


class Step(nn.Module):
    """The module that torch's engines train: a batch to the terms of the loss, summed over images."""

    def __init__(self, network: Network, sums: Sums):
        super().__init__()
        self.network, self.sums = network, sums

    def forward(self, *batch: Any) -> dict[str, Tensor]:
        return self.sums(self.network, *batch)


class Distribution:
    """The network that is trained, and the average of its weights, which may be the same network.

    Here every rank holds all weights.
    """

    def __init__(self, network: Network, average: Network, sums: Sums):
        self.network, self.average = network, average
        self.step: nn.Module = Step(network, sums)
        if rank_and_size()[1] > 1:
            self.step = _together(self.step)

    def scatter(self) -> None:
        """Before steps: copy the weights from the complete network to where they are trained."""

    def gather(self) -> None:
        """After steps: copy them back into the complete network. All ranks take part."""


def _together(step: nn.Module) -> nn.Module:
    """The step with its gradients averaged over the ranks."""
    with warnings.catch_warnings():
        # buffers are the same on all ranks; newer torch has another name for that option
        warnings.simplefilter("ignore", FutureWarning)
        ddp = nn.parallel.DistributedDataParallel
        return ddp(step, broadcast_buffers=False, find_unused_parameters=True)


class Sharded(Distribution):
    """The same, sharded: what is trained are copies, of which each rank holds its shard."""

    def __init__(self, network: Network, average: Network, sums: Sums):
        self.complete = (network, average)
        self.device = device_of(network)
        self.network = deepcopy(network)
        self.average = self.network if average is network else deepcopy(average)
        self.step = _sharded(Step(self.network, sums), self.device)
        if average is not network:
            _sharded(Step(self.average, sums), self.device)

    def scatter(self) -> None:
        for complete, sharded in self._networks():
            for value, shard in _tensor_pairs(complete, sharded):
                local_shard(shard).copy_(local_shard(place_like(value, shard)))
            complete.to("cpu")

    def gather(self) -> None:
        for complete, sharded in self._networks():
            for value, shard in _tensor_pairs(complete.to(self.device), sharded):
                value.copy_(full_tensor(shard))

    def _networks(self) -> Iterable[tuple[Network, Network]]:
        """The network and the average, each complete and sharded."""
        return zip(self.complete, (self.network, self.average))


def distribute(
    network: Network, average: Network, sums: Sums, batch_size: int, shard: bool
) -> Distribution:
    """The network as these ranks train it; alone it is never sharded. Raises `BuildError`."""
    if shard:
        _validate_shard(network, sums)
    world = rank_and_size()[1]
    if batch_size < world:
        expected = f"{world} at least, an image for each of {world} processes"
        raise wrong("batch_size", batch_size, expected)
    if world == 1:
        return Distribution(network, average, sums)
    _validate_device(device_of(network))
    barrier()
    for layer in network.modules():  # those of a user's own modules, too
        layer.__class__ = SYNCHRONISED_NORMS.get(type(layer), type(layer))
    engine = Sharded if shard else Distribution
    return engine(network, average, sums)


def _validate_shard(network: Network, sums: Sums) -> None:
    """Refuse to shard what needs the weights in one piece."""
    if network.needs_gradient:
        cure = "leave it out: a penalty on the gradient of the code needs second derivatives"
        raise wrong("shard", True, "False", cure)
    if isinstance(sums, Compiled):
        cure = "leave one of them out: what is compiled takes weights in one piece"
        raise wrong("shard", True, "False with compile", cure)


def _validate_device(device: torch.device) -> None:
    """Refuse more processes than there are GPUs on this machine."""
    if device.type == "cpu":
        return
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    gpus = torch.cuda.device_count()
    if device.type != "cuda" or processes > gpus:
        expected = f"{gpus} on this machine, one GPU for each; --device cpu has room for more"
        raise wrong(f"processes on {device.type}", processes, expected)


def local_shard(tensor: Tensor) -> Tensor:
    """This rank's shard of a tensor that is sharded; any other tensor as it is."""
    to_local = getattr(tensor, "to_local", None)  # torch's DTensor has it, which is slow to import
    return tensor if to_local is None else to_local()


def full_tensor(tensor: Tensor) -> Tensor:
    """A tensor, gathered if it is sharded. All ranks take part."""
    full = getattr(tensor, "full_tensor", None)
    return tensor if full is None else full()


def place_like(value: Tensor, like: Tensor) -> Tensor:
    """A tensor that all ranks have, of the shape of `like`, sharded as `like` is."""
    mesh, placements = getattr(like, "device_mesh", None), getattr(like, "placements", None)
    if mesh is None:
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value.to(like.device), mesh, placements, src_data_rank=None)


@torch.no_grad()
def _tensor_pairs(complete: nn.Module, sharded: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Each weight and buffer of the complete network, with its counterpart of the sharded one."""
    return list(zip(_tensors(complete), _tensors(sharded)))


def _tensors(network: nn.Module) -> list[Tensor]:
    """The weights and buffers."""
    return [tensor.detach() for tensor in chain(network.parameters(), network.buffers())]


def _sharded(step: Step, device: torch.device) -> nn.Module:
    """The step with each layer's weights sharded; those that a tied way up uses belong to the rest."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (rank_and_size()[1],))
    tied = chain(*getattr(step.network.up, "downs", []))
    kept = {id(layer) for layer in tied}
    for layer in list(step.modules()):
        if isinstance(layer, LAYERS) and id(layer) not in kept:
            fully_shard(layer, mesh=mesh)
    fully_shard(step, mesh=mesh)
    return step
