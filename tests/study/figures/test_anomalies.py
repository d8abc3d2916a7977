"""The figures of anomaly scores: a histogram with the threshold, the highest, and the nearest to it."""

from dataclasses import replace

import numpy as np
import pytest

import narrows as nw
from narrows.data import ImageSet
from narrows.errors import BuildError
from narrows.measure import auroc
from narrows.model.estimator.base import ImageModel
from narrows.study.data_split import DataSplit
from narrows.study.figures import STUDY_FIGURES
from narrows.study.figures.anomalies import pictures_of
from narrows.study.scored import ScoredImages
from narrows.study.shown_maps import SIDE, shown_maps
from narrows.study.trained import Trained

X, Y = nw.load_data("digits")
THREES, OTHERS = X[Y == 3], X[Y != 3]
MODELS = {
    "detector": nw.AnomalyDetector(),
    "pca": nw.PCA(4),
    "ae": nw.Autoencoder(
        {"kind": "mlp", "widths": [16]}, {"kind": "plain", "size": 3}, epochs=1, calibration=0.2
    ),
    "seen": nw.Autoencoder(
        {"kind": "mlp", "widths": [16]}, {"kind": "plain", "size": 3}, epochs=1, calibration=0
    ),
}


@pytest.fixture(scope="module", params=MODELS)
def run(request) -> Trained:
    """Trained on 100 threes, tested with 40 others and 60 digits that are no threes."""
    train = ImageSet(THREES[:100], np.zeros(100, int), classes=("3", "other"))
    images, labels = np.concatenate([THREES[100:140], OTHERS[:60]]), np.repeat([0, 1], [40, 60])
    names = tuple(f"{place}.png" for place in range(100))
    split = DataSplit(train, ImageSet(images, labels, names, ("3", "other")))
    return Trained(request.param, MODELS[request.param].fit(train.images), split, complete=True)


def figures_of(run: Trained, **options) -> dict:
    figures = STUDY_FIGURES["anomalies"]([run], **options)
    return {figure.name.removeprefix(f"{run.name}-"): figure for figure in figures}


def captions(figure) -> list[list[str]]:
    return [text.split("\n") for text in figure.options["captions"]["error"]]


def names_in(figure) -> list[str]:
    return [line for lines in captions(figure) for line in lines if line.endswith(".png")]


@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")
def test_histogram_holds_normal_and_test_images_and_the_threshold(run):
    figure = figures_of(run)["scores"]
    edges, *groups = figure.arrays.values()
    normal, tested, anomalous = (counts.sum() for counts in groups)
    calibration = run.model.calibration_
    assert (normal, tested, anomalous) == (calibration.count, 40, 60)
    assert list(figure.options["marks"].values()) == [run.model.threshold_]
    assert edges[0] <= run.model.threshold_ <= edges[-1]
    scores = run.model.anomaly_score(run.split.test.images)
    assert f"AUROC {auroc(scores, run.split.test.labels == 1):.4f}" in figure.title
    assert f"{(scores > run.model.threshold_).sum()} of 100" in figure.title


def test_the_highest_scores_are_the_highest_and_have_percentiles(run):
    figure = figures_of(run, count=5)["highest"]
    scores = run.model.anomaly_score(run.split.test.images)
    assert names_in(figure) == [f"{place}.png" for place in np.argsort(-scores)[:5]]
    is_unseen = run.model.calibration_.is_unseen
    assert is_unseen == all("percentile" in lines[1] for lines in captions(figure))
    image, error = figure.arrays["image"], figure.arrays["error"]
    assert image.shape == error.shape == (5, 8, 8, 3)
    assert not np.array_equal(image, error)
    top = run.split.test.images[np.argmax(scores)]
    np.testing.assert_array_equal(image[0], np.repeat(top[..., None], 3, axis=2))


def test_the_nearest_scores_surround_the_threshold(run):
    figure = figures_of(run, count=4)["nearest"]
    scores, threshold = run.model.anomaly_score(run.split.test.images), run.model.threshold_
    shown = scores[[int(name.removesuffix(".png")) for name in names_in(figure)]]
    assert (np.diff(shown) >= 0).all()
    others = np.setdiff1d(scores, shown)
    assert not ((others > shown[0]) & (others < shown[-1])).any()
    flagged = ["flagged" in lines[0] for lines in captions(figure)]
    assert flagged == (shown > threshold).tolist()


