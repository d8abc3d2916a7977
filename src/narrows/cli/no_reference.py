"""`narrows evaluate RUN --data noisy/ --no-reference`: denoised pictures of which no clean ones exist."""

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from narrows.cli.output import give, tell

if TYPE_CHECKING:
    import numpy as np

MOST_SHEETS = 24  # pictures that are drawn


def give_quality(run: str, data: str, output: str, json: bool, force: bool) -> None:
    """Print how well the pictures of a folder are denoised, each and on average; output: a folder for the
    noisy picture, the result, and what was removed, next to each other.
    """
    import numpy as np

    from narrows.data.outputs import folder_place
    from narrows.data.readers.picture_stream import stream_pictures
    from narrows.denoise.denoise import without_alpha
    from narrows.denoise.quality import assess, sheet
    from narrows.levels import unit_values
    from narrows.measure import Table

    folder = folder_place(output).path if output else None
    clean, table = _cleaner(run), Table()
    for picture in stream_pictures(Path(data).expanduser(), skip=_skipped):
        unit = unit_values(np.atleast_3d(picture.pixels), picture.levels)
        noisy = without_alpha(unit).copy()
        result, quality = assess(noisy, clean)
        table.append({"picture": picture.name, **quality._asdict()})
        if folder and len(table) <= MOST_SHEETS:
            _write_sheet(folder, picture.name, sheet(noisy, result), force)
    columns = [name for name in table[0] if name != "picture"]
    table.append(
        {"picture": "mean", **{name: fmean(row[name] for row in table) for name in columns}}
    )
    give(table, json)
    if not json:
        tell(
            "noise, left and removed are standard deviations of 255 levels; whiteness is 1, and rows and "
            "columns are 0, if nothing but white noise was removed; psnr is an estimate, in dB"
        )


def _cleaner(run: str) -> Any:
    """The denoiser of that name, or the model of a run."""
    from narrows.denoise.denoise import DENOISERS, Options
    from narrows.denoise.quality import cleaner
    from narrows.model.files.store import load

    is_named = run in DENOISERS and not Path(run).exists()
    return cleaner(run if is_named else load(run), Options())


def _skipped(name: str, reason: str) -> None:
    tell(f"skipped {name}: {reason}")


def _write_sheet(folder: Path, name: str, pixels: "np.ndarray", force: bool) -> None:
    from narrows.data.write import write_images

    path = folder / Path(name.replace("#", "_")).with_suffix(".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_images(pixels[None], path, force=force)
