"""When numbers go wrong: what is said of a loss that is no number, and where it is looked for."""

import torch
from torch import Tensor

CHECK = 50  # steps between looks at the loss, which take 0.04 ms


def no_number(sums: Tensor, names: list[str], done: int, epoch: int) -> str | None:
    """In words, which term became no number and where, after `done` steps of an epoch; None where all is well.

    sums: a row a step of the epoch, a column a term. Looked for every 50 steps; on an accelerator, which would have
    to wait, once an epoch.
    """
    whole = len(sums)
    every = CHECK if sums.device.type == "cpu" else whole
    if done % every and done < whole:
        return None
    start = (done - 1) // every * every
    bad = (~torch.isfinite(sums[start:done])).nonzero()
    if not len(bad):
        return None
    step, term = bad[0].tolist()
    value = sums[start + step, term].item()
    return f"the loss became {value} in epoch {epoch}, batch {start + step + 1}, in the term '{names[term]}'"
