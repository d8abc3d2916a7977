"""What a run leaves behind: a model file, its history as CSV."""

import csv
import io
from pathlib import Path
from typing import Any

from narrows.files import write
from narrows.model.base import ImageModel
from narrows.model.store import save


def keep(model: ImageModel, folder: Path, about: dict[str, Any]) -> None:
    """Write `model.safetensors` and, of a trained model, `history.csv` and `steps.csv`."""
    save(model, folder / "model.safetensors", about)
    for name, table in (("history", getattr(model, "history_", {})), ("steps", getattr(model, "steps_", {}))):
        if table:
            write(folder / f"{name}.csv", as_csv("epoch" if name == "history" else "step", table))


def as_csv(first: str, columns: dict[str, Any]) -> str:
    """Columns of equal length as CSV, numbered from 1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([first, *columns])
    for number, row in enumerate(zip(*columns.values()), start=1):
        writer.writerow([number, *(f"{float(value):.9g}" for value in row)])
    return text.getvalue()
