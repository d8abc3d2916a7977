"""The verb that measures Narrows itself: bench speed."""

from typing import Annotated

from cyclopts import App, Parameter

from narrows.cli.options import Force, Json
from narrows.cli.say import give, tell

HELP = """Measure Narrows itself: its speed.

Example: narrows bench speed A --rounds 3
"""
app = App("bench", help=HELP, help_format="plaintext", sort_key=100)


@app.command
def speed(
    *labs: str,
    ways: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    rounds: int = 5,
    images: int | None = None,
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
    from narrows.errors import expect, unknown
    from narrows.files import may_write, write

    for kind, asked, known in (("timed lab", labs, CASES), ("way", ways or (), SAID)):
        for name in set(asked) - set(known):
            raise unknown(kind, name, known)
    expect(rounds >= 1, "rounds", rounds, "a whole number ≥ 1")
    expect(images is None or images >= 20, "images", images, "20 at least")
    path = may_write(output, force) if output else None
    machine.device(device)
    found = timed(labs or tuple(CASES), ways or tuple(SAID), rounds, images, device, tell)
    give(found if json else table(found), json)
    if path:
        write(path, markdown(table(found)) + "\n")
