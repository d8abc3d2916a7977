"""Verbs that run studies: demo, lab, study, report."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.launch import is_first, together
from narrows.cli.options import Changes, Force, How, Json, Output, Tsne
from narrows.cli.output import give, give_facts, tell
from narrows.cli.run_study import free, record_of, run

NO_CHANGES = Changes()
PLAINLY = How()
AS_ASKED = Tsne()


def demo(output: Output = "narrows-demo", *, force: Force = False, json: Json = False) -> None:
    """Train a denoiser and a VAE on embedded digits and compare them with PCA: under a minute.

    Example: narrows demo
    """
    _run_file(_lab_file("demo"), output, None, NO_CHANGES, How(force=force, json=json))


def lab(
    name: str,
    /,
    *,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "",
    data: str | None = None,
    tsne: Tsne = AS_ASKED,
    changes: Changes = NO_CHANGES,
    how: How = PLAINLY,
) -> None:
    """Run one lab, or all: its numbers next to the published ones, its figures, and report.html.

    Example: narrows lab A -o lab-a

    Parameters
    ----------
    name
        The letter of a lab, such as A, or all; `narrows labs` lists them.
    output
        Where to write; missing folders are created. By default narrows-lab-a, or narrows-labs for all.
    data
        Images to use instead of those of the lab: a named set, or a path.
    """
    name = name.lower()
    if name == "all":
        with together(how.devices):
            _all_labs(output or "narrows-labs", data, changes, how, tsne)
    else:
        file, place = _lab_file(name), output or f"narrows-lab-{name}"
        _run_file(file, place, data, changes, how, tsne)


def study(
    file: str,
    /,
    *,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "",
    data: str | None = None,
    tsne: Tsne = AS_ASKED,
    changes: Changes = NO_CHANGES,
    how: How = PLAINLY,
) -> None:
    """Run your own study file, like a lab.

    Example: narrows study my.toml -o my-study

    Parameters
    ----------
    file
        A study file in TOML; docs/studies.md describes it.
    output
        Where to write; missing folders are created. By default narrows-NAME, after the name of the file.
    data
        Images to use instead of those of the study: a named set, or a path.
    """
    place = output or f"narrows-{Path(file).stem}"
    _run_file(Path(file), place, data, changes, how, tsne)


def report(folder: str, /) -> None:
    """Draw the page of a run or a study again from its stored results, without training.

    Example: narrows report my-run

    Parameters
    ----------
    folder
        A run folder, or the folder of a lab, of all labs, or of a study.
    """
    from narrows.files import locked
    from narrows.study.index import redraw_index

    place = Path(folder)
    with locked(place, folder=True) if place.is_dir() else nullcontext():
        print(redraw_index(place))


def _lab_file(name: str) -> Path:
    from narrows.study.labs import lab_file

    return lab_file(name)


def _run_file(
    file: Path, output: str, data: Any, changes: Changes, how: How, tsne: Tsne = AS_ASKED
) -> None:
    run(_study(file, tsne), output, data, changes, how)


def _study(file: Path, tsne: Tsne) -> Any:
    """The study in a file; `tsne` may replace its t-SNE by another method."""
    from narrows.study.schema import read_study

    study = read_study(file)
    for drawing in study.figures:
        if drawing.options.get("method") == "tsne":
            drawing.options["method"] = tsne.method
    return study


def _all_labs(output: str, data: Any, changes: Changes, how: How, tsne: Tsne) -> None:
    """Every lab into a folder of its own, and an index page, which is drawn again after each lab."""
    from narrows.errors import Faults, NarrowsError
    from narrows.files import locked
    from narrows.study.index import draw_index
    from narrows.study.labs import lab_names

    folder = free(output, how)
    tables: dict[str, dict[str, Any]] = {}
    faults = Faults("all labs have run, but")
    with locked(folder, folder=True):
        for name in lab_names():
            tell(f"\nlab {name.upper()}")
            with faults.catch():
                record = record_of(_study(_lab_file(name), tsne), folder / name, data, changes, how)
                tables[name.upper()] = {table["title"]: table["rows"] for table in record.tables}
            if is_first() and any(folder.glob("*/run.json")):
                draw_index(folder)
    _print_labs(tables, how.json)
    if (folder / "index.html").exists():
        tell(f"\nThe index: {(folder / 'index.html').resolve()}")
    faults.stop(NarrowsError)


def _print_labs(tables: dict[str, dict[str, Any]], as_json: bool) -> None:
    if as_json:
        give_facts(tables, as_json=True)
        return
    for name, tables_of_lab in tables.items():
        print(f"\nLab {name}")
        give(tables_of_lab.get("Published and faithful", []))
