"""Verbs that turn images into numbers, and back: encode, decode, score, interpolate."""

import csv

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.measure import auroc
from narrows.model.files import store


@pytest.fixture(scope="session")
def digits():
    return nw.load_data("digits", split="test")


@pytest.fixture
def folder(tmp_path, digits):
    """Zeros and ones in sub-folders, a broken file, and one picture that is smaller than the model's."""
    X, y = digits
    for digit in (0, 1):
        for k, image in enumerate(X[y == digit][:6]):
            path = tmp_path / "in" / str(digit) / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    (tmp_path / "in" / "1" / "broken.png").write_bytes(b"none")
    Image.new("L", (5, 5)).save(tmp_path / "in" / "1" / "small.png")
    return tmp_path / "in"


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_codes_of_a_set_are_the_models(narrows, trained, tmp_path, digits):
    model = store.load(trained["pca"])
    for ending in ("npz", "npy"):
        assert narrows("encode", trained["pca"], "digits", "-o", tmp_path / f"x.{ending}").code == 0
    with np.load(tmp_path / "x.npz") as found:
        np.testing.assert_array_equal(found["codes"], model.transform(digits[0]))
        np.testing.assert_array_equal(found["labels"], digits[1])
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), model.transform(digits[0]))


def test_encode_and_decode_keep_the_names(narrows, trained, folder, tmp_path):
    (folder / "1" / "small.png").unlink()
    assert narrows("encode", trained["pca"], folder, "-o", tmp_path / "x.npz").code == 0
    assert narrows("decode", trained["pca"], tmp_path / "x.npz", "-o", tmp_path / "out").code == 0
    assert narrows("reconstruct", trained["pca"], folder, "-o", tmp_path / "rec").code == 0
    made = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.png"))
    assert len(made) == 12
    for name in made:
        np.testing.assert_array_equal(
            np.asarray(Image.open(tmp_path / "out" / name)),
            np.asarray(Image.open(tmp_path / "rec" / name)),
        )


def test_names_of_codes_cannot_lead_out_of_the_folder(refused, trained, tmp_path):
    np.savez(
        tmp_path / "x.npz", codes=np.zeros((1, 8), np.float32), names=np.array(["../evil.png"])
    )
    said = refused(1, "decode", trained["pca"], tmp_path / "x.npz", "-o", tmp_path / "out")
    assert "leads out of the folder" in said
    assert not (tmp_path / "evil.png").exists()


def test_a_folder_gives_a_row_a_readable_picture(narrows, trained, folder, tmp_path, digits):
    found = narrows(
        "score",
        trained["pca"],
        folder,
        "-o",
        tmp_path / "s.csv",
        "--skipped",
        tmp_path / "k.csv",
        "--normal",
        "0",
    )
    assert found.code == 0
    rows = rows_of(tmp_path / "s.csv")
    assert [row["file"] for row in rows] == [f"{c}/{k}.png" for c in "01" for k in range(6)]
    model, (X, y) = store.load(trained["pca"]), digits
    scores = model.anomaly_score(np.concatenate([X[y == 0][:6], X[y == 1][:6]]))
    np.testing.assert_allclose([float(row["score"]) for row in rows], scores, rtol=1e-6)
    assert [row["flagged"] for row in rows] == [str(int(s > model.threshold_)) for s in scores]
    assert [row["file"] for row in rows_of(tmp_path / "k.csv")] == ["1/broken.png", "1/small.png"]
    assert (
        "the picture has 5 x 5 pixels, the model needs 8 x 8"
        in rows_of(tmp_path / "k.csv")[1]["reason"]
    )
    assert f"{auroc(scores, [0] * 6 + [1] * 6):.4g}" in found.out
    for words in (
        "above the threshold",
        "median score",
        "95 % interval",
        "threshold of the best F1",
    ):
        assert words in found.out
    assert "only 6 images are" in found.err


def test_classes_are_counted_without_normal_too(narrows, trained, folder, tmp_path):
    asked = ("score", trained["pca"], folder, "-o", tmp_path / "s.csv")
    found = narrows(*asked)
    assert found.out == f"{tmp_path / 's.csv'}\n"
    assert "median score" in found.err
    (measures,) = narrows(*asked, "--force", "--json").json()
    assert [(row["class"], row["images"]) for row in measures["classes"]] == [("0", 6), ("1", 6)]


def test_a_larger_picture_is_scored_by_its_tiles(narrows, trained, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 20), dtype=np.uint8)).save(
        tmp_path / "a.png"
    )
    assert narrows("score", trained["pca"], tmp_path / "a.png", "-o", tmp_path / "s.csv").code == 0
    (row,) = rows_of(tmp_path / "s.csv")
    assert (row["file"], row["flagged"], "class" in row) == ("a.png", "1", False)


@pytest.mark.parametrize("kind", ["error", "patch", "code"])
def test_a_kind_of_score_has_its_own_threshold(narrows, trained, tmp_path, digits, kind):
    assert (
        narrows("score", trained["pca"], "digits", "-o", tmp_path / "s.csv", "--kind", kind).code
        == 0
    )
    model = store.load(trained["pca"])
    flagged = [row["flagged"] == "1" for row in rows_of(tmp_path / "s.csv")]
    assert flagged == model.flag(digits[0], kind).tolist()


