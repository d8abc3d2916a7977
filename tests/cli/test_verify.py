"""The verb `verify` on runs; on packs see `test_packs`."""

import json
from shutil import copytree


def test_a_run_agrees_with_what_it_reported(narrows, trained):
    found = narrows("verify", trained["denoiser"])
    assert found.code == 0
    assert "denoised_psnr" in found.out
    assert "differs" not in found.out
    assert "all of them to the last bit" in found.err
    rows = narrows("verify", trained["pca"] / "model.safetensors", "--json").json()
    assert rows["faults"] == []
    assert {row["run"] for row in rows["measures"]} == {"pca"}


def test_a_run_that_does_not_agree_fails_in_a_sentence(narrows, trained, tmp_path):
    folder = copytree(trained["pca"], tmp_path / "pca")
    text = (folder / "run.json").read_text()
    measures = json.loads(text)["origin"]["runs"]["pca"]["measures"]
    (folder / "run.json").write_text(text.replace(f'"psnr": {measures["psnr"]!r}', '"psnr": 3.0'))
    found = narrows("verify", folder, "--json")
    assert found.code == 1
    (row,) = (row for row in found.json()["measures"] if row["verdict"] == "differs")
    assert (row["measure"], row["reported"], row["found"]) == ("psnr", 3.0, measures["psnr"])
    (complaint,) = (line for line in found.err.splitlines() if line.startswith("narrows: "))
    assert f"1 of {len(measures)} measures are not those reported" in complaint


def test_images_that_were_moved_are_read_from_data(narrows, tmp_path, photos):
    run = [
        "train",
        "pca",
        "--data",
        photos,
        "-o",
        tmp_path / "run",
        "--set",
        "n_components=2",
        "--size",
        "5",
    ]
    (photos / "broken.png").unlink()
    assert narrows(*run).code == 0
    photos.rename(tmp_path / "moved")
    gone = narrows("verify", tmp_path / "run")
    assert (gone.code, "not measured" in gone.out) == (1, True)
    assert narrows("verify", tmp_path / "run", "--data", tmp_path / "moved").code == 0


def test_what_is_no_run_is_refused(refused, tmp_path):
    (tmp_path / "notes.md").write_text("mine")
    assert "it is neither a pack nor an archive; expected the folder of a run" in refused(
        1, "verify", tmp_path / "notes.md"
    )
    assert "no record of a run" in refused(1, "verify", tmp_path)
    assert "--data" in refused(2, "verify", tmp_path / "set.tar", "--data", "digits")
