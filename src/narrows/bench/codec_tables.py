"""Results of `codec` as tables: a line for each way without loss, and one for each quality with loss.

    bpd                  8 x bytes / D, bits per value of a pixel, D values in the set
    bpd, model inside    the same with the bytes of the model
    times bits-back      images a second / those of bits-back coding, round by round

Figures of several rounds are the median, with the least and the largest.
"""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from statistics import median
from typing import Any

from narrows.bench.codec_ways import BITS_BACK
from narrows.bench.speed import markdown
from narrows.measure import Table
from narrows.threads import count_cores

Row = dict[str, Any]
DIRECTIONS = {"encode": "encoding", "decode": "decoding"}
PACKAGES = ("numpy", "torch", "pillow", "imagecodecs", "constriction")
MODULES = {"pillow": "PIL"}  # names of modules that differ
HEADS = {"lossless": "Without loss", "lossy": "With loss"}


def lossless_table(rows: Sequence[Row]) -> Table:
    """A line for each way and set."""
    peers = {row["set"]: row for row in rows if row["way"] == BITS_BACK and "why" not in row}
    return Table(
        _lossless(row, peers.get(row["set"]))
        for row in rows
        if row["kind"] == "lossless" and "why" not in row
    )


def _lossless(row: Row, peer: Row | None) -> Row:
    way = row["way"] + ("" if row["exact"] else " (NOT exact)")
    return {
        "set": row["set"],
        "way": way,
        **_sizes(row),
        **_speeds(row),
        **_ratios(row, peer if _in_turn(row) else None),
        **_memory(row),
        "call": row["call"],
    }


def _sizes(row: Row) -> Row:
    inside = row["bytes"] + row["model bytes"]
    return {
        "bpd": f"{8 * row['bytes'] / row['values']:.4f}",
        "bpd, model inside": f"{8 * inside / row['values']:.4f}",
        "bytes": f"{row['bytes']:,}",
        "model bytes": f"{row['model bytes']:,}" if row["model bytes"] else "",
    }


def _speeds(row: Row) -> Row:
    return {
        f"images/s, {direction}": _figures([row["images"] / seconds for seconds in row[task]])
        for task, direction in DIRECTIONS.items()
    }


def _ratios(row: Row, peer: Row | None) -> Row:
    return {
        f"times {BITS_BACK}, {direction}": _figures(
            [theirs / ours for ours, theirs in zip(row[task], peer[task])] if peer else []
        )
        for task, direction in DIRECTIONS.items()
    }


def _memory(row: Row) -> Row:
    peaks = {
        direction: (row[f"{task} memory"], row[f"{task} memory before"])
        for task, direction in DIRECTIONS.items()
    }
    return {
        f"MB, {direction}": f"{peak:.0f} ({peak - before:+.0f})"
        for direction, (peak, before) in peaks.items()
    }


def _in_turn(row: Row) -> bool:
    """Whether a way took turns with bits-back coding."""
    return bool(row["model bytes"]) and row["way"] != BITS_BACK


def lossy_table(rows: Sequence[Row]) -> Table:
    """A line for each way, quality and arrangement."""
    return Table(
        {
            **{name: row[name] for name in ("set", "way", "quality", "arrangement")},
            "bytes an image": f"{row['bytes']:.1f}",
            "without headers": f"{row['bytes, no header']:.1f}",
            "model inside": f"{row.get('bytes, model inside', row['bytes']):.1f}",
            "bpd": f"{row['bpd']:.4f}",
            "PSNR, dB": f"{row['psnr']:.2f}",
            "SSIM": f"{row['ssim']:.4f}",
            "images/s, encoding": _figures([row["encoded a second"]]),
            "images/s, decoding": _figures([row["decoded a second"]]),
            "call": row["call"],
        }
        for row in rows
        if row["kind"] == "lossy" and "why" not in row
    )


TABLES = {"lossless": lossless_table, "lossy": lossy_table}


def notes(rows: Sequence[Row]) -> list[str]:
    """What was left out, and why, a line each."""
    lines = [
        f"{row['set']}, {row['way']} is left out: {row['why']}" for row in rows if "why" in row
    ]
    return list(dict.fromkeys(lines))


def page(rows: Sequence[Row], threads: int) -> str:
    """The tables as markdown, with what they were measured on. threads: cores of each way."""
    versions = [
        f"{name} {version(name)}" for name in PACKAGES if find_spec(MODULES.get(name, name))
    ]
    machine = f"{platform.system()}, {platform.machine()}, {count_cores()} cores"
    parts = [f"{machine}, of which each way uses {threads}; {', '.join(versions)}."]
    for kind, table in TABLES.items():
        if lines := table(rows):
            parts += [f"## {HEADS[kind]}", markdown(lines)]
    return "\n\n".join([*parts, *notes(rows)]) + "\n"


def _figures(values: Sequence[float]) -> str:
    """The median, and the least and largest of several."""
    if not values:
        return ""
    middle = _figure(median(values))
    return (
        f"{middle} ({_figure(min(values))}-{_figure(max(values))})" if len(values) > 1 else middle
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
