"""The network of the model of few values (`narrows.codec.categorical`) while it is trained.

It computes in floats what the network in integers will (`integer_network`), of inputs x / 256:

    h1 = hidden(W1 x / 256 + b1 + row[r] + column[c])
    h2 = hidden(W2 h1 + b2)
    z  = floor(W3 h2 + b3, 1/256)
    y  = floor(W4 u + b4[group], 1/256),   u = clip(floor(h2 gate[group], 1/128), -1023/128, 1023/128)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from narrows.codec.groups import Groups, groups_from
from narrows.codec.integers import LOGIT
from narrows.codec.training.integer_network import ACTIVATION, MOST, IntegerNetwork, uniform
from narrows.codec.wavefront import neighbour_count

INPUT = 256  # units in 1
IMPOSSIBLE = -1e4  # logit of a place that a group does not have


class Network(IntegerNetwork):
    """A network to be trained.

    options: of the model file, but for `shifts`, as `Categorical` takes them.
    tables: FIRST and SECOND, `(V,)`. widths: A, B. places: rows and columns of the tables of biases.
    """

    learning_rate = 1e-2
    most_units, bias_units = 31, 16
    LAYERS = {
        "W1": (INPUT, ACTIVATION),
        "W2": (ACTIVATION, ACTIVATION),
        "W3": (ACTIVATION, LOGIT),
        "gate": (ACTIVATION, ACTIVATION),
        "W4": (ACTIVATION, LOGIT),
    }
    BIASES = {"b1": "W1", "row": "W1", "column": "W1", "b2": "W2", "b3": "W3", "b4": "W4"}

    def __init__(
        self,
        options: Mapping[str, Any],
        tables: Mapping[str, np.ndarray],
        widths: tuple[int, int],
        places: tuple[int, int],
        generator: torch.Generator,
    ):
        super().__init__()
        self.options, self.tables = options, tables
        self.near, self.seen = int(options["near"]), int(options["seen"])
        self.copies, self.group_copies = int(options["copies"]), int(options["group_copies"])
        self._fix(groups_from(options["groups"], options["values"]))
        for name, shape in self._shapes(widths, places).items():
            self.weights[name] = self._initial(name, shape, generator)

    def _fix(self, groups: Groups) -> None:
        """What is not trained."""
        self.first, self.sizes, self.group, self.place = map(torch.as_tensor, groups[:4])
        self.impossible = torch.as_tensor((1 - groups.valid.T) * IMPOSSIBLE).float()
        self.second = torch.as_tensor(self.tables["SECOND"] / INPUT).float()
        self.scale = float(self.tables["FIRST"][-1]) / max(1, len(groups.group) - 1) / INPUT

    def _shapes(
        self, widths: tuple[int, int], places: tuple[int, int]
    ) -> dict[str, tuple[int, ...]]:
        (a, b), groups = widths, len(self.sizes)
        choices = groups + self.group_copies
        in_group = int(self.sizes.max()) + self.copies + self.seen
        layer1 = {"W1": (a, neighbour_count(self.options["radius"]) + self.near), "b1": (a,)}
        biases = {"row": (places[0], a), "column": (places[1], a)}
        layer2 = {"W2": (b, a), "b2": (b,)}
        layer3 = {"W3": (choices, b), "b3": (choices,), "gate": (groups, b)}
        layer4 = {"W4": (in_group, b), "b4": (groups, in_group)}
        return layer1 | biases | layer2 | layer3 | layer4

    # -- what it computes ---------------------------------------------------------------------------

    def activations(self, x: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """h2 `(n, B)`."""
        inputs = [x.float() * self.scale, self.second[x[:, : self.near].long()]]
        z = torch.cat(inputs, 1) @ self.get("W1").T + self.get("b1")
        if len(self.weights["row"]) > 1:
            z = z + self.get("row")[row] + self.get("column")[column]
        return self.hidden(self.hidden(z) @ self.get("W2").T + self.get("b2"))

    def group_logits(self, h2: Tensor, x: Tensor) -> Tensor:
        """z `(n, G)`."""
        z = self.floor(h2 @ self.get("W3").T + self.get("b3"), LOGIT)
        return _with_copies(z, self.group[x[:, : self.group_copies].long()], len(self.sizes))

    def place_logits(self, h2: Tensor, group: Tensor, x: Tensor, had: Tensor) -> Tensor:
        """y `(n, P)`. had: `(n, P)`, 1 if the image has had the value of a place, else 0."""
        u = self.floor(h2 * self.get("gate")[group], ACTIVATION).clamp(-MOST, MOST)
        y = self.floor(u @ self.get("W4").T + self.get("b4")[group], LOGIT)
        copied, most = x[:, : self.copies].long(), self.impossible.shape[1]
        target = torch.where(self.group[copied] == group[:, None], self.place[copied], most)
        logits = _with_copies(y, target, most) + self.impossible[group]
        return logits + had * y[:, -1:] if self.seen else logits

    def nats(self, x: Tensor, value: Tensor, row: Tensor, column: Tensor, had: Tensor) -> Tensor:
        """-log p of each value, `(n,)`; had: `(n, P)` for each pixel."""
        h2, group = self.activations(x, row, column), self.group[value]
        nats = cross_entropy(self.group_logits(h2, x), group, reduction="none")
        wide = (self.sizes[group] > 1).nonzero()[:, 0]
        if not len(wide):
            return nats
        logits = self.place_logits(h2[wide], group[wide], x[wide], had[wide])
        of_place = cross_entropy(logits, self.place[value[wide]], reduction="none")
        return nats.index_add(0, wide, of_place)

    def _initial(self, name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Ones for the gate, zeros for biases."""
        if name == "gate":
            return torch.ones(shape)
        return torch.zeros(shape) if name in self.BIASES else uniform(shape, generator)

    def integers(self) -> tuple[dict[str, np.ndarray], list[int]]:
        tensors, shifts = super().integers()
        return {**self.tables, **tensors}, shifts


def _with_copies(logits: Tensor, target: Tensor, count: int) -> Tensor:
    """The first `count` of logits `(n, more)`, to which those that follow are added, each to that of its
    target `(n, copies)`, from 0 to count - 1; `count`: to none.
    """
    added = logits[:, count : count + target.shape[1]]
    spare = logits.new_zeros(len(logits), 1)
    return torch.cat([logits[:, :count], spare], 1).scatter_add(1, target, added)[:, :count]
