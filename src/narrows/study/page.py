"""The page: a record as one self-contained HTML file that opens from disk, with no network.

Figures are drawn from their arrays and embedded; nothing here needs a model, so a page can be drawn again at any
time (`narrows report FOLDER`).
"""

import json
from base64 import b64encode
from itertools import groupby
from pathlib import Path
from typing import Any

from narrows import draw as drawing
from narrows.files import write
from narrows.measure import Table
from narrows.measure.table import show
from narrows.study.record import Figure, Record, read

PAGE = "report.html"
UNITS = {
    "mse": "per pixel", "psnr": "dB", "snr": "dB", "ssim": "", "elbo": "nats an image, higher is better",
    "nll": "nats an image", "kl": "nats an image", "bce": "nats an image", "active_units": "of an image, on average",
    "dead_units": "of the code", "code_size": "numbers", "side_bits": "bits an image", "parameters": "",
}  # fmt: skip
VIEWS = {"noisy": "of the noisy input", "denoised": "after denoising", "sampled": "with a sampled code"}


def draw(record: Record, folder: Path) -> Path:
    """Draw the figures and write the page. Returns its path."""
    sections = {
        title: {"caption": figures[0].caption, "pictures": [_picture(figure, folder) for figure in figures]}
        for title, figures in ((t, list(g)) for t, g in groupby(record.figures, lambda figure: figure.section))
    }
    words = {"show": show, "measure": measure_name, "as_json": lambda value: json.dumps(value, indent=2)}
    page = _template().render(record=record, sections=sections, columns=lambda rows: Table(rows).columns, **words)
    return write(folder / PAGE, page)


def redraw(folder: Path) -> Path:
    """Draw the page of a folder again, from what is stored in it."""
    return draw(read(folder), folder)


def measure_name(name: Any) -> str:
    """A measure's name in words: "denoised_psnr" is "PSNR after denoising, dB"."""
    view, _, rest = str(name).partition("_")
    view, base = (view, rest) if view in VIEWS else ("", str(name))
    if base not in UNITS:
        return str(name)
    short = (
        base.upper() if base in ("mse", "psnr", "snr", "ssim", "elbo", "nll", "kl", "bce") else base.replace("_", " ")
    )
    words = f"{short} {VIEWS[view]}" if view else short
    return f"{words}, {UNITS[base]}" if UNITS[base] else words


def _picture(figure: Figure, folder: Path) -> dict[str, str]:
    png = drawing.as_png(drawing.figure(figure.kind, figure.arrays, title=figure.title, **figure.options))
    write(folder / "figures" / f"{figure.name}.png", png)
    said = figure.title or figure.section
    return {"alt": said, "name": figure.name, "data": b64encode(png).decode()}


def _template():
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("narrows.study", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html")
