"""What `unchanged.py` compares: all that a model gives, and all that the command line writes."""

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

import narrows as nw
from unchanged_models import Fit, pictures


def digest(*arrays: Any) -> str:
    """The start of a SHA-256 over types, shapes and values of arrays, whatever their order."""
    arrays = [np.ascontiguousarray(array) for array in arrays]
    each = [sha256(f"{a.dtype.str} {a.shape}".encode() + a.tobytes()).hexdigest() for a in arrays]
    return sha256("".join(sorted(each)).encode()).hexdigest()[:32]


def timeless(columns: dict[str, Any]) -> dict[str, list[float]]:
    """Columns of numbers, without wall times."""
    return {name: [float(v) for v in col] for name, col in columns.items() if "seconds" not in name}


def attempt(ask: Callable[[], Any]) -> Any:
    """What `ask` gives. "refused" is a result too: some models have no samples."""
    try:
        return ask()
    except nw.NarrowsError:
        return "refused"
    except Exception as error:
        return f"failed: {error!r}"


def outputs(fit: Fit) -> dict[str, Any]:
    """What the public methods and functions give of a model and images."""
    model, X = fit()
    noisy = X // 2 if np.asarray(X).dtype.kind == "u" else X * 0.9
    kinds = (None, "error", "patch", "bound", "code")
    questions = {
        "weights": lambda: weights(model),
        "history": lambda: timeless(getattr(model, "history_", {})),
        "steps": lambda: timeless(getattr(model, "steps_", {})),
        "thresholds": lambda: {"usual": model.threshold_, **model.thresholds_},
        "sizes": lambda: [model.code_size_, model.n_parameters_],
        "codes": lambda: digest(model.transform(X)),
        "images of codes": lambda: digest(model.inverse_transform(model.transform(X))),
        "reconstruct": lambda: digest(model.reconstruct(X)),
        "denoise": lambda: digest(model.denoise(noisy, exact=True)),
        "score_samples": lambda: digest(model.score_samples(X), model.score_samples(X, samples=3)),
        **{f"anomaly_score {k}": lambda k=k: digest(model.anomaly_score(X, k)) for k in kinds},
        "error_map": lambda: digest(model.error_map(X)),
        "sample": lambda: digest(model.sample(5), model.sample(5, random_state=1)),
        "interpolate": lambda: digest(nw.interpolate(model, X[0], X[1])),
        "perturb": lambda: digest(nw.perturb(model, X, [0.1, 1.0])),
        "evaluate": lambda: nw.evaluate(model, X),
        "evaluate noisy": lambda: nw.evaluate(model, X, noisy, measure_scale="symmetric"),
    }
    if isinstance(model, nw.Autoencoder):
        questions["score_field"] = lambda: digest(model.score_field(X))
        questions["project"] = lambda: digest(model.project(X, steps=2))
    return {name: attempt(ask) for name, ask in questions.items()}


def weights(model: Any) -> str:
    """The digest of the tensors in the model's file."""
    with tempfile.TemporaryDirectory() as folder:
        nw.save(model, Path(folder) / "model.safetensors")
        return contents(Path(folder) / "model.safetensors")


def narrows(*arguments: Any) -> str:
    """What the command line prints."""
    command = [sys.executable, "-m", "narrows", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(path: Path) -> Any:
    """What a file holds, but for wall times; None of a file that is not compared."""
    if path.suffix == ".csv":
        rows = list(csv.DictReader(path.read_text().splitlines()))
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return timeless(columns) if path.name == "history.csv" else digest(*columns.values())
    if path.suffix == ".npz":
        with np.load(path) as file:
            return digest(*(array for array in file.values() if array.dtype.kind in "biuf"))
    if path.name == "model.safetensors":
        return digest(*load_file(path).values())
    return digest(np.load(path)) if path.suffix == ".npy" else None


def files_of(folder: Path) -> dict[str, Any]:
    """Contents of the files in a folder by name; figures, whose names are words, in one list."""
    found, figures = {}, []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if (value := contents(path)) is None:
            continue
        if path.parent.name == "figures":
            figures.append(value)
        else:
            found[str(path.relative_to(folder))] = value
    return {**found, "figures": sorted(figures)}


def of_lab(lab: str) -> dict[str, Any]:
    """A lab after one epoch."""
    return written("lab", lab, "--epochs", 1, "--no-tsne")


def of_study() -> dict[str, Any]:
    """A small study of the digits, with the kinds of figures that few labs have."""
    return written("study", Path(__file__).with_name("unchanged.toml"))


def written(*arguments: Any) -> dict[str, Any]:
    """The numbers in the tables of a study, and the files of its folder."""
    with tempfile.TemporaryDirectory() as folder:
        printed = narrows(*arguments, "-o", folder, "--json")
        rows = [row.values() for table in json.loads(printed).values() for row in table]
        tables = [[value for value in row if isinstance(value, (int, float))] for row in rows]
        return {"tables": tables, **files_of(Path(folder))}


def of_verbs() -> dict[str, Any]:
    """A run of the command line, and what other verbs make of it and of pictures of any size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, codes, large = folder / "run", folder / "codes.npz", folder / "large.npy"
        np.save(large, np.kron(pictures(3), np.ones((2, 3), np.uint8)))
        small = ("--set", "bottleneck.size=4", "--epochs", 1)
        narrows("train", "denoising-mlp", "--data", "digits", "-o", run, *small)
        narrows("encode", run, "digits", "-o", codes)
        narrows("decode", run, codes, "-o", folder / "images.npy")
        narrows("score", run, "digits", "-o", folder / "scores.csv")
        narrows("denoise", run, large, "-o", folder / "clean.npy")
        narrows("sample", run, "-n", 5, "-o", folder / "new.npy")
        return files_of(folder)
