"""The figures of a study: those that it asks for, or the standard ones.

A figure that cannot be drawn is a fault that costs no other; one that would say nothing of a run is
left out, and the record says why.
"""

from collections.abc import Sequence

from narrows.errors import BuildError, Faults
from narrows.study.figures import STUDY_FIGURES
from narrows.study.obtain import Say
from narrows.study.record import Figure, Omitted, Record
from narrows.study.schema import Drawing
from narrows.study.trained import Trained

STANDARD_DRAWINGS = [
    Drawing("curves", "Loss", "The loss and its terms, over the epochs."),
    Drawing(
        "reconstructions",
        "Reconstructions",
        "Test images; under each the PSNR to its original, if that is known.",
    ),
    Drawing(
        "anomalies",
        "Anomaly scores",
        "Test images, compared with the normal ones from which the threshold comes. Under each image: "
        "its error map, on one scale of colours; its score; the percentile, which is the share of "
        "normal images that score lower. Maps show the error of the reconstruction alone, which not "
        "every score comes from. Classes without training images count as anomalous.",
    ),
    Drawing("samples", "New images", "Decoded from random codes."),
    Drawing("codes", "The space of codes", "Test images by their codes."),
    Drawing(
        "correlation",
        "Correlation of the code's units",
        "Over test images; 0 off the diagonal is independence.",
    ),
]


def draw_all(
    drawings: Sequence[Drawing],
    trained: dict[str, Trained],
    record: Record,
    say: Say,
    faults: Faults,
) -> None:
    """Add the figures to the record; without any drawings, the standard ones. What fails goes to
    `faults`.
    """
    for drawing in drawings or STANDARD_DRAWINGS:
        say(f"figure: {drawing.title}")
        with faults.catch():
            _draw(drawing, trained, record, say)
    _rename_twins(record.figures)


def _draw(drawing: Drawing, trained: dict[str, Trained], record: Record, say: Say) -> None:
    """The figures of one section; what is left out is reported, and on the page."""
    for result in _results(drawing, trained):
        if isinstance(result, Figure):
            result.section, result.caption = drawing.title, drawing.caption
            result.name = _slug(f"{drawing.title}-{result.name}")
            record.figures.append(result)
        else:
            sentence = f"No figure {drawing.title!r} of {result.run}: {result.reason}."
            record.text.append(sentence)
            say(sentence)


def _results(drawing: Drawing, trained: dict[str, Trained]) -> list[Figure | Omitted]:
    """The figures, and what is left out, of the runs asked for, by default of all."""
    runs = [trained[name] for name in drawing.runs or trained]
    try:
        return list(STUDY_FIGURES[drawing.kind](runs, **drawing.options))
    except TypeError as error:
        what = f"the figure {drawing.title!r}: an option has the wrong type"
        raise BuildError(f"{what} ({error})") from error


def _rename_twins(figures: Sequence[Figure]) -> None:
    """Number the figures whose names are the same, since each is a file."""
    taken: set[str] = set()
    for figure in figures:
        name, number = figure.name, 1
        while figure.name in taken:
            number += 1
            figure.name = f"{name}-{number}"
        taken.add(figure.name)


def _slug(text: str) -> str:
    words = "".join(letter if letter.isalnum() or letter == "." else " " for letter in text.lower())
    return "-".join(words.split())
