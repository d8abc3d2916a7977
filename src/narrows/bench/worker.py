"""One way of one lab, in a process of its own: it makes ready, and then runs a round for each line that it is sent.

A process of its own has a memory of its own, whose peak is reported after each round, and no thread of another way
spins while it waits.
"""

import json
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

from narrows.bench.cases import CASES
from narrows.bench.floor import Floor
from narrows.bench.narrows_way import Fast, Narrows
from narrows.bench.other_ways import Notebook, Plain
from narrows.bench.pythae_way import Pythae
from narrows.data import load_data
from narrows.errors import NarrowsError

STATUS = Path("/proc/self/status")
WAYS = {"floor": Floor, "notebook": Notebook, "plain": Plain, "pythae": Pythae, "narrows": Narrows, "fast": Fast}


def main(order: dict) -> None:
    """Make ready the way that the order names, say so, and run rounds as long as lines come."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what others print is no answer

    def tell(**found: object) -> None:
        print(json.dumps(found), file=answers)

    try:
        case, device = CASES[order["lab"]], torch.device(order["device"])
        torch.ones(8, 8, device=device, requires_grad=True).square().sum().backward()
        alone = peak_memory()
        train, test = (load_data(case.data, split)[0][: order["images"]] for split in ("train", "test"))
        way = WAYS[order["way"]](case, train, test, device)
    except NarrowsError as error:
        tell(why=str(error))
        return
    tell(ready=True, torch=alone)
    for _ in sys.stdin:
        training, evaluation = way.round()
        tell(training=training, evaluation=evaluation, memory=peak_memory())


def peak_memory() -> float:
    """The most memory that this process has held, MB."""
    with suppress(OSError):  # Linux; there getrusage would count the process that started this one, too
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
