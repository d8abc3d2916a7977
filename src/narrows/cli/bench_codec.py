"""The verb that compares the codec: bench codec."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from narrows.cli.bench_checks import validate_images, validate_names
from narrows.cli.options import Integer, Json
from narrows.cli.output import give, tell
from narrows.errors import wrong

if TYPE_CHECKING:
    from narrows.bench.codec import Plan


def codec(
    *sets: str,
    ways: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    kinds: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    rounds: Integer = 3,
    images: Integer | None = None,
    threads: Integer = 1,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "",
    json: Json = False,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Compare sizes and speeds of the codec with those of classical codecs and of bits-back coding.

    Example: narrows bench codec mnist --kinds lossless -o sizes

    Parameters
    ----------
    sets
        mnist, fashion-mnist, photos; by default all.
    ways
        Any of the ways in the table, such as bits-back, brotli, webp, webp-sprite; by default all.
    kinds
        lossless, lossy; by default both.
    rounds
        Rounds of ours and of bits-back coding, which take turns; the others run once.
    images
        Use at most this many training images and test images of each set.
    threads
        Cores that each of them may use.
    output
        A folder for the results, the tables (page.md) and the models, which are used again; rows of
        earlier calls are kept.
    force
        Train the models again.
    """
    from narrows.bench.codec import Plan
    from narrows.bench.codec_tables import TABLES, notes

    validate_images(images)
    plan = Plan(*_chosen(sets, ways, kinds), rounds, images, threads)
    for what, number in (("rounds", rounds), ("threads", threads)):
        if number < 1:
            raise wrong(what, number, "an integer ≥ 1")
    rows = _coded(plan, output, force)
    if json:
        give(rows, json)
        return
    for table in filter(None, (table(rows) for table in TABLES.values())):
        give(table)
        tell("")
    for note in notes(rows):
        tell(note)


def _chosen(
    sets: Sequence[str], ways: Sequence[str] | None, kinds: Sequence[str] | None
) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """The sets, ways and kinds that were asked for, by default all."""
    from narrows.bench.codec import KINDS
    from narrows.bench.codec_sets import SETS
    from narrows.bench.codec_ways import LOSSY_WAYS, WAYS

    all_ways = tuple(dict.fromkeys((*WAYS, *LOSSY_WAYS)))
    validate_names("set of images", sets, SETS)
    validate_names("way", ways or (), all_ways)
    validate_names("kind", kinds or (), KINDS)
    return sets or tuple(SETS), ways or all_ways, kinds or KINDS


def _coded(plan: "Plan", output: str, force: bool) -> list[dict[str, Any]]:
    """The rows of a plan and those that the folder holds of earlier calls; tables into the folder."""
    from narrows.bench import codec as bench
    from narrows.bench.codec_tables import page
    from narrows.data.outputs import folder_place
    from narrows.files import locked, refuse_overwrite, write_file

    if not output:
        with TemporaryDirectory() as scratch:
            return bench.measure(replace(plan, folder=Path(scratch)), tell, lambda rows: None)
    folder = folder_place(output).path
    if not (folder / bench.ROWS).exists():
        refuse_overwrite(folder)
    with locked(folder, folder=True):
        kept = bench.read_rows(folder)
        bench.check_limit(kept, plan)
        rows = bench.measure(
            replace(plan, folder=folder, again=force),
            tell,
            lambda rows: bench.write_rows(folder, bench.updated(kept, rows)),
        )
        rows = bench.updated(kept, rows)
        write_file(folder / "page.md", page(rows, plan.threads))
    return rows
