"""Proof that a change of the code leaves every result as it is, to the last bit.

    python tests/unchanged.py record base.json      before the change
    python tests/unchanged.py compare base.json     after it: prints each difference, exit code 1

It trains the models of `unchanged_models.py` for 10 steps each, runs a study and other verbs of the
command line on digits, and some labs for one epoch where $NARROWS_DATA holds MNIST. It knows public
names and the command line alone: no internals, no names of tensors. `--only lab` runs the cases
with that in their names. Results are the same on one machine, with one version of torch and NumPy.
"""

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, and for the command line

import torch

import narrows as nw
from unchanged_models import models
from unchanged_outputs import attempt, of_lab, of_study, of_verbs, outputs

LABS = ("A", "B", "C", "D", "E1", "E2", "E4", "E5")


def cases() -> dict[str, Callable[[], Any]]:
    """All that is compared, by name."""
    found = {name: partial(outputs, fit) for name, fit in models().items()}
    found |= {"study": of_study, "verbs": of_verbs}
    if (Path(os.environ.get("NARROWS_DATA", "")) / "mnist").is_dir():
        found |= {f"lab {lab}": partial(of_lab, lab) for lab in LABS}
    return found


def record(only: str) -> dict[str, Any]:
    """Results by the name of the case."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", nw.NarrowsWarning)  # 10 steps do not make a good model
    found = {}
    for name, case in cases().items():
        if only in name:
            start = time.perf_counter()
            found[name] = attempt(case)
            print(f"{name}: {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return found


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Every number and digest by its path, as text, so that NaN equals NaN."""
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {path: v for k, item in items for path, v in flat(item, f"{name} / {k}").items()}
    return {name.removeprefix(" / "): repr(value)}


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """A line for each result that is not the same."""
    old, new = flat(before), flat(after)
    paths = [path for path in {**old, **new} if old.get(path) != new.get(path)]
    return [f"{path}: was {old.get(path)}, is {new.get(path)}" for path in paths]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["record", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", default="", help="the cases with this in their names")
    asked = parser.parse_args()
    found = json.loads(json.dumps(record(asked.only)))
    if asked.what == "record":
        asked.file.write_text(json.dumps(found, indent=1) + "\n")
        results = flat(found).items()
        faults = [f"{path}: {v}" for path, v in results if "failed: " in v or path in found]
    else:
        before = json.loads(asked.file.read_text())
        faults = differences({k: v for k, v in before.items() if asked.only in k}, found)
    print(*faults, f"{len(found)} cases, {len(faults)} faults or differences", sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
