"""Where a study came from: what is needed to run it again, and to see whether that gives the same (`verify`).

    command, versions, machine    as the study starts
    git                           of the work tree that it is run in, if it is in one: commit, branch (None for none),
                                  and whether files that git knows were changed
    data, measure_scale           of the study
    runs                          name -> folder and files of the run, seed, device, its data where it has its own,
                                  images to train and to test (source, number, fingerprint), and measures, in full

All of it is plain values: "origin" in `run.json`. The recipes with all their options are the record's `models`. Paths
are whole, so that they are found from anywhere.
"""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from narrows.data import NAMED_SETS, ImageSet
from narrows.distributed.process_group import rank_and_size
from narrows.model.files import store
from narrows.study.run_folder import HISTORY, MODEL, SNAPSHOTS, STEPS, TIMES
from narrows.study.schema import Study
from narrows.study.trained import Trained

GIT = ("git", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch", "--untracked-files=no")
PATIENCE = 10  # seconds for git


def started(study: Study, data: Any) -> dict[str, Any]:
    """What is known before anything is trained. data: the study's, or what has replaced it."""
    git = git_state()
    return {
        "command": command(),
        "versions": store.versions(),
        "machine": machine(),
        **({"git": git} if git else {}),
        "data": placed(data),
        "measure_scale": study.measure_scale,
    }


def provenance_of_runs(
    study: Study, done: Mapping[str, Trained], measured: Mapping[str, Mapping[str, float]], folder: Path
) -> dict[str, dict[str, Any]]:
    """What is known of each run once it is measured. folder: of the study."""
    found = {}
    for run in study.runs:
        trained, place = done[run.name], "." if len(done) == 1 else f"runs/{run.name}"
        files = [name for name in (HISTORY, STEPS, SNAPSHOTS, TIMES, MODEL) if (folder / place / name).is_file()]
        found[run.name] = {
            "folder": place,
            "files": files,
            "seed": trained.model.seed_,
            "device": str(getattr(trained.model, "device_", "cpu")),
            **({"data": placed(run.data)} if run.data is not None else {}),
            "train": _images(trained.shown.train),
            "test": _images(trained.shown.test),
            "measures": measured[run.name],
        }
    return found


def facts(origin: Mapping[str, Any], done: Mapping[str, Trained], seconds: float) -> dict[str, Any]:
    """What a reader needs to run it again, in words."""
    runs, there = origin["runs"].values(), origin["machine"]
    sets = {run["train"]["fingerprint"]: run for run in runs}
    shown = {run.shown.train.fingerprint: run.shown.train for run in done.values()}
    skipped = sum(len(images.skipped) for images in shown.values())
    git = origin.get("git")
    return {
        "command": origin["command"],
        "data": "; ".join(
            f"{run['train']['source']}: {run['train']['images']:,} images to train, {run['test']['images']:,} to test"
            for run in sets.values()
        ),
        "fingerprint of the training images": ", ".join(sets),
        "seed": ", ".join(map(str, sorted({run["seed"] for run in runs}))),
        "versions": ", ".join(f"{name} {version}" for name, version in origin["versions"].items()),
        "machine": f"{there['platform']}, threads: {there['threads']}, processors: {there['processors']}",
        **({"git": _of_git(git)} if git else {}),
        "seconds": round(seconds, 1),
        "seconds of training": round(sum(run.seconds for run in done.values()), 1),
        **({"files skipped": skipped} if skipped else {}),
    }


def command() -> str:
    """The command line of this process, or "in Python"."""
    program = Path(sys.argv[0])
    ours = program.stem == "narrows" or program.parts[-2:] == ("narrows", "__main__.py")
    return "narrows " + shlex.join(sys.argv[1:]) if ours else "in Python"


def machine() -> dict[str, Any]:
    """What decides the last bits of a number, beside the versions."""
    return {
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processes": rank_and_size()[1],
    }


def placed(data: Any) -> Any:
    """Data as a reader takes them, with a path as it is seen from anywhere; a function of Python as its name."""
    if isinstance(data, Mapping):
        plain = json.loads(json.dumps(dict(data), default=str))
        paths = {name: placed(data[name]) for name in ("kind", "noisy") if name in data}
        return {**plain, **paths}
    if callable(data):
        return getattr(data, "__qualname__", repr(data))
    there = Path(data).expanduser()
    return str(there.resolve()) if data not in NAMED_SETS and there.exists() else str(data)


def git_state() -> dict[str, Any] | None:
    """The state of the work tree that this is run in; None where there is none, or no git that would tell."""
    still = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # it is to write nothing
    try:
        said = subprocess.run(GIT, capture_output=True, text=True, errors="replace", timeout=PATIENCE, env=still)
    except (OSError, subprocess.SubprocessError):
        return None
    if said.returncode:
        return None
    heads = dict(line[2:].split(" ", 1) for line in said.stdout.splitlines() if line.startswith("# "))
    commit, branch = heads.get("branch.oid"), heads.get("branch.head")
    return {
        "commit": None if commit == "(initial)" else commit,
        "branch": None if branch == "(detached)" else branch,
        "changed": any(not line.startswith("#") for line in said.stdout.splitlines()),
    }


def _images(images: ImageSet) -> dict[str, Any]:
    return {"source": images.source, "images": len(images), "fingerprint": images.fingerprint}


def _of_git(git: Mapping[str, Any]) -> str:
    return f"{git['commit'] or 'no commit yet'} on {git['branch'] or 'no branch'}" + (
        ", with changes that are not committed" if git["changed"] else ""
    )
