"""What training wrote down is drawn as it stands there."""

import numpy as np
import pytest

from narrows.errors import BuildError
from narrows.parts.term import Term


def test_curves_are_those_entries_of_the_history_that_there_are(models, picture):
    (figure,) = picture("curves", "colour-vae", of=["loss", "kl", "val_loss"], log=True)
    history = models["colour-vae"].model.history_
    assert set(figure.arrays) == {"loss", "kl"}
    for name, values in figure.arrays.items():
        np.testing.assert_allclose(values, history[name], rtol=1e-6)
    assert (figure.options["log"], figure.options["xlabel"]) == (True, "epoch")


def test_a_loss_of_one_term_is_drawn_once(picture):
    of = ["loss", "nll", "kl", "val_loss", "val_nll"]
    assert set(picture("curves", "grey-3", of=of)[0].arrays) == {"loss", "val_loss"}
    assert set(picture("curves", "colour-vae", of=of)[0].arrays) == {"loss", "nll", "kl"}
    assert set(picture("curves", "grey-3", of=["nll"])[0].arrays) == {"nll"}


@pytest.mark.parametrize("kind", ["curves", "steps"])
def test_lines_of_a_loss_have_titles_and_the_axis_the_unit_that_they_share(picture, kind):
    (figure,) = picture(kind, "colour-vae", of=["loss", "nll", "kl"])
    assert figure.options["ylabel"] == "nats an image"
    assert figure.options["names"] == {"loss": "loss", "nll": "NLL", "kl": "KL to the prior"}


def test_lines_whose_units_differ_say_them_in_the_legend(models, picture, monkeypatch):
    terms = {"nll": Term("nll", "NLL", "nats an image"), "kl": Term("kl", "a penalty")}
    monkeypatch.setattr(type(models["colour-vae"]), "terms", terms)
    (figure,) = picture("curves", "colour-vae", of=["loss", "nll", "kl"])
    assert figure.options["ylabel"] == "value"
    assert figure.options["names"] == {
        "loss": "loss",
        "nll": "NLL, nats an image",
        "kl": "a penalty",
    }


def test_a_loss_without_a_unit_is_called_so_on_its_axis(models, picture, monkeypatch):
    terms = {"root": Term("root", "length of the error")}
    monkeypatch.setattr(type(models["grey-3"]), "terms", terms)
    (figure,) = picture("curves", "grey-3", of=["loss", "val_loss"])
    assert figure.options["ylabel"] == "loss"
    assert figure.options["names"]["val_loss"] == "validation loss"


def test_steps_are_those_of_the_training_and_smoothed(models, picture):
    (figure,) = picture("steps", "grey-3")
    np.testing.assert_allclose(
        figure.arrays["loss"], models["grey-3"].model.steps_["loss"], rtol=1e-6
    )
    assert figure.options["smooth"] is True


@pytest.mark.parametrize(("name", "values"), [("grey-3", 64), ("colour-vae", 192)])
def test_a_loss_per_pixel_is_that_of_the_image_by_its_values(picture, name, values):
    for kind, options in (("curves", {}), ("steps", {}), ("compared", {"of": "loss"})):
        whole, share = (
            picture(kind, name, per_pixel=per, **options)[0].arrays for per in (False, True)
        )
        for line, total in whole.items():
            np.testing.assert_allclose(share[line] * values, total, rtol=1e-5)


@pytest.mark.parametrize(("over", "kept"), [("epoch", "history_"), ("iteration", "steps_")])
def test_runs_are_compared_by_one_entry_over_epochs_or_steps(models, picture, over, kept):
    (figure,) = picture("compared", "grey-3", "grey-1", "grey-pca", over=over, log=True)
    assert list(figure.arrays) == ["grey-3", "grey-1"]
    for name, values in figure.arrays.items():
        np.testing.assert_allclose(values, getattr(models[name].model, kept)["loss"], rtol=1e-6)
    assert (figure.options["xlabel"], figure.options["smooth"]) == (over, over == "iteration")
    assert figure.options["log"] is True


def test_what_no_run_has_is_not_drawn(picture):
    assert picture("compared", "grey-3", "grey-1", of="kl") == []
    assert picture("steps", "grey-3", of=["kl"]) == []


def test_another_axis_is_refused(picture):
    with pytest.raises(BuildError, match="over: got 'step', expected 'epoch' or 'iteration'"):
        picture("compared", "grey-3", over="step")
