"""Each kind of figure, of each kind of model: drawn, or nothing where it cannot be."""

import numpy as np
import pytest

import narrows as nw
from narrows import draw
from narrows.data import ImageSet
from narrows.errors import BuildError
from narrows.study.pictures import PICTURES, Shown, Trained

OPTIONS = {"curves": {"of": ["loss", "nll", "kl"]}, "steps": {"of": ["loss"]}, "samples": {"count": 5}}
QUICK = {"epochs": 2, "batch_size": 16, "optimiser": {"kind": "adam", "rate": 3e-3}}
POOLED = {"kind": "conv", "channels": [4, 8], "stages": "pooled"}


def plain(size):
    return {"kind": "plain", "size": size}


@pytest.fixture(scope="session")
def sets() -> dict[str, Shown]:
    """Grey and colour images with labels, and a table without."""
    X, y = nw.load_data("digits", split="train")
    colours = np.random.default_rng(0).uniform(0.3, 1, (200, 1, 1, 3))
    table = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    found = {"grey": X[:200], "colour": (X[:200, ..., None] / 255 * colours).astype(np.float32), "table": table}
    labels = {"grey": y[:200], "colour": y[:200], "table": None}
    classes = tuple("0123456789")
    return {
        name: Shown(*(ImageSet(a, labels[name] if labels[name] is None else labels[name][s], None, classes)
                      for a, s in ((images[:160], slice(160)), (images[160:], slice(160, None)))))
        for name, images in found.items()
    }  # fmt: skip


@pytest.fixture(scope="session")
def models(sets) -> dict[str, Trained]:
    """name -> what was trained; the name begins with that of its set."""
    mlp = {"kind": "mlp", "widths": [16]}
    vae = {"kind": "variational", "size": 3}
    sharp = {"kind": "gaussian", "variance": 0.02, "output": "sigmoid"}
    made = {
        "grey-3": nw.Autoencoder(mlp, plain(3), validation=0.2, **QUICK),
        "grey-1": nw.Autoencoder(mlp, plain(1), **{**QUICK, "epochs": 6}),
        "grey-2": nw.Autoencoder(mlp, plain(2), corruption="gaussian", **QUICK),
        "grey-pca": nw.PCA(4),
        "grey-side": nw.Autoencoder(POOLED, plain(None), up="unpool", **QUICK),
        "colour-vae": nw.Autoencoder(mlp, vae, likelihood=sharp, **QUICK),
        "table-ae": nw.Autoencoder(mlp, plain(3), **QUICK),
        "table-pca": nw.PCA(3),
    }
    return {name: Trained(name, model.fit(sets[name.split("-")[0]].train.images)) for name, model in made.items()}


@pytest.fixture
def picture(models, sets):
    """A function: the figures of a kind, of a model by its name."""

    def figures(kind: str, name: str, **options):
        return list(PICTURES[kind](models[name], sets[name.split("-")[0]], **{**OPTIONS.get(kind, {}), **options}))

    return figures


ALL = {"curves", "steps", "reconstructions", "samples", "correlation", "codes"}
DRAWN = {
    "grey-3": ALL,
    "grey-1": ALL - {"correlation", "codes"},
    "grey-2": ALL,
    "grey-pca": ALL - {"curves", "steps"},
    "grey-side": ALL - {"samples"},
    "colour-vae": ALL,
    "table-ae": ALL - {"reconstructions", "samples"},
    "table-pca": {"correlation", "codes"},
}


@pytest.mark.parametrize("name", DRAWN)
def test_each_kind_is_drawn_where_it_can_be_and_nowhere_else(picture, name):
    found = {kind: picture(kind, name) for kind in PICTURES}
    assert {kind for kind, figures in found.items() if figures} == DRAWN[name]
    for figures in found.values():
        for figure in figures:
            assert figure.name.startswith(name)
            png = draw.as_png(draw.figure(figure.kind, figure.arrays, title=figure.title, **figure.options))
            assert png.startswith(b"\x89PNG")


def test_curves_are_those_entries_of_the_history_that_there_are(models, picture):
    (figure,) = picture("curves", "colour-vae", of=["loss", "kl", "val_loss"], log=True)
    history = models["colour-vae"].model.history_
    assert {name: list(values) for name, values in figure.arrays.items()} == {k: history[k] for k in ("loss", "kl")}
    assert figure.options["log"] is True


def test_a_loss_of_one_term_is_drawn_once(picture):
    assert set(picture("curves", "grey-3")[0].arrays) == {"loss"}
    assert set(picture("curves", "colour-vae")[0].arrays) == {"loss", "nll", "kl"}


