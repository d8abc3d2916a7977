"""The page of new images and their anomaly scores: the tables that `narrows score` prints, the histogram
with the threshold, the images that score highest, and those nearest to the threshold.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from narrows.model.use.separation import Row, rows_of
from narrows.study.figures.anomalies import score_figures
from narrows.study.page import write_page
from narrows.study.provenance import command
from narrows.study.record import Record
from narrows.study.scored import ScoredImages

SHOWN = 8  # images in a figure
CAPTION = (
    "Under each image: its error map, on one scale of colours; its score; the percentile, which is the "
    "share of normal images that score lower, if these are known. Maps show the error of the "
    "reconstruction alone, which not every score comes from."
)


def write_score_page(
    scored: ScoredImages,
    measures: Mapping[str, Any],
    words: list[str],
    facts: Mapping[str, Any],
    path: Path,
) -> Path:
    """Write the page. measures: as `narrows score --json` prints them. words: paragraphs. facts: what a
    reader needs to run it again. Returns its path.
    """
    figures = [*score_figures(scored, "anomaly", SHOWN)]
    for figure in figures:
        figure.section, figure.caption = "Scores", CAPTION
    record = Record(
        f"Anomaly scores of {scored.what}",
        text=words,
        facts={"command": command(), **facts},
        tables=_tables(measures),
        figures=figures,
    )
    return write_page(record, path)


def _tables(measures: Mapping[str, Any]) -> list[dict[str, Any]]:
    others = {name: value for name, value in measures.items() if name != "classes"}
    tables: dict[str, list[Row]] = {"Classes": measures["classes"], "Measures": rows_of(others)}
    return [
        {"title": title, "caption": "", "rows": rows, "names": {}}
        for title, rows in tables.items()
        if rows
    ]
