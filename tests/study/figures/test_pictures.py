"""Each kind of figure, of each kind of model: drawn, or nothing where there is nothing to see."""

import inspect

import pytest

from narrows import draw
from narrows.choose import default_options
from narrows.draw import FIGURES
from narrows.study.figures import STUDY_FIGURES

TRAINED = {"curves", "steps", "compared"}  # what needs a training
ANY = {"errors", "tested", "codes", "correlation", "anomalies"}
SEEN = {"inputs", "reconstructions", "beside", "strengths"}  # what needs images
LABELLED = {"spread"}
# what needs images from codes alone
DECODED = {"samples", "classes", "interpolation", "perturbed", "legible"}
CODED = {"rate_distortion"}  # what needs grey or RGB images of 8 bits
IMAGES = ANY | SEEN | LABELLED | DECODED
DRAWN = {
    "grey-3": TRAINED | IMAGES | CODED | {"snapshots", "filters"},
    "grey-1": (TRAINED | IMAGES | CODED | {"code-images", "filters"}) - {"correlation", "codes"},
    "grey-2": TRAINED | IMAGES | CODED | {"plane", "filters"},
    "grey-relu": TRAINED | IMAGES | CODED | {"code-images", "filters"},
    "grey-pca": IMAGES | CODED | {"code-images", "filters"},
    "grey-side": TRAINED | ANY | SEEN | LABELLED | {"kernels"},
    "colour-vae": TRAINED | IMAGES,
    "table-ae": TRAINED | ANY,
    "table-pca": ANY,
    "points": TRAINED | ANY | LABELLED,
}
DENOISERS = {"field", "walk"}  # these refuse other models, see test_theory.py


@pytest.mark.parametrize("name", DRAWN)
def test_each_kind_is_drawn_where_it_can_be_and_nowhere_else(picture, name):
    found = {kind: picture(kind, name) for kind in STUDY_FIGURES if kind not in DENOISERS}
    assert {kind for kind, figures in found.items() if figures} == DRAWN[name]
    for figures in found.values():
        assert len({figure.name for figure in figures}) == len(figures)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("colour-vae", "points") else pytest.mark.slow)
        for name in DRAWN
    ],
)
def test_the_figures_of_a_model_alone_can_be_drawn(picture, name):
    for kind in DRAWN[name]:
        for figure in picture(kind, name):
            draw.figure(figure.kind, figure.arrays, title=figure.title, **figure.options)


@pytest.mark.parametrize("kind", sorted(set(STUDY_FIGURES) - DENOISERS))
def test_each_kind_takes_several_models_and_draws_those_that_it_can(picture, kind):
    names = ["grey-2", "grey-side", "grey-pca", "grey-relu"]
    figures = picture(kind, *names)
    assert bool(figures) == any(kind in DRAWN[name] for name in names)
    assert len({figure.name for figure in figures}) == len(figures)
    for figure in figures:
        assert figure.kind in FIGURES
        assert draw.as_png(
            draw.figure(figure.kind, figure.arrays, title=figure.title, **figure.options)
        )


@pytest.mark.parametrize("kind", STUDY_FIGURES)
def test_each_kind_says_what_it_shows_and_its_options_have_names(kind):
    assert inspect.getdoc(STUDY_FIGURES[kind])
    assert {"run", "runs"} & set(default_options(STUDY_FIGURES[kind]))
