"""What a run reported is found again, and what has changed since is told."""

import json
from math import inf, nan
from pathlib import Path
from shutil import copytree, move

import numpy as np
import pytest
from PIL import Image

from narrows.errors import DataError
from narrows.model.files import store
from narrows.study.record import read_record
from narrows.study.run import run_study
from narrows.study.schema import Drawing, Run, Study
from narrows.study.verify import DIFFERS, NOT_MEASURED, SAME, WITHIN, verdict, verify

ONE_FIGURE = [Drawing("reconstructions", "Images")]
PCA = Run("p", "pca", {"n_components": 2})


@pytest.fixture
def copy(several, tmp_path) -> Path:
    """A copy of the folder of a study of three runs."""
    return copytree(several.folder, tmp_path / "copy")


def changed(folder: Path, change) -> None:
    """Change the run.json of a folder."""
    plain = json.loads((folder / "run.json").read_text())
    change(plain)
    (folder / "run.json").write_text(json.dumps(plain))


def verdicts(rows, run: str) -> set[str]:
    return {row["verdict"] for row in rows if row["run"] == run}


@pytest.mark.parametrize(
    ("reported", "found", "said"),
    [
        (1.0, 1.0, SAME),
        (nan, nan, SAME),
        (inf, inf, SAME),
        (3, 3, SAME),
        (1.0, 1 + 0.9e-5, WITHIN),
        (1.0, 1 + 1.1e-5, DIFFERS),
        (-2e6, -2e6 - 19, WITHIN),
        (-2e6, -2e6 - 21, DIFFERS),
        (0.0, 0.9e-9, WITHIN),
        (0.0, 2e-9, DIFFERS),
        (12, 13, DIFFERS),
        (1.0, nan, DIFFERS),
        (1.0, inf, DIFFERS),
        (1.0, None, NOT_MEASURED),
    ],
)
def test_two_numbers_agree_to_1e_5(reported, found, said):
    assert verdict(reported, found) == said


# -- as it was -------------------------------------------------------------------------------------


def test_a_study_gives_what_it_reported_to_the_last_bit(several):
    said = []
    rows, faults = verify(several.folder, say=said.append)
    assert faults.found == []
    assert said == [f"{run.name}: measuring again" for run in several.study.runs]
    told = {run: measured["measures"] for run, measured in several.record.origin["runs"].items()}
    assert [(row["run"], row["measure"], row["reported"], row["found"]) for row in rows] == [
        (run, name, value, value)
        for run, measured in told.items()
        for name, value in measured.items()
    ]
    assert {(row["difference"], row["verdict"]) for row in rows} == {(0.0, SAME)}


def test_a_run_alone_and_one_of_several_can_be_asked_for(several, alone, monkeypatch):
    rows, faults = verify(alone.folder)
    assert ({row["run"] for row in rows}, faults.found) == ({"ae"}, [])
    rows, faults = verify(several.folder / "runs" / "plane")
    assert ({row["run"] for row in rows}, faults.found) == ({"plane"}, [])
    monkeypatch.chdir(several.folder / "runs" / "pca")
    assert {row["run"] for row in verify(Path("."))[0]} == {"pca"}


def test_a_folder_of_several_studies_is_gone_through(several, alone, tmp_path):
    copytree(several.folder, tmp_path / "labs" / "b")
    copytree(alone.folder, tmp_path / "labs" / "a")
    rows, faults = verify(tmp_path / "labs")
    assert list(dict.fromkeys(row["run"] for row in rows)) == [
        "a/ae",
        "b/denoiser",
        "b/plane",
        "b/pca",
    ]
    assert faults.found == []


def test_measures_on_another_scale_are_taken_on_it(go, tmp_path):
    go(PCA, measure_scale="symmetric")
    rows, faults = verify(tmp_path / "out")
    assert (verdicts(rows, "p"), faults.found) == ({SAME}, [])


# -- not as it was ---------------------------------------------------------------------------------


def test_small_differences_pass_and_others_are_reported(copy):
    def shift(plain):
        measures = plain["origin"]["runs"]["plane"]["measures"]
        measures["psnr"] *= 1 + 1e-6
        measures["mse"] *= 1.01

    changed(copy, shift)
    rows, faults = verify(copy)
    found = {row["measure"]: row for row in rows if row["run"] == "plane"}
    assert (found["psnr"]["verdict"], found["mse"]["verdict"], found["snr"]["verdict"]) == (
        WITHIN,
        DIFFERS,
        SAME,
    )
    assert found["mse"]["difference"] == pytest.approx(-0.01 / 1.01 * found["mse"]["reported"])
    assert faults.found == [f"{copy}: 1 of {len(rows)} measures are not those reported"]


