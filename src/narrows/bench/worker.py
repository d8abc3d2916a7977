"""One way of one lab, in a process of its own (`processes`)."""

from typing import Any

import torch

from narrows.bench.cases import CASES
from narrows.bench.floor import Floor
from narrows.bench.narrows_way import Fast, Narrows
from narrows.bench.other_ways import Notebook, Plain
from narrows.bench.processes import Order, Round, peak_memory, serve
from narrows.bench.pythae_way import Pythae
from narrows.data import load_data

WAYS = {
    "floor": Floor,
    "notebook": Notebook,
    "plain": Plain,
    "pythae": Pythae,
    "narrows": Narrows,
    "fast": Fast,
}


def prepare(order: Order) -> tuple[dict[str, Any], Round]:
    """The way that the order names, ready for its rounds."""
    case, device = CASES[order["lab"]], torch.device(order["device"])
    torch.ones(8, 8, device=device, requires_grad=True).square().sum().backward()
    memory_of_torch = peak_memory()
    train, test = (load_data(case.data, split)[0][: order["images"]] for split in ("train", "test"))
    way = WAYS[order["way"]](case, train, test, device)
    return {"torch": memory_of_torch}, lambda: dict(zip(("training", "evaluation"), way.round()))


if __name__ == "__main__":
    serve(prepare)
