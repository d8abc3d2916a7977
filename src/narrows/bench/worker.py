"""One way of one lab in its own process: it prepares, and then runs a round for each line that it
receives.

A process of its own has its own memory, whose peak is reported after each round, and no threads of
another way spin while it waits.
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
WAYS = {
    "floor": Floor,
    "notebook": Notebook,
    "plain": Plain,
    "pythae": Pythae,
    "narrows": Narrows,
    "fast": Fast,
}


def main(order: dict) -> None:
    """Prepare the way that the order names, answer, and run a round for each line."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # only answers go to the pipe

    def answer(**values: object) -> None:
        print(json.dumps(values), file=answers)

    try:
        case, device = CASES[order["lab"]], torch.device(order["device"])
        torch.ones(8, 8, device=device, requires_grad=True).square().sum().backward()
        memory_of_torch = peak_memory()
        train, test = (
            load_data(case.data, split)[0][: order["images"]] for split in ("train", "test")
        )
        way = WAYS[order["way"]](case, train, test, device)
    except NarrowsError as error:
        answer(why=str(error))
        return
    answer(ready=True, torch=memory_of_torch)
    for _ in sys.stdin:
        training, evaluation = way.round()
        answer(training=training, evaluation=evaluation, memory=peak_memory())


def peak_memory() -> float:
    """The peak memory of this process, MB."""
    # Linux; there getrusage would count the process that started this one, too
    with suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "darwin" else 1e3
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
