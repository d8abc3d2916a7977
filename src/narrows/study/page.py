"""The page: a record as one self-contained HTML file that opens from disk, with no network.

Figures are drawn from their arrays and embedded; nothing here needs a model, so a page can be drawn again at any
time (`narrows report FOLDER`). A figure that has a live form (`draw.live`) is in the page twice: live for the screen,
still for paper and for browsers without scripts or WebGL.

A page asks its browser to hold it to this (https://www.w3.org/TR/CSP3): nothing is fetched from anywhere, and no
script runs but the two of live figures, named by their SHA-256. So whatever stands in a name or a title stays text.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from itertools import groupby
from numbers import Real
from pathlib import Path
from typing import Any

from narrows import draw as drawing
from narrows.errors import DataError, Faults
from narrows.files import write_file
from narrows.measure import Table
from narrows.measure.table import show
from narrows.study.record import Figure, Record, read_record

PAGE_NAME = "report.html"
UNITS = {
    "mse": "per pixel", "psnr": "dB", "snr": "dB", "ssim": "", "elbo": "nats an image, higher is better",
    "nll": "nats an image", "kl": "nats an image", "bce": "nats an image", "active_units": "of an image, on average",
    "dead_units": "of the code", "code_rms": "of its units", "signal_power": "mean square", "code_size": "numbers",
    "side_bits": "bits an image", "parameters": "",
}  # fmt: skip
VIEWS = {"noisy": "of the noisy input", "denoised": "after denoising", "sampled": "with a sampled code"}


def draw_page(record: Record, folder: Path) -> Path:
    """Draw the figures and write the page. Returns its path.

    Raises `DataError` for figures that cannot be drawn, when the page with all others is written.
    """
    faults = Faults("the page is drawn, but")
    sections = [_section(k, [*group], folder, faults) for k, (_, group) in enumerate(_by_section(record.figures))]
    live = any(picture["live"] for section in sections for picture in section["pictures"])
    scripts = drawing.scripts() if live else ()
    page = template("page.html").render(
        record=record, sections=sections, scripts=scripts, policy=_policy(scripts), **_words()
    )
    path = write_file(folder / PAGE_NAME, page)
    faults.stop(DataError)
    return path


def redraw_page(folder: Path) -> Path:
    """Draw the page of a folder again, from what is stored in it."""
    return draw_page(read_record(folder), folder)


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


def _by_section(figures: Sequence[Figure]) -> groupby:
    return groupby(figures, lambda figure: figure.section)


def _section(k: int, figures: list[Figure], folder: Path, faults: Faults) -> dict[str, Any]:
    pictures = []
    for figure in figures:
        with faults.catch():
            pictures.append(_picture(figure, folder))
    return {
        "id": f"figures-{k + 1}",
        "title": figures[0].section,
        "caption": figures[0].caption,
        "pictures": pictures,
    }


def _picture(figure: Figure, folder: Path) -> dict[str, Any]:
    how = {"title": figure.title, **figure.options}
    png = drawing.as_png(drawing.figure(figure.kind, figure.arrays, **how))
    write_file(folder / "figures" / f"{figure.name}.png", png)
    live = drawing.live(figure.kind, figure.arrays, **how)
    words = {"name": figure.name, "title": figure.title, "alt": figure.title or figure.section}
    return {**words, "data": b64encode(png).decode(), "live": live}


def _policy(scripts: Sequence[str]) -> str:
    """What the page's browser is to allow; blob: and data: are made by the page itself."""
    allowed = {
        "default-src": ["'none'"],
        "img-src": ["data:", "blob:"],
        "style-src": ["'unsafe-inline'"],
        "script-src": [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(what)}" for name, what in allowed.items() if what)


def _words() -> dict[str, Any]:
    """What the template calls to turn values into text."""
    return {
        "show": show,
        "measure": measure_name,
        "columns": lambda rows: {name: _numeric(rows, name) for name in Table(rows).columns},
        "as_json": lambda value: json.dumps(value, indent=2),
        "as_data": lambda value: json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
    }


def _numeric(rows: Sequence[dict[str, Any]], name: str) -> bool:
    """Whether a column holds numbers, so that it stands to the right."""
    values = [row[name] for row in rows if row.get(name) is not None]
    return all(isinstance(value, Real) and not isinstance(value, bool) for value in values)


def template(name: str) -> Any:
    """A template of this room."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("narrows.study", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)