def test_maps_of_both_figures_have_one_scale(run):
    figures = figures_of(run)
    assert figures["highest"].options["errors"] == figures["nearest"].options["errors"]


def test_the_same_figures_twice(run):
    for first, second in zip(figures_of(run).values(), figures_of(run).values()):
        assert (first.title, first.options) == (second.title, second.options)
        for name, array in first.arrays.items():
            np.testing.assert_array_equal(array, second.arrays[name])


def test_at_most_as_many_images_are_scored_as_the_limit_says(run):
    figure = figures_of(run, limit=30)["scores"]
    assert sum(counts.sum() for counts in [*figure.arrays.values()][2:]) == 30
    assert "of the 100 test images" in figure.title


def test_a_model_without_a_threshold_has_no_anomaly_scores(models):
    run = models["grey-pca"]
    model = nw.PCA(4).fit(run.split.train.images)
    model.threshold_, model.thresholds_, model.calibration_ = None, {}, None
    assert figures_of(Trained("old", model, run.split)) == {}


def test_classes_that_were_all_trained_on_are_one_group(models):
    assert len(figures_of(models["grey-pca"])["scores"].arrays) == 3


def test_a_table_has_no_images_to_show(models):
    assert set(figures_of(models["table-pca"])) == {"scores"}


def test_options_of_anomalies_that_mean_nothing_are_refused(models):
    with pytest.raises(BuildError, match="needs a variational"):
        figures_of(models["grey-pca"], score="bound")
    for options in ({"count": 0}, {"limit": 0}):
        with pytest.raises(BuildError, match="1 or more"):
            figures_of(models["grey-pca"], **options)


# -- which are shown, of any scores ----------------------------------------------------------------


def scored(scores, threshold: float) -> ScoredImages:
    model: ImageModel = MODELS["pca"]
    values = np.array(scores, np.float32)
    return ScoredImages("images", model, "error", values, threshold, None, range(len(values)))


@pytest.mark.parametrize("count", [1, 2, 8, 100])
@pytest.mark.parametrize(
    ("scores", "threshold"),
    [
        (np.random.default_rng(0).normal(size=50), 1.0),
        (np.random.default_rng(0).normal(size=50), 9.0),
        (np.random.default_rng(0).normal(size=50), -9.0),
        (np.zeros(50), 0.0),
        ([np.nan, np.inf, 1.0, 2.0], 1.5),
    ],
)
def test_nearest_are_of_both_sides_if_there_are_enough(scores, threshold, count):
    images = scored(scores, threshold)
    highest, nearest = images.highest(count), images.nearest(count)
    assert len(highest) == len(nearest) == min(count, len(scores))
    assert len(set(nearest)) == len(nearest)
    values = np.nan_to_num(np.asarray(scores, float), nan=np.inf)
    assert values[highest].tolist() == sorted(values)[::-1][:count]
    above = int(images.flagged[nearest].sum())
    both = (int(images.flagged.sum()), int((~images.flagged).sum()))
    if min(both) >= count:
        assert above == count - count // 2


@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")
def test_scores_that_are_all_the_same_are_drawn():
    images = np.full((30, 8, 8), 100, np.uint8)
    images[:, :4] = 30
    model = nw.PCA(1).fit(np.concatenate([images, images // 2]))
    run = Trained("flat", model, DataSplit(ImageSet(images), ImageSet(images)))
    from narrows import draw

    for figure in figures_of(run).values():
        assert draw.as_png(draw.figure(figure.kind, figure.arrays, **figure.options))


def test_large_pictures_are_reduced_and_a_small_defect_stays():
    greys = np.arange(60, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
    model = nw.PCA(1).fit(greys)
    picture = np.zeros((8, 4 * SIDE), np.uint8)
    dotted = picture.copy()
    dotted[3, 700] = 255
    plain, spot = shown_maps(model, pictures_of(model, np.stack([picture, dotted]))([0, 1]))
    assert plain.colours.shape == (2, SIDE, 3)
    assert spot.error.max() > 0.8 > 0.1 > plain.error.max()
    assert spot.colours[0, 700 // 4] == pytest.approx(1 / 16)


def test_a_score_is_described_with_its_class_unless_its_name_says_it(run):
    image_set = replace(run.split.test, names=None)
    figure = figures_of(replace(run, split=replace(run.split, test=image_set)))["highest"]
    for lines in captions(figure):
        assert lines[-1] in ("class 3", "class other")
        assert lines[-2].startswith("test image ")
