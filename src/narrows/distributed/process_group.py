"""This process among those that train together: its rank, their number, and its rows of a batch."""

import torch


def rank_and_size() -> tuple[int, int]:
    """This process's place among the processes that train together, and their number."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def rank_slice(total: int) -> slice:
    """The rows of a batch of `total` images that this rank computes."""
    place, world = rank_and_size()
    return slice(total * place // world, total * (place + 1) // world)


def is_first_rank() -> bool:
    """Whether this is the rank that reports and writes."""
    return rank_and_size()[0] == 0