def test_steps_are_those_of_the_training(models, picture):
    (figure,) = picture("steps", "grey-3")
    np.testing.assert_array_equal(figure.arrays["loss"], models["grey-3"].model.steps_["loss"])


def test_reconstructions_stand_beside_their_originals_with_their_psnr(models, sets, picture):
    (figure,) = picture("reconstructions", "grey-3", count=4, start=3)
    wanted = sets["grey"].test.images[3:7]
    again = models["grey-3"].model.reconstruct(wanted)
    np.testing.assert_allclose(figure.arrays["original"], wanted / 255, atol=1e-6)
    np.testing.assert_allclose(figure.arrays["reconstruction"], again / 255, atol=0.51 / 255)
    psnr = nw.measure.psnr(figure.arrays["original"], figure.arrays["reconstruction"])
    assert figure.options["captions"] == {"reconstruction": [f"{value:.1f} dB" for value in psnr]}


def test_a_denoiser_is_shown_what_it_cleans_and_a_vae_samples(picture):
    assert set(picture("reconstructions", "grey-2")[0].arrays) == {"original", "noisy", "denoised"}
    rows = picture("reconstructions", "colour-vae")[0].arrays
    assert set(rows) == {"original", "reconstruction", "by a sampled code"}
    assert all(row.shape == (10, 8, 8, 3) for row in rows.values())


def test_images_beyond_the_set_are_none(picture):
    assert len(picture("reconstructions", "grey-3", start=38)[0].arrays["original"]) == 2
    assert picture("reconstructions", "grey-3", start=40) == []


def test_samples_are_the_models_own_and_say_where_they_come_from(models, picture):
    for name, words in (("colour-vae", "N(0, I)"), ("grey-3", "fitted"), ("grey-pca", "fitted")):
        (figure,) = picture("samples", name, count=3, seed=7)
        np.testing.assert_array_equal(figure.arrays["samples"], models[name].model.sample(3, random_state=7))
        assert words in figure.title


def test_correlations_are_those_of_the_codes(models, sets, picture):
    (figure,) = picture("correlation", "grey-3")
    codes = models["grey-3"].model.transform(sets["grey"].test.images)
    np.testing.assert_allclose(figure.arrays["correlation"], np.corrcoef(codes.T), atol=1e-5)


def test_a_code_of_two_is_shown_as_it_is(models, sets, picture):
    (figure,) = picture("codes", "grey-2", on="train")
    np.testing.assert_array_equal(figure.arrays["x"], models["grey-2"].model.transform(sets["grey"].train.images))
    np.testing.assert_array_equal(figure.arrays["labels"], sets["grey"].train.labels)
    assert figure.options["classes"] == list("0123456789")


def test_a_larger_code_is_shown_along_its_two_principal_components(models, sets, picture):
    from sklearn.decomposition import PCA

    (figure,) = picture("codes", "grey-3")
    points = figure.arrays["x"]
    components = PCA(2).fit(models["grey-3"].model.transform(sets["grey"].test.images))
    np.testing.assert_allclose(points.var(0, ddof=1), components.explained_variance_, rtol=1e-4)
    share = 100 * components.explained_variance_ratio_
    assert [figure.options[axis] for axis in ("xlabel", "ylabel")] == [
        f"component {k + 1} ({share[k]:.0f} % of the variance)" for k in range(2)
    ]


def test_tsne_shows_as_many_as_asked_for_with_their_labels(sets, picture):
    (figure,) = picture("codes", "grey-3", method="tsne", limit=20)
    assert figure.arrays["x"].shape == (20, 2)
    assert len(figure.arrays["labels"]) == 20
    assert "t-SNE of 20 codes" in figure.title


def test_codes_too_few_for_tsne_are_shown_by_components(models, sets):
    few = ImageSet(sets["grey"].test.images[:3])
    (figure,) = PICTURES["codes"](models["grey-3"], Shown(few, few), method="tsne")
    assert figure.arrays["x"].shape == (3, 2)
    assert "principal components" in figure.title


def test_validation_is_what_the_model_held_back(models, sets):
    images, labels = sets["grey"].of(models["grey-3"], "validation")
    held = models["grey-3"].model.validation_index_
    np.testing.assert_array_equal(images, sets["grey"].train.images[held])
    np.testing.assert_array_equal(labels, sets["grey"].train.labels[held])


@pytest.mark.parametrize(("kind", "options"), [("codes", {"on": "validaton"}), ("codes", {"method": "umap"})])
def test_options_of_no_known_value_are_refused(picture, kind, options):
    with pytest.raises(BuildError, match=next(iter(options.values()))):
        picture(kind, "grey-3", **options)