def test_a_named_set_is_scored_with_its_classes(narrows, trained, tmp_path):
    found = narrows(
        "score", trained["pca"], "digits", "-o", tmp_path / "s.csv", "--normal", "0", "1", "--json"
    )
    assert found.code == 0
    (measures,) = found.json()
    assert measures["AUROC interval"][0] < measures["AUROC"] < measures["AUROC interval"][1]
    assert {"average precision", "best F1", "threshold of the best F1"} < set(measures)
    flagged = sum(row["flagged"] == "1" for row in rows_of(tmp_path / "s.csv"))
    classes = {row["class"]: row for row in measures["classes"]}
    assert measures["above the threshold"] == flagged
    assert list(classes)[:4] == ["0", "1", "all normal", "2"]
    ends = [classes[f"all {kind}"]["above the threshold"] for kind in ("normal", "anomalous")]
    assert sum(ends) == flagged
    assert rows_of(tmp_path / "s.csv")[0]["file"] == "0"


@pytest.mark.parametrize(
    ("normal", "said"),
    [("cat", "there is no class called 'cat'; known: 0, 1"), ("2", "called '2'")],
)
def test_a_class_that_is_not_there_is_refused(refused, trained, folder, tmp_path, normal, said):
    assert said in refused(
        2, "score", trained["pca"], folder, "-o", tmp_path / "s.csv", "--normal", normal
    )
    assert not (tmp_path / "s.csv").exists()


def test_what_cannot_be_scored_is_reported_and_leaves_nothing(refused, trained, folder, tmp_path):
    asked = ["score", trained["pca"], folder, "-o", tmp_path / "s.csv"]
    assert "did you mean 'patch'" in refused(2, *asked, "--kind", "pach")
    message = refused(2, *asked, "--kind", "bound")
    assert "the anomaly score 'bound' needs a variational model" in message
    assert "fit it again" not in message
    asked[2] = folder / "1" / "small.png"
    assert "none of the images" in refused(1, *asked)
    assert not (tmp_path / "s.csv").exists()


def test_a_walk_from_one_image_to_another(narrows, trained, folder, tmp_path):
    a, b = folder / "0" / "0.png", folder / "1" / "0.png"
    for out in ("x.npy", "x.png"):
        assert (
            narrows("interpolate", trained["pca"], a, b, "--steps", "5", "-o", tmp_path / out).code
            == 0
        )
    ends = [np.asarray(Image.open(path)) for path in (a, b)]
    walk = nw.interpolate(store.load(trained["pca"]), *ends, steps=5)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), walk)
    assert Image.open(tmp_path / "x.png").size == (5 * 9 - 1, 8)


def test_pictures_of_all_sizes_go_through_one_by_one(narrows, trained, tmp_path):
    random = np.random.default_rng(0)
    for name, size, mode in (
        ("a.png", (8, 8), "L"),
        ("b/c.jpg", (40, 30), "RGB"),
        ("b/d.tif", (9, 17), "RGBA"),
    ):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (*size, len(mode)), dtype=np.uint8).squeeze()).save(
            path
        )
    assert (
        narrows("denoise", trained["denoiser"], tmp_path / "in", "-o", tmp_path / "out").code == 0
    )
    for path in (tmp_path / "in").rglob("*.*"):
        before, after = (
            Image.open(path),
            Image.open(tmp_path / "out" / path.relative_to(tmp_path / "in")),
        )
        assert (before.size, before.mode, before.format) == (after.size, after.mode, after.format)


def test_pictures_are_brought_to_a_size_where_one_is_asked_for(narrows, trained, folder, tmp_path):
    assert (
        narrows("encode", trained["pca"], folder, "-o", tmp_path / "x.npz", "--size", "8", "8").code
        == 0
    )
    with np.load(tmp_path / "x.npz") as found:
        assert len(found["codes"]) == 13
    said = narrows("encode", trained["pca"], folder, "-o", tmp_path / "y.npz")
    assert said.code == 1
    assert "--size 8 8" in said.err


def test_strict_stops_at_the_first_broken_file(refused, trained, folder, tmp_path):
    for verb, out in (("denoise", "out"), ("encode", "x.npz"), ("score", "s.csv")):
        assert "broken.png cannot be read" in refused(
            1, verb, trained["pca"], folder, "-o", tmp_path / out, "--strict"
        )
    assert not (tmp_path / "x.npz").exists()
    assert not (tmp_path / "s.csv").exists()


