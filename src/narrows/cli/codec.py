"""The verb that trains a pixel model: codec train."""

from typing import TYPE_CHECKING, Any

from cyclopts import App

from narrows.cli.archive_images import images_of, training_bar
from narrows.cli.inputs import Skipped
from narrows.cli.options import Data, Flag, Force, Integer, Json, Output, Reading, Split
from narrows.cli.output import give_facts, tell
from narrows.cli.sharded_job import Job
from narrows.errors import DataError

if TYPE_CHECKING:
    from narrows.codec.fitting import Training

HELP = """Pixel models, by which narrows compress makes images smaller.

Example: narrows codec train --data mnist -o m.nrwm
"""
app = App("codec", help=HELP, help_format="plaintext")
AS_THEY_ARE = Reading()


@app.command
def train(
    *,
    data: Data,
    output: Output,
    levels: Integer | None = None,
    best: Flag = False,
    seed: Integer = 0,
    split: Split = "train",
    reading: Reading = AS_THEY_ARE,
    skipped: Skipped = "",
    json: Json = False,
    force: Force = False,
) -> None:
    """Train a pixel model, which says how likely each pixel is, given those before it.

    It is for images of one type and number of channels, those of which there are most. It takes
    seconds to a few minutes; how large it becomes depends on how many images there are.

    Example: narrows codec train --data mnist -o m.nrwm
             narrows codec train --data mnist --best -o best.nrwm

    Parameters
    ----------
    levels
        For `narrows compress --levels` of the same number.
    best
        A larger model, trained for up to 20 minutes: smaller archives, which take longer to write
        and to read. Keep it apart from them (narrows compress --apart).
    seed
        Seed of the training.
    """
    from narrows.codec.fitting import Training
    from narrows.codec.model_files import ENDING, save
    from narrows.data.outputs import file_place

    job = Job("codec train", "", data, reading, "", force, split)
    path = job.free(file_place(output, "pixel models", (ENDING,))).path
    with job.skipping(skipped) as skip:
        model = _trained(images_of(job, skip), data, levels, Training(seed, best, training_bar))
    save(model, path)
    if json:
        from narrows.codec.describe import describe_pixel_model

        give_facts(describe_pixel_model(path), as_json=True)
        return
    tell(f"a pixel model of {path.stat().st_size:,} bytes")
    print(path)


def _trained(source: Any, data: str, levels: int | None, training: "Training") -> Any:
    from narrows.codec.fitting import NONE, train_pixel_model
    from narrows.codec.palette import best_palette
    from narrows.codec.sources import Numbers

    images = source if levels is None else Numbers(source, best_palette(source, levels))
    model = train_pixel_model(images, levels, training)
    if not source.extras.count:
        raise DataError(f"none of the images in {data} could be used; see above")
    if model is None:
        raise DataError(f"{data}: {NONE}; narrows compress packs them without one")
    return model
