"""The verb that compares denoisers: bench denoise."""

from typing import Annotated

from cyclopts import Parameter

from narrows.cli.bench_checks import free_file
from narrows.cli.options import Force, Integer, Json, integers
from narrows.cli.output import give, tell
from narrows.errors import wrong

Names = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]


def denoise(
    *sets: str,
    ways: Names = None,
    runs: Names = None,
    sigma: Annotated[
        list[int] | None, Parameter(consume_multiple=True, negative="", converter=integers)
    ] = None,
    images: Integer | None = None,
    seed: Integer = 0,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "",
    json: Json = False,
    force: Force = False,
) -> None:
    """Compare denoisers on the same noisy pictures: PSNR, bias of the mean colour, seconds a megapixel.

    Example: narrows bench denoise set12 --sigma 25 --ways ridge photo

    Parameters
    ----------
    sets
        bsd68, set12, cbsd68 (in $NARROWS_DATA/photos), or folders of clean pictures; by default the three.
    ways
        noisy, bm3d, ridge, ridge-blind, photo, photo-best; by default all that are installed.
    runs
        Run folders of models that were trained with denoiser-photo, compared as well.
    sigma
        Standard deviations of the noise, of 255; by default 15 25 50.
    images
        Use at most this many pictures of each set, evenly spaced.
    seed
        Seed of the noise.
    output
        A file for the table as markdown.
    """
    from narrows.bench import denoise as bench
    from narrows.bench.denoise_ways import chosen_ways
    from narrows.bench.speed import markdown
    from narrows.files import write_file

    if images is not None and images < 1:
        raise wrong("images", images, "an integer ≥ 1")
    sigmas = sigma or list(bench.SIGMAS)
    if min(sigmas) < 1:
        raise wrong("sigma", sigmas, "integers ≥ 1, of 255")
    path, compared = free_file(output, force), chosen_ways(ways or (), runs or ())
    table = bench.measure(sets or bench.SETS, sigmas, compared, images, seed, tell)
    conditions = bench.conditions(list(compared), seed)
    give(table, json)
    tell(conditions)
    if path:
        write_file(path, f"{markdown(table)}\n\n{conditions}\n")
