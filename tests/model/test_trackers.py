"""Trackers by name: what they write is what the model knows, and they stay where they are told."""

import json
import os
import struct
import subprocess
import sys
from types import ModuleType

import pytest

import narrows as nw
from narrows.errors import MissingExtra, OutputError, UnknownName
from narrows.model.trackers import LOGGERS, flatten_options, start_logger, tracker
from small_models import CONSTANT, model, told

pytestmark = pytest.mark.filterwarnings(CONSTANT)


def test_an_unknown_tracker_is_reported_with_the_nearest(tmp_path):
    with pytest.raises(
        UnknownName, match=r"no tracker called 'tensorbord'; did you mean 'tensorboard'\?"
    ):
        start_logger("tensorbord", tmp_path, "run")


@pytest.mark.parametrize("name", LOGGERS)
def test_a_missing_package_is_reported_in_a_line_with_its_extra(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra) as caught:
        start_logger(name, tmp_path / "run", "run")
    assert (
        str(caught.value)
        == f"this needs {name}, which is not installed: pip install 'narrows[{name}]'"
    )
    assert not (tmp_path / "run").exists()


def test_packages_do_not_call_their_makers_unless_the_user_lets_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", ModuleType("wandb"))
    monkeypatch.setattr("os.environ", {"MLFLOW_DISABLE_TELEMETRY": "false"})
    assert tracker("wandb") is LOGGERS["wandb"]
    assert os.environ == {"MLFLOW_DISABLE_TELEMETRY": "false", "WANDB_ERROR_REPORTING": "false"}


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    pytest.importorskip("tensorboard")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"tensorboard cannot log to .*file"):
        start_logger("tensorboard", tmp_path / "file", "run")


def test_trackers_are_loaded_only_when_they_are_used():
    code = "import sys, narrows.cli.app, narrows.model.trackers; print(*sys.modules)"
    modules = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    assert "narrows.model.trackers" in modules
    assert not modules & {*LOGGERS, "torch"}


def approx(epochs: dict) -> dict:
    """As numbers of 32 bits, which event files hold."""
    return {step: pytest.approx(values, rel=1e-6) for step, values in epochs.items()}


def events(folder) -> tuple[dict, dict]:
    """What event files hold: figures by epoch, and options."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found, epochs = EventAccumulator(str(folder)).Reload(), {}
    for name in found.Tags()["scalars"]:
        for event in found.Scalars(name):
            epochs.setdefault(event.step, {})[name] = event.value
    (content,) = found.PluginTagToContent("hparams").values()
    values = HParamsPluginData.FromString(content).session_start_info.hparams
    return epochs, {
        name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()
    }


def test_event_files_hold_the_history_and_the_options(digits, tmp_path):
    pytest.importorskip("tensorboard")
    one, two = model(validation=0.2), model(epochs=1)
    one.fit(digits, logger=start_logger("tensorboard", tmp_path, "run"))
    two.fit(digits, logger=start_logger("tensorboard", tmp_path, "run"))
    for m, place in ((one, "1"), (two, "2")):
        epochs, options = events(tmp_path / "log" / place)
        assert epochs == approx(told(m.history_))
        assert options == {
            name: value
            for name, value in flatten_options(m.get_params(deep=False)).items()
            if value is not None
        }


def test_event_files_are_whole_after_each_epoch_and_after_an_error(digits, tmp_path):
    pytest.importorskip("tensorboard")
    m = model(epochs=4)
    epochs = m.fit_epochs(digits, logger=start_logger("tensorboard", tmp_path, "run"))
    for _ in range(2):
        next(epochs)
        assert events(tmp_path / "log" / "1")[0] == approx(told(m.history_))
    with pytest.raises(ZeroDivisionError):
        epochs.throw(ZeroDivisionError())
    assert events(tmp_path / "log" / "1")[0] == approx(told(m.history_))
    assert m.epochs_ == 2


def records(folder) -> list:
    """The records of an offline run: a header, then blocks of 2^15 bytes; a record may go on over
    several.
    """
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    wandb.teardown()  # its service writes a little later
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    content, at, found, whole = path.read_bytes(), 7, [], b""
    while at + 7 <= len(content):
        if 2**15 - at % 2**15 < 7:  # too little for a head is left empty
            at += 2**15 - at % 2**15
            continue
        _, size, kind = struct.unpack("<IHB", content[at : at + 7])
        whole, at = whole + content[at + 7 : at + 7 + size], at + 7 + size
        if kind in (1, 4):  # whole, or the last piece
            found.append(Record.FromString(whole))
            whole = b""
    return found


def named(items) -> dict:
    """Items of a record, by name; those of wandb's own begin with an underscore."""
    return {(item.nested_key or [item.key])[0]: json.loads(item.value_json) for item in items}


def test_a_run_of_wandb_holds_the_history_and_the_options(digits, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    m = model(validation=0.2).fit(digits, logger=start_logger("wandb", tmp_path, "my run"))
    found, epochs, options = records(tmp_path), {}, {}
    for record in found:
        row = named(record.history.item)
        if "_step" in row:
            epochs[row["_step"]] = {
                name: value for name, value in row.items() if not name.startswith("_")
            }
        options |= named(record.config.update)
    assert epochs == told(m.history_)
    assert {name: value for name, value in options.items() if name != "_wandb"} == flatten_options(
        m.get_params(deep=False)
    )
    assert [record.run.display_name for record in found if record.HasField("run")] == ["my run"]
    assert [record.exit.exit_code for record in found if record.HasField("exit")] == [0]


def test_wandb_hears_of_an_error(digits, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with pytest.raises(UnknownName):
        model(objective="elbow").fit(digits, logger=start_logger("wandb", tmp_path, "my run"))
    assert [record.exit.exit_code for record in records(tmp_path) if record.HasField("exit")] == [1]


def test_a_store_of_mlflow_holds_the_history_and_the_options(digits, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    m = model(validation=0.2).fit(digits, logger=start_logger("mlflow", tmp_path, "mine"))
    with pytest.raises(UnknownName):
        model(objective="elbow").fit(digits, logger=start_logger("mlflow", tmp_path, "wrong"))
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("narrows").experiment_id
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert {name: run.info.status for name, run in runs.items()} == {
        "mine": "FINISHED",
        "wrong": "FAILED",
    }
    assert runs["mine"].data.params == {
        name: str(value) for name, value in flatten_options(m.get_params(deep=False)).items()
    }
    for name, values in m.history_.items():
        found = client.get_metric_history(runs["mine"].info.run_id, name)
        assert [(entry.step, entry.value) for entry in found] == list(enumerate(values, start=1))


def test_mlflow_writes_where_the_user_says(digits, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mine.db")
    nw.PCA(2).fit(digits, logger=start_logger("mlflow", tmp_path / "run", "run"))
    assert (tmp_path / "mine.db").exists()
    assert not any((tmp_path / "run").iterdir())
