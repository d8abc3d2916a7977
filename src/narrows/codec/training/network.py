"""The network of the model of few values (`narrows.codec.categorical`) while it is trained.

It computes in floats what the network in integers will: activations h = a / 128 and logits in nats, of inputs
x / 256,

    h1 = hidden(W1 x / 256 + b1 + row[r] + column[c]),   hidden(z) = clip(floor(z, 1/128), 0, 1023/128)
    h2 = hidden(W2 h1 + b2)
    z  = floor(W3 h2 + b3, 1/256)
    y  = floor(W4 u + b4[group], 1/256),   u = clip(floor(h2 gate[group], 1/128), -1023/128, 1023/128)

where floor(t, unit) is the multiple of the unit below t. At first nothing is rounded. From `round_weights` on
the weights of a layer are multiples of a power of two, its unit, and biases are multiples of 1/64, with
the gradient of what is rounded (`rounding`). As all of these are integers times powers of two, the floats
are then exactly those of the network in integers, whose weights and shifts `integers` gives:

    W = weights / unit,   shift = log2 (units of W x in 1 / units of its result in 1)
"""

from collections.abc import Mapping
from math import log2
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from narrows.codec.groups import Groups, groups_from
from narrows.codec.integers import HIGHEST, LOGIT
from narrows.codec.training.rounding import floored, rounded, unit_of, weights_in_units
from narrows.codec.wavefront import neighbour_count

INPUT, ACTIVATION, BIAS = 256, 128, 64  # units in 1
MOST = HIGHEST / ACTIVATION
IMPOSSIBLE = -1e4  # logit of a place that a group does not have
LAYERS = {"W1": (INPUT, ACTIVATION), "W2": (ACTIVATION, ACTIVATION), "W3": (ACTIVATION, LOGIT)}
LAYERS |= {"gate": (ACTIVATION, ACTIVATION), "W4": (ACTIVATION, LOGIT)}  # units of input and result
BIASES = {"b1": "W1", "row": "W1", "column": "W1", "b2": "W2", "b3": "W3", "b4": "W4"}


class Network(nn.Module):
    """A network to be trained.

    options: of the model file, but for `shifts`, as `Categorical` takes them.
    tables: FIRST and SECOND, `(V,)`. widths: A, B. places: rows and columns of the tables of biases.
    """

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
        self.units: dict[str, float] = {}
        shapes = self._shapes(widths, places)
        self.weights = nn.ParameterDict(
            {name: _initial(name, shape, generator) for name, shape in shapes.items()}
        )

    def _fix(self, groups: Groups) -> None:
        """What is not trained."""
        self.first, self.sizes, self.group, self.place = map(torch.as_tensor, groups[:4])
        self.impossible = torch.as_tensor((1 - groups.valid.T) * IMPOSSIBLE).float()
        self.second = torch.as_tensor(self.tables["SECOND"] / INPUT).float()
        self.scale = float(self.tables["FIRST"][1]) / INPUT

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
        z = torch.cat(inputs, 1) @ self._get("W1").T + self._get("b1")
        if len(self.weights["row"]) > 1:
            z = z + self._get("row")[row] + self._get("column")[column]
        h1 = self._floor(z, ACTIVATION).clamp(0, MOST)
        return self._floor(h1 @ self._get("W2").T + self._get("b2"), ACTIVATION).clamp(0, MOST)

    def group_logits(self, h2: Tensor, x: Tensor) -> Tensor:
        """z `(n, G)`."""
        z = self._floor(h2 @ self._get("W3").T + self._get("b3"), LOGIT)
        return _with_copies(z, self.group[x[:, : self.group_copies].long()], len(self.sizes))

    def place_logits(self, h2: Tensor, group: Tensor, x: Tensor, had: Tensor) -> Tensor:
        """y `(n, P)`. had: `(n, P)`, 1 if the image has had the value of a place, else 0."""
        u = self._floor(h2 * self._get("gate")[group], ACTIVATION).clamp(-MOST, MOST)
        y = self._floor(u @ self._get("W4").T + self._get("b4")[group], LOGIT)
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

    # -- integers -----------------------------------------------------------------------------------

    def round_weights(self) -> None:
        """From now on compute what the network in integers does."""
        self.units = {name: unit_of(self.weights[name]) for name in LAYERS}

    def _get(self, name: str) -> Tensor:
        weights = self.weights[name]
        if not self.units:
            return weights
        if name in BIASES:
            return rounded(weights, 1 / BIAS)
        return weights_in_units(weights, self.units[name])

    def _floor(self, t: Tensor, units: int) -> Tensor:
        return floored(t, 1 / units) if self.units else t

    @torch.no_grad()
    def integers(self) -> tuple[dict[str, np.ndarray], list[int]]:
        """The tensors of a model file, and the shifts of its layers. After `round_weights`."""
        tensors, shifts = dict(self.tables), []
        for name, (units, result) in LAYERS.items():
            tensors[name] = _integers(self._get(name) / self.units[name])
            shifts.append(round(log2(units / self.units[name] / result)))
        for name, layer in BIASES.items():
            units = LAYERS[layer][0] / self.units[layer]
            tensors[name] = _integers(self._get(name) * units)
        return tensors, shifts


def _initial(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Ones for the gate, zeros for biases, and uniform in +-1/sqrt(inputs)."""
    if name == "gate":
        return torch.ones(shape)
    if name in BIASES:
        return torch.zeros(shape)
    return torch.empty(shape).uniform_(-1, 1, generator=generator) / shape[1] ** 0.5


def _with_copies(logits: Tensor, target: Tensor, count: int) -> Tensor:
    """The first `count` of logits `(n, more)`, to which those that follow are added, each to that of its
    target `(n, copies)`, from 0 to count - 1; `count`: to none.
    """
    added = logits[:, count : count + target.shape[1]]
    spare = logits.new_zeros(len(logits), 1)
    return torch.cat([logits[:, :count], spare], 1).scatter_add(1, target, added)[:, :count]


def _integers(t: Tensor) -> np.ndarray:
    return t.double().round().to(torch.int64).numpy()
