"""What training wrote down is drawn as it stands there."""

import numpy as np
import pytest

from narrows.errors import BuildError


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