def test_a_model_is_trained_on_pictures_of_several_sizes(narrows, tmp_path):
    random = np.random.default_rng(0)
    for k in range(30):
        size = (9 + k % 3, 12, 3)
        path = tmp_path / "in" / f"{k}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, size, dtype=np.uint8)).save(path)
    asked = [
        "train",
        "pca",
        "--data",
        tmp_path / "in",
        "-o",
        tmp_path / "run",
        "--set",
        "n_components=4",
    ]
    assert "--size" in narrows(*asked).err
    assert narrows(*asked, "--size", "8", "--grey", "--fit", "stretch").code == 0
    assert store.load(tmp_path / "run").image_shape_ == (8, 8)
    assert (
        narrows(
            "evaluate", tmp_path / "run", "--data", tmp_path / "in", "--size", "8", "--grey"
        ).code
        == 0
    )


# -- thresholds and percentiles --------------------------------------------------------------------


@pytest.fixture
def good(tmp_path, digits):
    """25 normal pictures, one of them broken."""
    (tmp_path / "good").mkdir()
    for k, image in enumerate(digits[0][100:124]):
        Image.fromarray(image).save(tmp_path / "good" / f"{k}.png")
    (tmp_path / "good" / "broken.png").write_bytes(b"none")
    return tmp_path / "good"


def test_scores_have_a_percentile_among_normal_images(narrows, trained, tmp_path, digits):
    model = store.load(trained["pca"])
    found = narrows("score", trained["pca"], "digits", "-o", tmp_path / "s.csv")
    said = (
        "the threshold is for 0.01 false alarms, from the scores of 1,437 training images, each by"
    )
    assert said in found.err
    percentiles = [float(row["percentile"]) for row in rows_of(tmp_path / "s.csv")]
    np.testing.assert_allclose(percentiles, model.anomaly_percentile(digits[0]), atol=6e-4)


def test_another_share_of_false_alarms_flags_more(narrows, trained, tmp_path, digits):
    model, path = store.load(trained["pca"]), tmp_path / "s.csv"
    asked = [
        "score",
        trained["pca"],
        "digits",
        "-o",
        path,
        "--kind",
        "error",
        "--false-alarms",
        0.1,
    ]
    assert narrows(*asked).code == 0
    flagged = [row["flagged"] == "1" for row in rows_of(path)]
    assert flagged == model.flag(digits[0], "error", false_alarms=0.1).tolist()


def test_normal_images_that_are_given_calibrate(narrows, trained, good, tmp_path, digits):
    model, path = store.load(trained["pca"]), tmp_path / "s.csv"
    share = ["--false-alarms", 0.05]
    found = narrows(
        "score",
        trained["pca"],
        "digits",
        "-o",
        path,
        "--calibrate",
        good,
        *share,
        "--kind",
        "error",
    )
    assert "for 0.05 false alarms, from the scores of 24 normal images that were given" in found.err
    assert "skipped broken.png" in found.err
    model.calibrate(digits[0][100:124], 0.05)
    flagged = [row["flagged"] == "1" for row in rows_of(path)]
    assert flagged == model.flag(digits[0], "error").tolist()
    percentiles = [float(row["percentile"]) for row in rows_of(path)]
    np.testing.assert_allclose(percentiles, model.anomaly_percentile(digits[0], "error"), atol=6e-4)


def test_normal_images_that_are_too_few_are_reported(narrows, trained, good, tmp_path):
    found = narrows(
        "score", trained["pca"], "digits", "-o", tmp_path / "s.csv", "--calibrate", good
    )
    assert found.code == 0
    assert (
        "note: 24 images are too few for a share of 0.01 false alarms, which takes 99" in found.err
    )


def test_large_pictures_are_calibrated_by_large_pictures(narrows, trained, tmp_path, digits):
    """The worst of many tiles is worse than one: a threshold for tiles flags nearly all pictures."""
    X = digits[0][: 6 * 20].reshape(20, 2, 3, 8, 8).transpose(0, 1, 3, 2, 4).reshape(20, 16, 24)
    np.save(tmp_path / "large.npy", X)
    asked = ["score", trained["pca"], tmp_path / "large.npy", "--false-alarms", 0.2]
    flagged = []
    for name, more in (("a.csv", []), ("b.csv", ["--calibrate", tmp_path / "large.npy"])):
        assert narrows(*asked, "-o", tmp_path / name, *more).code == 0
        flagged.append(sum(row["flagged"] == "1" for row in rows_of(tmp_path / name)))
    assert flagged[0] > 12
    assert flagged[1] <= 4


def test_a_model_that_is_not_calibrated_gives_no_percentiles_and_says_so(
    narrows, trained, tmp_path
):
    assert narrows("score", trained["denoiser"], "digits", "-o", tmp_path / "s.csv").code == 0
    found = narrows("score", trained["denoiser"], "digits", "-o", tmp_path / "t.csv")
    assert "training images themselves" in found.err
    assert "--calibrate FOLDER" in found.err
    assert {row["percentile"] for row in rows_of(tmp_path / "s.csv")} == {""}


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_a_share_of_false_alarms_that_is_none_is_refused(refused, trained, tmp_path, share):
    asked = ["score", trained["pca"], "digits", "-o", tmp_path / "s.csv", "--false-alarms", share]
    assert "false_alarms: got" in refused(2, *asked)
    assert not (tmp_path / "s.csv").exists()