def test_another_machine_is_reported_where_measures_differ(copy, monkeypatch):
    changed(copy, lambda plain: plain["origin"]["runs"]["pca"]["measures"].update(mse=1.0))
    now = store.versions()
    monkeypatch.setattr(store, "versions", lambda: {**now, "torch": "99"})
    (fault,) = verify(copy)[1].found
    assert fault.endswith(f"(torch was {now['torch']}, is 99)")


def test_another_model_in_its_place_is_noticed(copy):
    store.save(store.load(copy / "runs" / "plane"), copy / "runs" / "pca" / "model.safetensors")
    rows, faults = verify(copy)
    assert verdicts(rows, "pca") >= {DIFFERS}
    assert verdicts(rows, "plane") == verdicts(rows, "denoiser") == {SAME}
    assert len(faults.found) == 1


def test_a_damaged_model_does_not_hinder_the_others(copy):
    path = copy / "runs" / "plane" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    rows, faults = verify(copy)
    assert (verdicts(rows, "plane"), verdicts(rows, "pca")) == ({NOT_MEASURED}, {SAME})
    (fault,) = faults.found
    assert fault.startswith("plane is not measured: ")
    assert "is damaged" in fault


def test_all_that_is_missing_is_reported(copy):
    gone = [
        "report.html",
        "figures/loss-denoiser.npz",
        "figures/loss-plane.png",
        "runs/plane/steps.csv",
    ]
    for name in gone:
        (copy / name).unlink()
    rows, faults = verify(copy)
    assert faults.found == [f"{copy / name} is missing" for name in gone]
    assert {row["verdict"] for row in rows} == {SAME}


def test_a_folder_without_a_record_or_with_an_old_one_is_refused(copy, tmp_path):
    with pytest.raises(DataError, match="no record of a run"):
        verify(tmp_path / "copy" / "figures")[1].stop()
    changed(copy, lambda plain: (plain.pop("origin"), plain.update(format=1)))
    assert len(read_record(copy).figures) > 0  # its page can still be drawn
    with pytest.raises(DataError, match=r"by an older Narrows .* run it again"):
        verify(copy)[1].stop()


# -- the images ------------------------------------------------------------------------------------


@pytest.fixture
def photos(pictures, tmp_path) -> Path:
    """A folder of pictures that a study was run on, brought to another size; it is in `out`."""
    own = pictures(20)
    run_study(
        Study("t", [PCA], {"kind": own, "size": [6, 6]}, figures=ONE_FIGURE), tmp_path / "out"
    )
    return Path(own)


def test_images_that_have_changed_are_a_fault_of_their_own(photos, tmp_path):
    Image.fromarray(np.full((9, 8), 7, np.uint8)).save(photos / "03.png")
    rows, faults = verify(tmp_path / "out")
    assert verdicts(rows, "p") == {NOT_MEASURED}
    (fault,) = faults.found
    assert "the images to train have changed; their fingerprint is" in fault


def test_images_that_are_gone_are_reported_and_found_elsewhere(photos, tmp_path):
    move(photos, tmp_path / "elsewhere")
    rows, faults = verify(tmp_path / "out")
    assert verdicts(rows, "p") == {NOT_MEASURED}
    assert all(row["found"] is row["difference"] is None for row in rows)
    assert f"p is not measured: there is no file or folder {photos}" in faults.found[0]
    with pytest.raises(DataError):
        faults.stop(DataError)
    rows, faults = verify(tmp_path / "out", str(tmp_path / "elsewhere"))
    assert (verdicts(rows, "p"), faults.found) == ({SAME}, [])


def test_another_place_is_not_that_of_a_runs_own_data(go, pictures, tmp_path):
    go(Run("a", "pca", {"n_components": 2}), Run("b", "pca", {"n_components": 2}, pictures(20)))
    rows, faults = verify(tmp_path / "out", str(tmp_path / "nowhere.npy"))
    assert (verdicts(rows, "a"), verdicts(rows, "b")) == ({NOT_MEASURED}, {SAME})
    assert len(faults.found) == 1
