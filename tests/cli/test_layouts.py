"""Verbs on the layouts that people have, and the names of what they write."""

import csv
import os

import numpy as np
import pytest
from PIL import Image

import narrows as nw

DIGITS, LABELS = nw.load_data("digits", split="test")


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def digits(root, *names):
    for k, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(DIGITS[k]).save(root / name, "PNG")
    return root


@pytest.fixture
def kaggle(tmp_path):
    names = [
        f"{part}/{kind}/{k}.png" for part in ("Training", "Testing") for kind in "ab" for k in "01"
    ]
    return digits(tmp_path / "kaggle", *names, "preview.png")


OUTPUTS = {"score": "x.csv", "encode": "x.npz", "reconstruct": "x", "denoise": "x"}


@pytest.mark.parametrize(("split", "count"), [((), 4), (("--split", "all"), 8)])
def test_all_verbs_read_the_same_images_of_a_layout(
    narrows, trained, kaggle, tmp_path, split, count
):
    names = {}
    for verb, output in OUTPUTS.items():
        out = tmp_path / verb / output
        found = narrows(
            verb, trained["pca"], kaggle, "-o", out, *split, "--skipped", tmp_path / f"{verb}.csv"
        )
        assert found.code == 0, found.err
        assert ("only the test part" in found.err) == (not split)
        assert [row["file"] for row in rows_of(tmp_path / f"{verb}.csv")] == ["preview.png"]
    names["score"] = [row["file"] for row in rows_of(tmp_path / "score" / "x.csv")]
    names["encode"] = np.load(tmp_path / "encode" / "x.npz")["names"].tolist()
    for verb in ("reconstruct", "denoise"):
        names[verb] = files_in(tmp_path / verb / "x")
    assert {tuple(sorted(files)) for files in names.values()} == {tuple(sorted(names["score"]))}
    assert len(names["score"]) == count
    assert {row["class"] for row in rows_of(tmp_path / "score" / "x.csv")} == {"a", "b"}


def test_normal_images_alone_are_scored_and_what_is_missing_is_reported(narrows, trained, tmp_path):
    digits(tmp_path / "in", "good/0.png", "good/1.png")
    asked = ("score", trained["pca"], tmp_path / "in", "-o", tmp_path / "s.csv", "--normal", "good")
    found = narrows(*asked)
    assert (found.code, len(rows_of(tmp_path / "s.csv"))) == (0, 2)
    assert (
        "all 2 images are normal; AUROC, average precision and F1 need anomalous ones too"
        in found.err
    )
    assert narrows(*asked, "--force", "--json").json()[0]["AUROC"] is None


def test_the_refusal_of_normal_names_what_is_next_to_the_classes(refused, trained, tmp_path):
    digits(tmp_path / "in", "good/0.png", "bad/1.png", "preview.png")
    said = refused(
        2, "score", trained["pca"], tmp_path / "in", "-o", tmp_path / "s.csv", "--normal", "good"
    )
    assert "so there are no labels: 1 (preview.png)" in said


def test_classes_of_a_list_are_those_of_the_scores(narrows, trained, tmp_path):
    digits(tmp_path / "in", "0.png", "1.png", "2.png")
    (tmp_path / "list.csv").write_text("id,class\n0,good\n1,bad\n2,good\n")
    found = narrows(
        *("score", trained["pca"], tmp_path / "in", "-o", tmp_path / "s.csv", "--normal", "good"),
        *("--labels", tmp_path / "list.csv", "--json"),
    )
    assert found.code == 0
    assert [row["class"] for row in rows_of(tmp_path / "s.csv")] == ["good", "bad", "good"]


# -- names of outputs ------------------------------------------------------------------------------


@pytest.fixture
def flat(tmp_path):
    return digits(tmp_path / "flat", "0.png", "1.png")


@pytest.mark.parametrize("name", ["cleaned_0.1/", "cleaned.png/", "cleaned_0.1"])
def test_many_pictures_go_to_a_folder_whose_name_has_a_dot(narrows, trained, flat, tmp_path, name):
    found = narrows("reconstruct", trained["pca"], flat, "-o", f"{tmp_path}/{name}")
    assert found.code == 0, found.err
    assert files_in(tmp_path / name) == ["0.png", "1.png"]


def test_an_existing_folder_is_written_into(narrows, refused, trained, flat, tmp_path):
    (tmp_path / "out.v2").mkdir()
    (tmp_path / "out.v2" / "mine.txt").write_text("mine")
    asked = ("reconstruct", trained["pca"], flat, "-o", tmp_path / "out.v2")
    assert "exists already" in refused(1, *asked)
    assert narrows(*asked, "--force").code == 0
    assert files_in(tmp_path / "out.v2") == ["0.png", "1.png", "mine.txt"]


