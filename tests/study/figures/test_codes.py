"""The space of codes: points are the codes, or places along axes that keep what they should keep."""

from copy import copy

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA as Components

from narrows.data import ImageSet
from narrows.errors import Faults
from narrows.measure import spread
from narrows.study import code_sample
from narrows.study.data_split import DataSplit
from narrows.study.drawings import draw_all
from narrows.study.figures import STUDY_FIGURES
from narrows.study.figures.codes import LAYOUTS, METHODS
from narrows.study.record import Figure, Record
from narrows.study.schema import Drawing
from narrows.study.trained import Trained


def distances(x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x[:, None] - x[None], axis=-1)


# -- codes -----------------------------------------------------------------------------------------


def test_a_code_of_two_is_shown_as_it_is(models, sets, picture):
    (figure,) = picture("codes", "grey-2", on="train")
    np.testing.assert_array_equal(
        figure.arrays["x"], models["grey-2"].model.transform(sets["grey"].train.images)
    )
    np.testing.assert_array_equal(figure.arrays["labels"], sets["grey"].train.labels)
    np.testing.assert_array_equal(figure.arrays["images"], sets["grey"].train.images)
    assert figure.options["classes"] == list("0123456789")
    assert (figure.options["xlabel"], figure.options["ylabel"], figure.options["equal"]) == (
        "z₁",
        "z₂",
        True,
    )


def test_components_keep_all_distances_where_all_are_kept():
    codes = np.random.default_rng(0).normal(size=(30, 3)) @ np.diag([1, 5, 2]) + [7, 0, -3]
    points, axes, _ = LAYOUTS["components"](codes, 3)
    np.testing.assert_allclose(distances(points), distances(codes), atol=1e-9)
    assert np.all(np.diff(points.var(0)) < 0)
    assert sum(float(axis.split("(")[1].split()[0]) for axis in axes) == pytest.approx(100, abs=1.5)


def test_a_larger_code_is_shown_along_its_two_principal_components(models, sets, picture):
    (figure,) = picture("codes", "grey-3")
    points = figure.arrays["x"]
    components = Components(2).fit(models["grey-3"].model.transform(sets["grey"].test.images))
    np.testing.assert_allclose(points.var(0, ddof=1), components.explained_variance_, rtol=1e-4)
    share = 100 * components.explained_variance_ratio_
    assert [figure.options[axis] for axis in ("xlabel", "ylabel")] == [
        f"component {k + 1} ({share[k]:.0f} % of the variance)" for k in range(2)
    ]
    assert "equal" not in figure.options


def test_units_are_those_that_vary_most(models, sets, picture):
    (figure,) = picture("codes", "grey-relu", method="units", dimensions=3)
    codes = models["grey-relu"].model.transform(sets["grey"].test.images)
    chosen = sorted(np.argsort(codes.var(0))[-3:])
    np.testing.assert_array_equal(figure.arrays["x"], codes[:, chosen])
    assert [figure.options[axis] for axis in ("xlabel", "ylabel", "zlabel")] == [
        f"z{'₁₂₃₄₅₆₇₈₉'[k]}" for k in chosen
    ]
    assert "3 units that vary most" in figure.title


def test_codes_in_space_need_three_units(picture):
    assert picture("codes", "grey-3", dimensions=3)[0].title == "the codes themselves"
    assert picture("codes", "grey-2", dimensions=3) == []
    assert picture("codes", "grey-1") == []


def test_tsne_shows_as_many_as_asked_for_with_their_labels_and_images(sets, picture):
    (figure,) = picture("codes", "grey-2", method="tsne", limit=20)
    assert figure.arrays["x"].shape == (20, 2)
    assert "t-SNE of 20 codes" in figure.title
    test = sets["grey"].test
    places = [
        np.flatnonzero((test.images == image).all((1, 2)))[0] for image in figure.arrays["images"]
    ]
    assert len(set(places)) == 20
    np.testing.assert_array_equal(figure.arrays["labels"], test.labels[places])


@pytest.fixture
def few(models, sets):
    """A function: a run with this many test images, without labels."""

    def run(count: int) -> Trained:
        images = ImageSet(sets["grey"].test.images[:count])
        return Trained("few", models["grey-3"].model, DataSplit(images, images))

    return run


