"""The verbs that measure Narrows itself: bench speed, bench profile, bench scale, bench anomaly,
bench codec, bench denoise.
"""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from narrows.cli.bench_checks import free_file, validate_images, validate_names
from narrows.cli.bench_codec import codec
from narrows.cli.bench_denoise import denoise
from narrows.cli.options import Force, Integer, Json, integers
from narrows.cli.output import give, give_facts, tell
from narrows.errors import wrong

if TYPE_CHECKING:
    from narrows.bench.anomaly import Plan

HELP = """Measure Narrows itself: its speed, where the time goes, how it grows, how well it finds
anomalies, how small and fast its codec is, and how well and fast it denoises.

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
    """Time the labs' networks: as in a notebook, in a plain loop, by pythae, by Narrows, and the
    least time possible.

    Example: narrows bench speed A C --rounds 3 -o speed.md

    Parameters
    ----------
    labs
        A, C, D, E1, E2-64, E6-deconv, F; by default all.
    ways
        Any of floor, notebook, plain, pythae, narrows, fast; by default all.
    rounds
        Epochs of each way; the ways take turns.
    images
        Use only this many images of each set.
    device
        cpu or cuda, for all ways.
    output
        A file for the table as markdown.
    """
    from narrows import machine
    from narrows.bench.cases import CASES
    from narrows.bench.speed import SAID, markdown, table
    from narrows.bench.speed import speed as timed
    from narrows.files import write_file

    validate_names("timed lab", labs, CASES)
    validate_names("way", ways or (), SAID)
    if rounds < 1:
        raise wrong("rounds", rounds, "an integer ≥ 1")
    validate_images(images)
    path = free_file(output, force)
    machine.select_device(device)
    rows = timed(labs or tuple(CASES), ways or tuple(SAID), rounds, images, device, tell)
    give(rows if json else table(rows), json)
    if path:
        write_file(path, markdown(table(rows)) + "\n")


@app.command
def profile(
    *labs: str,
    images: Integer | None = None,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "",
    json: Json = False,
    force: Force = False,
) -> None:
    """Show where the time of the labs' training steps and evaluations goes, on the CPU.

    Example: narrows bench profile A C

    Parameters
    ----------
    labs
        A, C, D, E1, E2-64, E6-deconv, F; by default all.
    images
        Use only this many images of each set.
    output
        A file for the tables as markdown.
    """
    from narrows.bench.cases import CASES
    from narrows.bench.profile import profiled, rounded
    from narrows.bench.speed import markdown
    from narrows.files import write_file

    validate_names("timed lab", labs, CASES)
    validate_images(images)
    path = free_file(output, force)
    profiles = profiled(labs or tuple(CASES), images, tell)
    tables = [rounded(rows) for rows in profiles.values()]
    if json:
        give_facts(profiles, as_json=True)
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
    """Measure how time and memory grow with images, pixels, parameters and processes, and fit a
    model of cost.

    Example: narrows bench scale images processes

    Parameters
    ----------
    along
        Any of images, side, width, processes; by default all.
    output
        A file for the table as markdown.
    """
    from narrows.bench.scale import ALONG, fitted, table
    from narrows.bench.scale import scale as measured
    from narrows.bench.speed import markdown
    from narrows.files import write_file

    validate_names("direction", along, ALONG)
    path = free_file(output, force)
    rows = measured(along or tuple(ALONG), tell)
    give(rows if json else table(rows), json)
    if not json and len(rows) > 3:
        give_facts({f"{name}, s": f"{value:.3g}" for name, value in fitted(rows).items()})
    if path:
        write_file(path, markdown(table(rows)) + "\n")


@app.command
def anomaly(
    *,
    groups: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    rows: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    seeds: Annotated[
        list[int] | None, Parameter(consume_multiple=True, negative="", converter=integers)
    ] = None,
    images: Integer | None = None,
    test_images: Integer | None = None,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "",
    json: Json = False,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Compare with the detectors of PyOD how well anomalies are found, and how fast.

    Example: narrows bench anomaly --groups digits --seeds 0 -o found

    Parameters
    ----------
    groups
        Groups of tasks: any of mnist, fashion-mnist, mnist-jittered, fashion-mnist-jittered, textures,
        digits; by default all.
    rows
        Any of anomaly, pca, pyod-pca, pyod-knn, pyod-iforest, pyod-ecod, pyod-autoencoder,
        pyod-deepsvdd, brightness, deviation; by default all.
    seeds
        Seeds of the fits; by default 0 1 2.
    images
        Use at most this many training images of a task.
    test_images
        Use at most this many test images of a task.
    output
        A folder for the results and the tables, page.md. If it holds results already, only missing
        ones are measured; the tables show all.
    force
        Measure again what the folder holds already.
    """
    from narrows.bench.anomaly import Plan
    from narrows.bench.anomaly_tables import by_task, summary
    from narrows.bench.anomaly_tasks import GROUPS, entries_of
    from narrows.bench.anomaly_ways import WAYS

    validate_names("group of tasks", groups or (), GROUPS)
    validate_names("row", rows or (), WAYS)
    validate_images(images)
    validate_images(test_images, "test images")
    if any(seed < 0 for seed in seeds or ()):
        raise wrong("seeds", seeds, "integers ≥ 0")
    entries = entries_of(groups or GROUPS)
    plan = Plan(entries, seeds or (0, 1, 2), rows or tuple(WAYS), images, test_images)
    results = _compared(plan, output, force)
    give(results if json else summary(results), json)
    if not json:
        tell("")
        give(by_task(results))


def _compared(plan: "Plan", output: str, force: bool) -> list[dict[str, Any]]:
    """The results of a plan, and those that the folder holds of earlier calls; both tables into the
    folder.
    """
    from narrows.bench import anomaly as bench
    from narrows.bench.anomaly_tables import page
    from narrows.data.outputs import folder_place
    from narrows.files import locked, refuse_overwrite, write_file

    if not output:
        return bench.measure(plan, (), tell, lambda rows: None)
    folder = folder_place(output).path
    if not (folder / bench.RESULTS).exists():
        refuse_overwrite(folder)
    with locked(folder, folder=True):
        kept = bench.read_results(folder)
        if force:
            kept = [row for row in kept if not plan.covers(row)]
        bench.check_limits(kept, plan)
        results = bench.measure(plan, kept, tell, lambda rows: bench.write_results(folder, rows))
        write_file(folder / "page.md", page(results))
    return results


app.command(codec)
app.command(denoise)
