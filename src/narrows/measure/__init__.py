"""Measures: what needs no model. Image against image, statistics of codes, probes, a table for them."""

from narrows.measure.codes import (
    Units,
    active_units,
    collapsed_units,
    constant_units,
    correlation,
    dead_units,
    kl_per_unit,
    spread,
)
from narrows.measure.pixels import bce, mse, psnr, snr
from narrows.measure.probe import probe
from narrows.measure.scores import auroc, average_precision, best_f1
from narrows.measure.structure import ssim
from narrows.measure.table import Table

__all__ = [
    "Table",
    "Units",
    "active_units",
    "auroc",
    "average_precision",
    "bce",
    "best_f1",
    "collapsed_units",
    "constant_units",
    "correlation",
    "dead_units",
    "kl_per_unit",
    "mse",
    "probe",
    "psnr",
    "snr",
    "spread",
    "ssim",
]