@pytest.mark.parametrize("method", ["tsne", "quick-tsne"])
def test_tsne_of_fewer_than_four_images_is_left_out_with_a_reason(few, method):
    (omitted,) = STUDY_FIGURES["codes"]([few(3)], method=method)
    assert omitted.run == "few"
    assert "t-SNE needs 4 images at least, and there are 3" in omitted.reason
    assert isinstance(next(STUDY_FIGURES["codes"]([few(4)], method=method)), Figure)


def test_few_codes_without_labels_are_shown_by_components(few):
    (figure,) = STUDY_FIGURES["codes"]([few(3)])
    assert figure.arrays["x"].shape == (3, 2)
    assert "principal components" in figure.title
    assert "labels" not in figure.arrays
    assert figure.options["classes"] is None


@pytest.mark.parametrize("kind", ["codes", "correlation"])
def test_the_code_of_one_image_has_no_figure_but_a_reason(few, kind):
    (omitted,) = STUDY_FIGURES[kind]([few(1)])
    assert "one image only" in omitted.reason


# -- codes that show nothing -----------------------------------------------------------------------


@pytest.fixture
def run_with_code(models):
    """A function: a run of a model whose codes, of nine units, are all this one."""

    def run(code: float) -> Trained:
        collapsed = copy(models["grey-relu"])
        collapsed.model = copy(collapsed.model)
        size = collapsed.model.code_size_
        collapsed.model._encode = lambda x: torch.full((len(x), size), code)
        return collapsed

    return run


CODE_FIGURES = {
    "codes": [
        {"method": method, "dimensions": dimensions} for method in METHODS for dimensions in (2, 3)
    ],
    "correlation": [{}],
    "spread": [{}],
    "code-images": [{}],
}
CALLS = [(kind, options) for kind, calls in CODE_FIGURES.items() for options in calls]


@pytest.mark.parametrize(("kind", "options"), CALLS)
@pytest.mark.parametrize("code", [0.0, 3.7])
def test_a_collapsed_code_has_no_figure_but_a_reason(
    run_with_code, kind, options, code, monkeypatch
):
    for library in ("tsne", "quick_tsne", "principal_components"):
        monkeypatch.setattr(f"narrows.study.figures.codes.{library}", None)
    (omitted,) = STUDY_FIGURES[kind]([run_with_code(code)], **options)
    assert omitted.run == "grey-relu"
    assert "its code has collapsed: it is the same for all" in omitted.reason


@pytest.mark.parametrize(("kind", "options"), CALLS)
def test_a_code_that_is_nan_has_no_figure_but_a_reason(run_with_code, kind, options):
    (omitted,) = STUDY_FIGURES[kind]([run_with_code(np.nan)], **options)
    assert "codes have NaN or infinity in them" in omitted.reason


def test_a_collapsed_run_costs_the_others_no_figure(run_with_code, models):
    for kind in ("spread", "code-images"):
        omitted, figure = STUDY_FIGURES[kind]([run_with_code(0.0), models["grey-pca"]])
        assert omitted.run == "grey-relu"
        assert all("grey-relu" not in name for name in figure.arrays)


def test_what_is_left_out_is_on_the_page_and_reported(run_with_code):
    run, record, said = run_with_code(0.0), Record("t"), []
    draw_all([Drawing("codes", "The plane")], {run.name: run}, record, said.append, Faults("t"))
    (sentence,) = record.text
    assert sentence.startswith("No figure 'The plane' of grey-relu: its code has collapsed")
    assert said == ["figure: The plane", sentence]


def test_colours_go_with_their_points_as_bytes(sets, picture):
    (figure,) = picture("codes", "colour-vae", method="components")
    images = figure.arrays["images"]
    assert (images.dtype, images.shape) == (np.uint8, (40, 8, 8, 3))
    np.testing.assert_allclose(images / 255, sets["colour"].test.images, atol=0.51 / 255)
    assert "images" not in picture("codes", "table-ae")[0].arrays


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on": "validaton"}, "validaton"),
        (
            {"method": "umap"},
            "method: got 'umap', expected 'components' or 'tsne' or 'quick-tsne' or 'units'",
        ),
        ({"dimensions": 4}, "dimensions: got 4, expected 2 or 3"),
    ],
)
def test_options_of_no_known_value_are_refused(picture, options, said):
    with pytest.raises(ValueError, match=said):
        picture("codes", "grey-3", **options)


