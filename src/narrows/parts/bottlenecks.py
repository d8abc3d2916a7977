"""The table of bottlenecks: `bottleneck` has those of real numbers, `rounded` that of integers."""

from narrows.parts.bottleneck import Plain, Relu, Sparse, TopK, Variational
from narrows.parts.rounded import Rounded

BOTTLENECKS = {
    "plain": Plain,
    "relu": Relu,
    "sparse": Sparse,
    "topk": TopK,
    "variational": Variational,
    "rounded": Rounded,
}
