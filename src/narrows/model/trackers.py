"""Trackers: loggers that follow a training while it runs.

A logger is anything with the four names of Lightning's loggers (`Logger` below), so any of those fits:

    Autoencoder().fit(X, logger=logger)

It gets the options of the model at the start, by the names that `--set` takes ("bottleneck.size":
20), and after each epoch, counted from 1, what the epoch added to `history_` ("loss", "val_psnr",
...). If it has a fifth name, `finalize(status)`, as Lightning's have, that is called at the end:
with "success", or "failed" after an error.

`LOGGERS` are trackers that need no more than a name: `start("tensorboard", folder, "my run")`. They
write into the folder of the run, and send nothing anywhere unless the user's WANDB_MODE or
MLFLOW_TRACKING_URI says so.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from narrows.errors import OutputError, extra, unknown, wrong

Report = Callable[[Mapping[str, float], int], None]
NAMES = ("log_hyperparams", "log_metrics", "name", "version")
# else the packages send usage data to their makers
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "WANDB_ERROR_REPORTING": "false"}


class Logger(Protocol):
    """What a training asks of a logger: the four names of Lightning's."""

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        """Log the options."""

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Log the figures of an epoch."""

    @property
    def name(self) -> str | None:
        """What the run is called."""

    @property
    def version(self) -> int | str | None:
        """Which of the runs of that name it is."""


@contextmanager
def reported(logger: Logger | None, options: Mapping[str, Any]) -> Iterator[Report]:
    """The block is a training that is reported to a logger: first the options, last how it ended.

    Yields a function that reports the rest: the figures of an epoch, and its number.
    """
    if logger is None:
        yield lambda figures, epoch: None
        return
    missing = [name for name in NAMES if not hasattr(logger, name)]
    if missing:
        expected = f"one with the names {', '.join(NAMES)}"
        raise wrong("logger", logger, expected, f"missing: {', '.join(missing)}")
    status = "failed"
    try:
        logger.log_hyperparams(flatten_options(options))
        yield lambda figures, epoch: logger.log_metrics(dict(figures), step=epoch)
        status = "success"
    except GeneratorExit:  # the caller has stopped iterating over the epochs
        status = "success"
        raise
    finally:
        getattr(logger, "finalize", lambda status: None)(status)


def flatten_options(
    options: Mapping[str, Any], within: str = ""
) -> dict[str, bool | int | float | str | None]:
    """Options as a flat dict of plain values, by the names that `--set` takes.

    Images become their shape in words.

    >>> flatten_options({"body": "mlp", "bottleneck": {"kind": "variational", "size": 20}})
    {'body': 'mlp', 'bottleneck': 'variational', 'bottleneck.size': 20}
    """
    flat = {}
    for name, value in options.items():
        path = _path(within, name)
        if isinstance(value, Mapping):
            flat |= flatten_options(value, path)
        else:
            flat[path] = _plain(value)
    return flat


def _path(within: str, name: str) -> str:
    """The name of an option within another one; a part's kind goes by the name of the part."""
    if name == "kind":
        return within
    return f"{within}.{name}" if within else name


def _plain(value: Any) -> bool | int | float | str | None:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    try:
        shape = np.shape(value)
    except ValueError:  # a list of elements of different shapes
        shape = ()
    if len(shape) > 1:
        return f"an array of {' x '.join(map(str, shape))}"
    if isinstance(value, (list, tuple)):
        return str(value)
    return getattr(value, "__name__", type(value).__name__)


# -- trackers by name ------------------------------------------------------------------------


def start_logger(name: str, folder: str | os.PathLike[str], run: str) -> Logger:
    """A tracker by its name in `LOGGERS`, for one training: `run` is what it is called there.

    Raises `UnknownName`, `MissingExtra` where its package is not installed, or `OutputError`.
    """
    make, folder = tracker(name), Path(folder).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return make(folder, run)
    except Exception as error:  # foreign code: no account, no server, a full disk
        raise OutputError(f"{name} cannot log to {folder}: {error}") from error


def tracker(name: str) -> Callable[[Path, str], Logger]:
    """The class of a tracker whose package is installed."""
    if name not in LOGGERS:
        raise unknown("tracker", name, LOGGERS)
    for variable, value in QUIET.items():
        os.environ.setdefault(variable, value)  # read when they are imported
    extra(name, name)
    return LOGGERS[name]


class TensorBoard:
    """Event files in FOLDER/log/1, the next training's in FOLDER/log/2.

    `tensorboard --logdir FOLDER` shows them.
    """

    def __init__(self, folder: Path, run: str):
        from torch.utils.tensorboard.writer import SummaryWriter

        self.name = run
        self.version = next(n for n in count(1) if not (folder / "log" / str(n)).exists())
        self.writer = SummaryWriter(folder / "log" / str(self.version))

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        from torch.utils.tensorboard.summary import hparams

        _, session, _ = hparams(params, {})  # `add_hparams` would write them as a run of their own
        assert self.writer.file_writer is not None  # it is opened with the writer
        self.writer.file_writer.add_summary(session)

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def finalize(self, status: str) -> None:
        self.writer.close()


class Wandb:
    """A run of Weights & Biases in FOLDER/wandb; offline, unless WANDB_MODE says otherwise."""

    def __init__(self, folder: Path, run: str):
        self.run = extra("wandb", "wandb").init(
            project=os.environ.get("WANDB_PROJECT", "narrows"),
            mode=os.environ.get("WANDB_MODE", "offline"),
            name=run,
            dir=folder,
            reinit="create_new",
        )
        self.name, self.version = run, self.run.id

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        self.run.config.update(params)

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.run.log(metrics, step=step)

    def finalize(self, status: str) -> None:
        self.run.finish(exit_code=int(status != "success"))


class MLflow:
    """A run of the experiment "narrows", in FOLDER/mlflow.db, or where MLFLOW_TRACKING_URI points."""

    def __init__(self, folder: Path, run: str):
        uri = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        self.client = extra("mlflow", "mlflow").MlflowClient(tracking_uri=uri)
        experiment = self.client.get_experiment_by_name("narrows")
        if experiment:
            identifier = experiment.experiment_id
        else:
            identifier = self.client.create_experiment("narrows")
        self.version = self.client.create_run(identifier, run_name=run).info.run_id
        self.name = run

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        for name, value in params.items():
            self.client.log_param(self.version, name, value)

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        for name, value in metrics.items():
            self.client.log_metric(self.version, name, value, step=step)

    def finalize(self, status: str) -> None:
        self.client.set_terminated(self.version, "FINISHED" if status == "success" else "FAILED")


LOGGERS: dict[str, Callable[[Path, str], Logger]] = {
    "tensorboard": TensorBoard,
    "wandb": Wandb,
    "mlflow": MLflow,
}
