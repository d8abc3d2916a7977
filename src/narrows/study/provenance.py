"""Provenance of a study: what is needed to run it again, and to see whether that gives the same
(`verify`).

    command, versions, machine    as the study starts
    git                           of the work tree that it is run in, if it is in one: commit,
                                  branch (None for none), and whether files that git knows were
                                  changed
    data, measure_scale           of the study
    runs                          name -> folder and files of the run, seed, device, its data if it
                                  has its own, images to train and to test (source, number,
                                  fingerprint), and measures, in full

All of it is plain values: "origin" in `run.json`. The recipes with all their options are the
record's `models`. Paths are absolute, so that they are found from anywhere.
"""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from narrows.data import NAMED_SETS, ImageSet
from narrows.distributed.process_group import rank_and_size
from narrows.model.files import store
from narrows.study.run_folder import RUN_FILES
from narrows.study.schema import Run, Study
from narrows.study.trained import Trained

GIT = (
    "git",
    "-c",
    "core.fsmonitor=false",
    "status",
    "--porcelain=v2",
    "--branch",
    "--untracked-files=no",
)
GIT_SECONDS = 10
PATHS = ("kind", "noisy", "labels")  # of data


def started(study: Study, data: Any) -> dict[str, Any]:
    """What is known before anything is trained. data: the study's, or what has replaced it."""
    origin = {"command": command(), "versions": store.versions(), "machine": machine()}
    if git := git_state():
        origin["git"] = git
    return {**origin, "data": placed(data), "measure_scale": study.measure_scale}


def provenance_of_runs(
    study: Study,
    trained: Mapping[str, Trained],
    measured: Mapping[str, Mapping[str, float]],
    folder: Path,
) -> dict[str, dict[str, Any]]:
    """What is known of each run once it is measured. folder: of the study."""
    alone = len(trained) == 1
    origins = {}
    for run in study.runs:
        place = "." if alone else f"runs/{run.name}"
        origin = _origin_of_run(run, trained[run.name], folder, place)
        origins[run.name] = {**origin, "measures": measured[run.name]}
    return origins


def _origin_of_run(run: Run, trained: Trained, folder: Path, place: str) -> dict[str, Any]:
    origin = {
        "folder": place,
        "files": [name for name in RUN_FILES if (folder / place / name).is_file()],
        "seed": trained.model.seed_,
        "device": str(trained.model.device_),
    }
    if run.data is not None:
        origin["data"] = placed(run.data)
    return {**origin, "train": _images(trained.split.train), "test": _images(trained.split.test)}


def facts(
    origin: Mapping[str, Any], trained: Mapping[str, Trained], seconds: float
) -> dict[str, Any]:
    """What a reader needs to run it again, in words."""
    found = {
        "command": origin["command"],
        **_facts_of_runs(list(origin["runs"].values())),
        "versions": ", ".join(f"{name} {version}" for name, version in origin["versions"].items()),
        "machine": _machine_in_words(origin["machine"]),
    }
    if git := origin.get("git"):
        found["git"] = _git_in_words(git)
    found["seconds"] = round(seconds, 1)
    found["seconds of training"] = round(sum(run.seconds for run in trained.values()), 1)
    if skipped := _skipped_count(trained):
        found["files skipped"] = skipped
    notes = dict.fromkeys(note for run in trained.values() for note in run.split.notes)
    if notes:
        found["notes on the data"] = " ".join(notes)
    return found


def _facts_of_runs(runs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The data and the seeds of all runs, each once."""
    sets = {run["train"]["fingerprint"]: run for run in runs}
    seeds = sorted({run["seed"] for run in runs})
    return {
        "data": "; ".join(_set_in_words(run) for run in sets.values()),
        "fingerprint of the training images": ", ".join(sets),
        "seed": ", ".join(map(str, seeds)),
    }


def command() -> str:
    """The command line of this process, or "in Python"."""
    program = Path(sys.argv[0])
    if program.stem == "narrows" or program.parts[-2:] == ("narrows", "__main__.py"):
        return "narrows " + shlex.join(sys.argv[1:])
    return "in Python"


def machine() -> dict[str, Any]:
    """What decides the last bits of a number, apart from the versions."""
    return {
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processes": rank_and_size()[1],
    }


def placed(data: Any) -> Any:
    """Data as a reader takes them, with a path as it is seen from anywhere; a function of Python as
    its name.
    """
    if isinstance(data, Mapping):
        plain = json.loads(json.dumps(dict(data), default=str))
        paths = {name: placed(data[name]) for name in PATHS if name in data}
        return {**plain, **paths}
    if callable(data):
        return getattr(data, "__qualname__", repr(data))
    path = Path(data).expanduser()
    if data not in NAMED_SETS and path.exists():
        return str(path.resolve())
    return str(data)


def git_state() -> dict[str, Any] | None:
    """The state of the work tree that this is run in; None where there is none, or no git that
    answers.
    """
    lines = _git_status()
    if lines is None:
        return None
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# "))
    return {
        "commit": _unless(heads.get("branch.oid"), "(initial)"),
        "branch": _unless(heads.get("branch.head"), "(detached)"),
        "changed": any(not line.startswith("#") for line in lines),
    }


def _git_status() -> list[str] | None:
    """What git says of the work tree, line by line; None without an answer."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # it writes nothing
    options: dict[str, Any] = {"capture_output": True, "text": True, "errors": "replace"}
    try:
        answer = subprocess.run(GIT, timeout=GIT_SECONDS, env=environment, **options)
    except (OSError, subprocess.SubprocessError):
        return None
    if answer.returncode:
        return None
    return answer.stdout.splitlines()


def _unless(value: str | None, nothing: str) -> str | None:
    return None if value == nothing else value


def _images(images: ImageSet) -> dict[str, Any]:
    return {"source": images.source, "images": len(images), "fingerprint": images.fingerprint}


def _skipped_count(trained: Mapping[str, Trained]) -> int:
    """Files that could not be read, of all sets."""
    sets = {run.split.train.fingerprint: run.split.train for run in trained.values()}
    return sum(len(images.skipped) for images in sets.values())


def _set_in_words(run: Mapping[str, Any]) -> str:
    train, test = run["train"], run["test"]
    return f"{train['source']}: {train['images']:,} images to train, {test['images']:,} to test"


def _machine_in_words(values: Mapping[str, Any]) -> str:
    return f"{values['platform']}, threads: {values['threads']}, processors: {values['processors']}"


def _git_in_words(git: Mapping[str, Any]) -> str:
    words = f"{git['commit'] or 'no commit yet'} on {git['branch'] or 'no branch'}"
    if git["changed"]:
        words += ", with changes that are not committed"
    return words
