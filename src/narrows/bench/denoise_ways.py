"""What `bench denoise` compares: functions of a noisy picture, `(H, W)` or `(H, W, 3)` on [0, 1], and the σ
of its noise, which is the standard deviation on [0, 1].

    noisy          the picture as it is
    bm3d           the package of its authors, if it is installed; it is given σ
    ridge          the non-local ridge, given σ
    ridge-blind    the same, which estimates σ
    photo          the network that comes with the package, which estimates σ
    photo-best     its mean over eight rotations and reflections
"""

from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from narrows.denoise.denoise import denoise
from narrows.errors import MissingExtra, unknown
from narrows.model.files.store import load
from narrows.model.use.denoisers import bm3d

Denoise = Callable[[np.ndarray, float], np.ndarray]


def _unchanged(noisy: np.ndarray, sigma: float) -> np.ndarray:
    return noisy


def _by_bm3d(noisy: np.ndarray, sigma: float) -> np.ndarray:
    return bm3d(noisy[None] if noisy.ndim == 3 else noisy[None, ..., None], sigma).reshape(
        noisy.shape
    )


def _blind(noisy: np.ndarray, sigma: float, model: Any, best: bool = False) -> np.ndarray:
    return denoise(noisy[None], model, best=best)[0]


def _given(noisy: np.ndarray, sigma: float, model: Any) -> np.ndarray:
    return denoise(noisy[None], model, sigma=sigma)[0]


WAYS: dict[str, Denoise] = {
    "noisy": _unchanged,
    "bm3d": _by_bm3d,
    "ridge": partial(_given, model="ridge"),
    "ridge-blind": partial(_blind, model="ridge"),
    "photo": partial(_blind, model="photo"),
    "photo-best": partial(_blind, model="photo", best=True),
}
SMALL = np.zeros((32, 32), np.float32) + 0.5


def chosen_ways(names: Iterable[str], runs: Iterable[str] = ()) -> dict[str, Denoise]:
    """The ways of these names, by default all that are installed; runs: folders of trained models, each
    a way of its own. Everything is loaded. Raises `UnknownName`, `MissingExtra`, `DataError`.
    """
    asked = list(names)
    for name in asked:
        if name not in WAYS:
            raise unknown("way", name, WAYS)
    if "bm3d" in asked and not find_spec("bm3d"):
        raise MissingExtra("bm3d is not installed: pip install bm3d (for research only)")
    usual = [name for name in WAYS if name != "bm3d" or find_spec("bm3d")]
    ways = {name: WAYS[name] for name in asked or usual}
    ways |= {run: partial(_blind, model=load(run)) for run in runs}
    for way in ways.values():
        way(SMALL, 0.1)
    return ways
