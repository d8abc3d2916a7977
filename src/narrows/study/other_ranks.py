"""What ranks other than the first do for a study: they train along, and keep nothing.

They take part in every sum of a training, so they train what the first one trains, in the same
order, and resume what it resumes. Files, figures, pictures and messages are the first one's.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from narrows.distributed.collectives import broadcast_from_first
from narrows.model.estimator.base import ImageModel
from narrows.model.file_format import CHECKPOINT_NAME
from narrows.model.training.checkpoint import Checkpoint
from narrows.study.data_split import DataSplit
from narrows.study.schema import Run


def train_along(
    models: list[tuple[Run, ImageModel]],
    read: Callable[[Any], DataSplit],
    folder: Path,
    resume: bool,
    minutes: float,
) -> None:
    """Train along with the first rank, which calls `obtain_run` for each of these models."""
    splits = {run.name: read(run.data) for run, _ in models}
    for run, model in models:
        split = splits[run.name]
        if run.watch:
            model.set_params(validation=split.validation_for(model))
        split = split.seen_by(model)
        already_trained = broadcast_from_first(lambda: False)  # the first rank's answer
        if not already_trained:
            _fit(model, split, folder, resume, minutes)


def _fit(model: ImageModel, split: DataSplit, folder: Path, resume: bool, minutes: float) -> None:
    options = split.fit_options(model)
    if model.fits_in_epochs and (resume or model.random_state is not None):
        options["checkpoint"] = Checkpoint(folder / CHECKPOINT_NAME, minutes, resume)
    model.fit(split.train.images, **options)
