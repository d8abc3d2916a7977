"""Files that version 0.1 wrote are read, and give what they gave."""

import csv
import io
import json
import signal
from shutil import copy, copytree
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.cli import main
from narrows.model.file_format import read_file, to_bytes
from old_files import FOLDER, FURTHER, PYTHON, further, images, results

EXPECTED = json.loads((FOLDER / "expected.json").read_text())
for of_root in ("root", "unet"):  # the term of `objective="root"`, under its present name
    columns_then = EXPECTED["models"][of_root]["history"]
    columns_then["root"] = columns_then.pop("nll")
RUN = FOLDER / "run"


@pytest.fixture
def narrows(capsys):
    """A function that runs the command line, which is to succeed: out, err, and `json()` of out."""

    def call(*arguments: Any) -> SimpleNamespace:
        handler = signal.getsignal(signal.SIGTERM)
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        signal.signal(signal.SIGTERM, handler)
        out, err = capsys.readouterr()
        assert ended.value.code == 0, err
        return SimpleNamespace(out=out, err=err, json=lambda: json.loads(out))

    return call


def agree(found: Any, expected: Any, name: str = "") -> None:
    """Fail where a number or a word is not the expected one; new keys are not looked at."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            agree(found[key], value, f"{name} {key}")
    elif isinstance(expected, list) and any(isinstance(item, str) for item in expected):
        assert found == expected, name
    else:
        found, expected = np.asarray(found, float), np.asarray(expected, float)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5, err_msg=name)


def numbers(tables: dict[str, list]) -> dict[str, list[float]]:
    """The numbers in each row of printed tables, by its first cell, whatever the names of its columns."""
    later = ("PSNR", "SSIM")  # columns that the table of bytes has had since
    rows = [
        [
            value
            for name, value in row.items()
            if "bytes an image" not in row or name[:4] not in later
        ]
        for table in tables.values()
        for row in table
    ]
    return {row[0]: [value for value in row if isinstance(value, (int, float))] for row in rows}


def columns(text: str) -> dict[str, list]:
    """The columns of a CSV without wall times, numbers as numbers."""
    rows = list(csv.DictReader(io.StringIO(text)))
    found = {name: [row[name] for row in rows] for name in rows[0] if "seconds" not in name}
    words = ("file", "class")
    return {name: col if name in words else list(map(float, col)) for name, col in found.items()}


# -- models ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPECTED["models"])
def test_a_model_gives_what_it_gave(name):
    model = nw.load(FOLDER / "models" / f"{name}.safetensors")
    agree(results(model, images(name)), EXPECTED["models"][name])


@pytest.mark.parametrize("name", EXPECTED["models"])
def test_a_model_is_written_again_and_read_again(name, tmp_path):
    model = nw.load(FOLDER / "models" / f"{name}.safetensors")
    again = nw.load(nw.save(model, tmp_path / "again.safetensors"))
    np.testing.assert_array_equal(again.transform(images(name)), model.transform(images(name)))
    assert again.get_params() == model.get_params()


@pytest.mark.parametrize("name", FURTHER)
def test_a_model_is_trained_further_by_the_optimiser_in_its_file(name):
    agree(further(name), EXPECTED["further"][name])


def test_a_renamed_term_continues_its_column():
    model = nw.load(FOLDER / "models" / "root.safetensors")
    before = model.history_["root"]
    model.partial_fit(images("root", "train"))
    assert model.history_["root"][:-1] == before
    assert "nll" not in model.history_
    assert len(model.history_["loss"]) == len(model.history_["root"]) == len(before) + 1


def test_a_renamed_term_continues_its_columns_in_a_checkpoint(tmp_path):
    """The state is that of an earlier version, which called the term "nll"."""
    X, file = images("root", "train"), tmp_path / "last.safetensors"
    options = {
        "body": {"kind": "mlp", "batch_norm": True},
        "objective": "root",
        "validation": 0.25,
        "batch_size": 16,
        "random_state": 0,
    }
    nw.Autoencoder(**options, epochs=2).fit(X, checkpoint=nw.Checkpoint(file))
    header, tensors = read_file(file)
    numbers = header["training"]["numbers"]
    numbers["names"] = ["nll"]
    old = {"root": "nll", "val_root": "val_nll"}
    numbers["history"] = {old.get(k, k): column for k, column in numbers["history"].items()}
    tensors = {"steps.nll" if k == "steps.root" else k: value for k, value in tensors.items()}
    file.write_bytes(to_bytes({k: header[k] for k in ("format", "training")}, tensors))

    resumed = nw.Autoencoder(**options, epochs=3)
    resumed.fit(X, checkpoint=nw.Checkpoint(file, resume=True))
    straight = nw.Autoencoder(**options, epochs=3).fit(X)
    assert list(resumed.history_) == list(straight.history_)
    for name in ("loss", "root", "val_root"):
        assert resumed.history_[name] == straight.history_[name], name
    assert list(resumed.steps_) == list(straight.steps_)


@pytest.mark.parametrize("name", ["models/plain.safetensors", "python.safetensors", "run"])
def test_a_file_says_what_it_holds(narrows, name):
    assert "0.1.0" in narrows("info", FOLDER / name).out


# -- trainings that were stopped ------------------------------------------------------------------


def test_a_training_of_python_ends_as_an_unbroken_one(tmp_path):
    said: list[str] = []
    path = copy(FOLDER / "python.safetensors", tmp_path)
    saving = nw.Checkpoint(path, resume=True, say=said.append)
    model = nw.Autoencoder(**PYTHON).fit(images("", "train"), checkpoint=saving)
    agree(model.history_, EXPECTED["python"])
    assert "epoch 3" in said[0]


def test_a_study_in_the_old_spelling_ends_as_an_unbroken_one(narrows, tmp_path):
    folder = copytree(FOLDER / "broken", tmp_path / "study")
    text = (FOLDER / "study.toml").read_text()
    all_images = text.replace("epochs = 1\n", "epochs = 1\ncalibration = 0\n")  # as it then was
    (tmp_path / "study.toml").write_text(all_images)
    found = narrows("study", tmp_path / "study.toml", "-o", folder, "--resume", "--json")
    assert "epoch 3" in found.err
    agree(columns((folder / "runs/kept/history.csv").read_text()), columns(EXPECTED["kept"]))
    agree(numbers(found.json()), numbers(EXPECTED["tables"]))


# -- runs, packs and shares -----------------------------------------------------------------------


def test_a_run_is_drawn_again_and_verified(narrows, tmp_path):
    folder = copytree(RUN, tmp_path / "run")
    narrows("report", folder)
    assert "vae-mlp on digits" in (folder / "report.html").read_text()
    found = narrows("verify", folder, "--json").json()
    assert (found["faults"], len(found["measures"])) == ([], 17)


@pytest.mark.parametrize(("name", "data"), [("run", "digits"), ("pack", FOLDER / "set.index")])
def test_a_run_is_measured_on_a_set_and_on_a_pack(narrows, name, data):
    agree(narrows("evaluate", RUN, "--data", data, "--json").json()[0], EXPECTED[name][0])


def test_a_pack_is_intact(narrows):
    assert narrows("verify", FOLDER / "set.index", "--json").json()["images"] == 6


def test_codes_are_decoded(narrows, tmp_path):
    narrows("decode", RUN, FOLDER / "codes.npz", "-o", tmp_path / "images.npy")
    made = np.load(tmp_path / "images.npy")
    np.testing.assert_allclose(made, EXPECTED["clean"], atol=1)


def test_shares_are_merged(narrows, tmp_path):
    folder = copytree(FOLDER / "shares", tmp_path / "shares")
    narrows("merge", folder / "codes.npz", folder / "scores.csv", folder / "clean")
    with np.load(folder / "codes.npz") as file, np.load(FOLDER / "codes.npz") as one:
        assert file["names"].tolist() == one["names"].tolist()
        agree(file["codes"], EXPECTED["codes"])
        agree(one["codes"], EXPECTED["codes"])
    agree(columns((folder / "scores.csv").read_text()), columns(EXPECTED["scores"]))
    clean = [np.asarray(Image.open(path)) for path in sorted((folder / "clean").rglob("*.png"))]
    np.testing.assert_array_equal(clean, EXPECTED["clean"])