def test_samples_codes_and_steps_go_to_a_folder_whose_name_has_a_dot(
    narrows, trained, flat, tmp_path
):
    pca, a, b = trained["pca"], flat / "0.png", flat / "1.png"
    assert narrows("encode", pca, flat, "-o", tmp_path / "x.npz").code == 0
    for verb, *rest in (
        ("sample", pca, "-n", 2),
        ("decode", pca, tmp_path / "x.npz"),
        ("interpolate", pca, a, b),
    ):
        found = narrows(verb, *rest, "-o", f"{tmp_path}/{verb}_0.5/")
        assert (found.code, found.out.strip()) == (0, f"{tmp_path}/{verb}_0.5")
        assert len(files_in(tmp_path / f"{verb}_0.5")) == (9 if verb == "interpolate" else 2)


@pytest.mark.parametrize(
    ("verb", "output"),
    [
        ("reconstruct", "x.doc"),
        ("denoise", "x.pngg"),
        ("encode", "x.doc"),
        ("encode", "x/"),
        ("score", "x/"),
        ("score", "x.png"),
        ("score", "x"),
    ],
)
def test_a_wrong_ending_is_refused_before_the_work(
    refused, trained, flat, tmp_path, monkeypatch, verb, output
):
    from narrows.model.files import store

    monkeypatch.setattr(store, "load", None)
    assert output.rstrip("/") in refused(
        1, verb, trained["pca"], flat, "-o", f"{tmp_path}/{output}"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flat"]


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("train", "pca", "--data", "digits", "-o"), "run.safetensors"),
        (("compare", "pca", "ae-mlp", "--data", "digits", "-o"), "run.html"),
        (("lab", "a", "-o"), "a.png"),
        (("bench", "speed", "C", "-o"), "speed.csv"),
        (("score", "RUN", "FLAT", "-o", "s.csv", "--maps"), "maps.png"),
        (("score", "RUN", "FLAT", "-o", "s.csv", "--skipped"), "skipped.png"),
    ],
)
def test_the_name_of_another_kind_of_file_is_refused_before_the_work(
    refused, trained, flat, tmp_path, monkeypatch, words, output
):
    monkeypatch.chdir(tmp_path)
    places = {"RUN": trained["pca"], "FLAT": flat}
    assert output in refused(1, *(places.get(word, word) for word in words), output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flat"]


def test_shares_of_a_folder_whose_name_has_a_dot_are_joined(narrows, trained, flat, tmp_path):
    for share in ("1/2", "2/2"):
        found = narrows(
            "reconstruct", trained["pca"], flat, "-o", f"{tmp_path}/out_0.1/", "--shard", share
        )
        assert found.code == 0, found.err
    assert (tmp_path / "out_0.1-2-of-2").is_dir()
    assert narrows("merge", f"{tmp_path}/out_0.1/", "--remove").code == 0
    assert files_in(tmp_path / "out_0.1") == ["0.png", "1.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flat", "out_0.1"]


# -- names of files --------------------------------------------------------------------------------


def test_names_that_are_not_utf_8_go_through_every_verb(narrows, trained, tmp_path):
    name, shown = os.fsdecode(b"caf\xe9.png"), r"caf\udce9.png"
    digits(tmp_path / "in", name, "1.png")
    (tmp_path / "in" / os.fsdecode(b"br\xf6.png")).write_bytes(b"none")
    pca, out, skipped = trained["pca"], tmp_path / "out", tmp_path / "k.csv"
    for verb, output in (
        ("score", "s.csv"), ("encode", "x.npz"), ("reconstruct", "r"), ("denoise", "d"),
    ):  # fmt: skip
        found = narrows(
            verb, pca, tmp_path / "in", "-o", out / output, "--skipped", skipped, "--force"
        )
        assert found.code == 0, found.err
        assert [row["file"] for row in rows_of(skipped)] == [r"br\udcf6.png"]
    assert [row["file"] for row in rows_of(out / "s.csv")] == ["1.png", shown]
    assert sorted(map(os.fsencode, os.listdir(out / "r"))) == [b"1.png", b"caf\xe9.png"]
    assert narrows("decode", pca, out / "x.npz", "-o", out / "back").code == 0
    assert sorted(map(os.fsencode, os.listdir(out / "back"))) == [b"1.png", b"caf\xe9.png"]
    assert narrows("pack", tmp_path / "in", "-o", out / "p.tar").code == 0
    for share in ("1/2", "2/2"):
        asked = ("score", pca, tmp_path / "in", "-o", out / "t.csv", "--shard", share)
        assert narrows(*asked).code == 0
    assert narrows("merge", out / "t.csv").code == 0
    assert (out / "t.csv").read_text() == (out / "s.csv").read_text()


def test_a_class_that_is_not_utf_8_is_trained_on_and_on_the_page(narrows, trained, tmp_path):
    kind = os.fsdecode(b"caf\xe9")
    digits(tmp_path / "in", *(f"{name}/{k}.png" for name in (kind, "tee") for k in range(8)))
    found = narrows(
        "train", "pca", "--data", tmp_path / "in", "-o", tmp_path / "run", "--set", "n_components=4"
    )
    assert found.code == 0, found.err
    assert (tmp_path / "run" / "report.html").is_file()
    scored = narrows(
        "score", trained["pca"], tmp_path / "in", "-o", tmp_path / "s.csv", "--normal", kind
    )
    assert scored.code == 0
    assert rows_of(tmp_path / "s.csv")[0]["class"] == r"caf\udce9"


def test_names_at_the_limit_of_the_file_system_are_written(narrows, trained, tmp_path):
    names = ["w" * 251 + ".png", "写真" * 40 + ".png", "1.png"]
    digits(tmp_path / "in", *names)
    assert narrows("reconstruct", trained["pca"], tmp_path / "in", "-o", tmp_path / "r").code == 0
    assert files_in(tmp_path / "r") == sorted(names)
    asked = (
        "score",
        trained["pca"],
        tmp_path / "in",
        "-o",
        tmp_path / "s.csv",
        "--maps",
        tmp_path / "m",
    )
    assert narrows(*asked).code == 0
    assert len(files_in(tmp_path / "m")) == 4


# -- masks -----------------------------------------------------------------------------------------


@pytest.fixture
def mvtec(tmp_path):
    """Digits, and digits with a white square where the mask says so; its masks are in three forms."""
    names = [f"train/good/{k}.png" for k in range(30)] + [f"test/good/{k}.png" for k in range(4)]
    root = digits(tmp_path / "mvtec", *names, *(f"test/bad/{k}.png" for k in range(3)))
    forms = ("ground_truth/bad/0.png", "ground_truth/bad/1_mask.png", "ground_truth/bad/2/a.png")
    for k, form in enumerate(forms):
        mask = np.zeros((8, 8), np.uint8)
        mask[:2, k : k + 3] = 255
        (root / form).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(root / form)
        broken = np.where(mask, 255 - DIGITS[40 + k], DIGITS[40 + k])
        Image.fromarray(broken).save(root / f"test/bad/{k}.png")
    return root


def test_masks_measure_the_pixels_of_error_maps(narrows, trained, mvtec, tmp_path):
    asked = ("score", trained["pca"], mvtec, "--normal", "good", "--json", "-o")
    found = narrows(*asked, tmp_path / "s.csv", "--maps", tmp_path / "maps")
    assert len(files_in(tmp_path / "maps")) - 1 == len(rows_of(tmp_path / "s.csv")) == 7
    measures = found.json()[0]
    assert measures == narrows(*asked, tmp_path / "t.csv").json()[0]
    model = nw.load(trained["pca"])
    images, masks = [], []
    for path in sorted((mvtec / "test").rglob("*.png")):
        images.append(np.asarray(Image.open(path)))
        masks.append(np.zeros((8, 8), bool))
        if path.parent.name == "bad":
            masks[-1][:2, int(path.stem) : int(path.stem) + 3] = True
    maps = model.error_map(np.stack(images))
    assert measures["AUROC of pixels"] == pytest.approx(nw.measure.pixel_auroc(maps, masks))
    assert measures["AUPRO"] == pytest.approx(nw.measure.aupro(maps, masks))
    evaluated = narrows("evaluate", trained["pca"], "--data", mvtec, "--normal", "good", "--json")
    for name in ("AUROC", "AUROC of pixels", "AUPRO"):
        assert evaluated.json()[0][name] == pytest.approx(measures[name])


def test_images_without_a_mask_are_named_and_masks_of_another_size_too(
    narrows, trained, mvtec, tmp_path
):
    (mvtec / "ground_truth/bad/0.png").unlink()
    Image.new("L", (9, 9), 255).save(mvtec / "ground_truth/bad/1_mask.png")
    found = narrows("score", trained["pca"], mvtec, "--normal", "good", "-o", tmp_path / "s.csv")
    assert found.code == 0
    assert "so their pixels are not measured: 1 (test/bad/0.png)" in found.err
    assert "the mask of test/bad/1.png has another size" in found.err
    assert "AUPRO" in found.out


def test_masks_are_brought_to_the_size_of_the_images(narrows, trained, mvtec, tmp_path):
    for path in mvtec.rglob("*.png"):
        Image.open(path).resize((24, 24), Image.Resampling.NEAREST).save(path)
    asked = ("score", trained["pca"], mvtec, "--normal", "good", "--json", "--size", "8", "-o")
    assert set(narrows(*asked, tmp_path / "s.csv").json()[0]) >= {"AUROC of pixels", "AUPRO"}


def test_pages_of_a_stack_have_no_masks_which_is_said(narrows, trained, mvtec, tmp_path):
    pages = [Image.fromarray(image) for image in DIGITS[40:42]]
    (mvtec / "test/bad/0.png").unlink()
    pages[0].save(mvtec / "test/bad/0.tif", save_all=True, append_images=pages[1:])
    asked = ("score", trained["pca"], mvtec, "-o", tmp_path / "s.csv", "--normal", "good")
    assert "2 pages of stacks have no mask each" in narrows(*asked).err
