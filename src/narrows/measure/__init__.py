"""Measures: what needs no model. Image against image, statistics of codes, probes, a table for them."""

from narrows.measure.code_statistics import (
    CodeStatistics,
    active_units,
    collapsed_units,
    constant_units,
    correlation,
    dead_units,
    kl_per_unit,
    spread,
)
from narrows.measure.detection import auroc, average_precision, best_f1
from narrows.measure.pixelwise import bce, mse, psnr, snr
from narrows.measure.probe import probe
from narrows.measure.similarity import ssim
from narrows.measure.table import Table

__all__ = [
    "CodeStatistics",
    "Table",
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