# -- bounds ----------------------------------------------------------------------------------------


def test_codes_of_at_most_this_many_images_are_taken_and_fewer_where_codes_are_large(
    models, monkeypatch
):
    run = models["grey-3"]
    z, index = code_sample.sample_codes(run, "train", 50)
    assert z.shape == (50, 3)
    np.testing.assert_array_equal(z, run.model.transform(run.part("train")[0][index]))
    np.testing.assert_array_equal(code_sample.sample_codes(run, "train", 50)[1], index)
    monkeypatch.setattr(code_sample, "SAMPLE_VALUES", 3 * 20)
    monkeypatch.setattr(code_sample, "FEWEST", 10)
    assert len(code_sample.sample_codes(run, "train")[0]) == 20
    monkeypatch.setattr(code_sample, "SAMPLE_VALUES", 1)
    assert len(code_sample.sample_codes(run, "train")[0]) == 10


@pytest.mark.parametrize("kind", ["codes", "correlation", "spread"])
def test_a_feature_map_that_a_larger_side_channel_leads_past_has_no_figure_but_a_reason(
    models, picture, kind
):
    run = copy(models["grey-side"])
    run.model = copy(run.model)
    run.model.side_bits_ = 100_000
    (omitted,) = STUDY_FIGURES[kind]([run])
    assert omitted.run == "grey-side"
    assert "a feature map of 32 numbers, and its side channel carries more" in omitted.reason
    # 192 bits go past it, 1,024 through it
    assert isinstance(picture(kind, "grey-side")[0], Figure)


def test_a_correlation_of_too_many_units_has_a_reason(models):
    run = copy(models["grey-3"])
    run.model = copy(run.model)
    run.model.code_size_ = 600
    (omitted,) = STUDY_FIGURES["correlation"]([run])
    assert "600 units" in omitted.reason


# -- what the units say ----------------------------------------------------------------------------


def test_correlations_are_those_of_the_codes(models, sets, picture):
    (figure,) = picture("correlation", "grey-3", on="validation")
    held = sets["grey"].train.images[models["grey-3"].model.validation_index_]
    codes = models["grey-3"].model.transform(held)
    np.testing.assert_allclose(figure.arrays["correlation"], np.corrcoef(codes.T), atol=1e-5)
    assert figure.options["limits"] == [-1, 1]


def test_units_of_principal_components_do_not_correlate_where_they_were_found(picture):
    (figure,) = picture("correlation", "grey-pca", on="train")
    np.testing.assert_allclose(figure.arrays["correlation"], np.eye(4), atol=1e-4)


def test_spread_is_measured_for_each_class_and_run(models, sets, picture):
    (figure,) = picture("spread", "grey-3", "grey-pca")
    for name, values in figure.arrays.items():
        direct = spread(
            models[name].model.transform(sets["grey"].test.images), sets["grey"].test.labels
        )
        np.testing.assert_allclose(values, list(direct.values()))
    assert figure.options["names"] == [str(k) for k in sorted(set(sets["grey"].test.labels))]


def test_codes_as_images_are_the_codes_by_their_largest_value(models, sets, picture):
    (figure,) = picture(
        "code-images", "grey-3", "grey-relu", "grey-pca", images={"start": 2, "count": 5}
    )
    assert list(figure.arrays) == ["original", "grey-relu, 3×3", "grey-pca, 2×2"]
    for name, side in (("grey-relu", 3), ("grey-pca", 2)):
        codes = np.abs(models[name].model.transform(sets["grey"].test.images[2:7]))
        shown = figure.arrays[f"{name}, {side}×{side}"]
        np.testing.assert_allclose(shown.reshape(5, -1) * codes.max(), codes, atol=1e-5)
        assert shown.max() == pytest.approx(1)
        told = [f"{count} active" for count in (codes > 1e-6).sum(1)]
        assert figure.options["captions"][f"{name}, {side}×{side}"] == told
