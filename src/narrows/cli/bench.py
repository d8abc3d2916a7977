"""The verbs that measure Narrows itself: bench speed, bench profile, bench scale."""

from collections.abc import Collection
from typing import Annotated

from cyclopts import App, Parameter

from narrows.cli.options import Force, Integer, Json
from narrows.cli.output import give, give_facts, tell
from narrows.errors import wrong

HELP = """Measure Narrows itself: its speed, where the time goes, and how it grows.

Example: narrows bench speed A --rounds 3
"""
app = App("bench", help=HELP, help_format="plaintext", sort_key=100)


@app.command
def speed(
    *labs: str,
    ways: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    rounds: Integer = 5,
    images: Integer | None = None,
    device: str = "cpu",
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "",
    json: Json = False,
    force: Force = False,
) -> None:
    """Time the labs' networks: the notebook's way, a plain loop, pythae's trainer, ours, and the floor below them.

    Example: narrows bench speed A C --rounds 3 -o speed.md

    Parameters
    ----------
    labs
        A, C, D, E1, E2-64, E6-deconv, F; by default all.
    ways
        Of floor, notebook, plain, pythae, narrows, fast; by default all.
    rounds
        Each way runs so many epochs, in turn with the others.
    images
        So many of each set only.
    device
        cpu or cuda, for all ways.
    output
        A file for the table as markdown.
    """
    from narrows import machine
    from narrows.bench.cases import CASES
    from narrows.bench.speed import SAID, markdown, table
    from narrows.bench.speed import speed as timed
    from narrows.files import refuse_overwrite, write_file

    _known("timed lab", labs, CASES)
    _known("way", ways or (), SAID)
    if not (rounds >= 1):
        raise wrong("rounds", rounds, "a whole number ≥ 1")
    if not (images is None or images >= 20):
        raise wrong("images", images, "20 at least")
    path = refuse_overwrite(output, force) if output else None
    machine.select_device(device)
    found = timed(labs or tuple(CASES), ways or tuple(SAID), rounds, images, device, tell)
    give(found if json else table(found), json)
    if path:
        write_file(path, markdown(table(found)) + "\n")


@app.command
def profile(
    *labs: str,
    images: Integer | None = None,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "",
    json: Json = False,
    force: Force = False,
) -> None:
    """Tell where the time of a training step of the labs goes, and of an evaluation, on the CPU.

    Example: narrows bench profile A C

    Parameters
    ----------
    labs
        A, C, D, E1, E2-64, E6-deconv, F; by default all.
    images
        So many of each set only.
    output
        A file for the tables as markdown.
    """
    from narrows.bench.cases import CASES
    from narrows.bench.profile import profiled, rounded
    from narrows.bench.speed import markdown
    from narrows.files import refuse_overwrite, write_file

    _known("timed lab", labs, CASES)
    if not (images is None or images >= 20):
        raise wrong("images", images, "20 at least")
    path = refuse_overwrite(output, force) if output else None
    found = profiled(labs or tuple(CASES), images, tell)
    tables = [rounded(rows) for rows in found.values()]
    if json:
        give_facts(found, as_json=True)
    else:
        for table in tables:
            give(table)
    if path:
        write_file(path, "\n\n".join(map(markdown, tables)) + "\n")


@app.command
def scale(
    *along: str,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "",
    json: Json = False,
    force: Force = False,
) -> None:
    """Tell how time and memory grow with images, pixels, parameters and processes, and the model that follows.

    Example: narrows bench scale images processes

    Parameters
    ----------
    along
        images, side, width, processes; by default all.
    output
        A file for the table as markdown.
    """
    from narrows.bench.scale import ALONG, fitted, table
    from narrows.bench.scale import scale as measured
    from narrows.bench.speed import markdown
    from narrows.files import refuse_overwrite, write_file

    _known("direction", along, ALONG)
    path = refuse_overwrite(output, force) if output else None
    found = measured(along or tuple(ALONG), tell)
    give(found if json else table(found), json)
    if not json and len(found) > 3:
        give_facts({f"{name}, s": f"{value:.3g}" for name, value in fitted(found).items()}, as_json=False)
    if path:
        write_file(path, markdown(table(found)) + "\n")


def _known(kind: str, asked: Collection[str], known: Collection[str]) -> None:
    from narrows.errors import unknown

    for name in asked:
        if name not in known:
            raise unknown(kind, name, known)
