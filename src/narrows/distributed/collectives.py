"""Ranks: processes that train one model together, each on its rows of every batch.

    torchrun --nproc-per-node 4 -m narrows train ...

Rank r of w has the rows n·r // w up to n·(r + 1) // w of n. All that training needs of a batch is a
sum over its images: the gradient, the figures of a loss, the mean and the variance of a batch norm.
A sum over the batch is the sum over ranks of the sums over their rows, so that w processes compute
what one does, up to the order of the additions. A rank may have no rows (a last batch of 2 images
among 4); it takes part in every sum all the same, since a sum waits for all.

    all_reduce(t)                 Σ over ranks, of figures
    all_reduce_with_gradient(t)   Σ over ranks, through which gradients flow
    all_gather_rows(t)            the rows of all ranks in order, through which gradients flow: for
                                  costs of the complete batch
    broadcast_from_first(f)       what f gives at rank 0
    all_gather_objects(value)     every rank's

Alone, a process is rank 0 of 1, and all of these give back what they were given. torch's own engine
connects the processes (https://docs.pytorch.org/docs/stable/distributed.html): gloo for a CPU, nccl
for a GPU, one process each; `narrows.distributed.rendezvous` says how they are connected.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from narrows.distributed.process_group import is_first_rank, rank_and_size, rank_slice
from narrows.distributed.rendezvous import barrier
from narrows.errors import NarrowsError

T = TypeVar("T")


def all_reduce(figures: Tensor) -> Tensor:
    """The sum over ranks, without gradients."""
    if rank_and_size()[1] > 1:
        figures = figures.detach().clone()
        dist.all_reduce(figures)
    return figures


def all_reduce_with_gradient(values: Tensor) -> Tensor:
    """The sum over ranks. Gradients flow through it, since each rank's loss is a part of the loss
    of all.
    """
    return values if rank_and_size()[1] == 1 else _Sum.apply(values)


class _Sum(torch.autograd.Function):
    """s = Σ_r t_r. Each t_r adds to the losses of all ranks, L = Σ_q L_q: ∂L/∂t_r = Σ_q ∂L_q/∂s, a
    sum again.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return all_reduce(values.contiguous())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return all_reduce_with_gradient(gradients[0])


def all_gather_rows(rows: Tensor, total: int) -> Tensor:
    """A global batch `(total, ...)`, of which each rank gives its share in `rows`. Gradients flow
    through it.
    """
    mine = rank_slice(total)
    before, after = (
        rows.new_zeros((count, *rows.shape[1:])) for count in (mine.start, total - mine.stop)
    )
    return all_reduce_with_gradient(torch.cat([before, rows, after]))


def broadcast_from_first(make: Callable[[], T]) -> T:
    """What `make` gives at rank 0, at every rank; there its `NarrowsError` is raised, too."""
    value_and_error: list[Any] = [None, None]
    if is_first_rank():
        try:
            value_and_error[0] = make()
        except NarrowsError as error:
            value_and_error[1] = error
    if rank_and_size()[1] > 1:
        barrier()
        dist.broadcast_object_list(value_and_error)
    value, error = value_and_error
    if error is not None:
        raise error
    return value


def all_gather_objects(value: T) -> list[T]:
    """What each rank gives, in their order."""
    values: list[Any] = [value] * rank_and_size()[1]
    if len(values) > 1:
        dist.all_gather_object(values, value)
    return values


def all_reduce_max(*figures: float) -> list[float]:
    """The highest value of each figure on any rank."""
    highest = torch.tensor(figures, dtype=torch.float64)
    if rank_and_size()[1] > 1:
        dist.all_reduce(highest, dist.ReduceOp.MAX)
    return highest.tolist()
