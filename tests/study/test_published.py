"""Numbers are what direct computation gives, whichever source they come from."""

import numpy as np
import pytest

from narrows.errors import BuildError, DataError
from narrows.study.published import SOURCES as MADE
from narrows.study.published import TRAP, published_rows
from narrows.study.schema import SOURCES, Number

MEASURED = {"psnr": 21.5, "mse": 0.25, "dead_units": 3}


@pytest.fixture
def row(models):
    """A function: the one row of a number of a model by its name."""

    def one(name: str = "grey-3", **options) -> dict:
        (found,) = published_rows(Number("n", name, **options), models[name], MEASURED)
        return found

    return one


def squared(model, x: np.ndarray, times: float = 1.0) -> np.ndarray:
    made = model.reconstruct(x * np.float32(times), exact=True) / times
    return ((x.astype(np.float64) - made) ** 2).reshape(len(x), -1).sum(1)


@pytest.fixture
def clean(sets) -> np.ndarray:
    return sets["grey"].test.images.astype(np.float32) / 255


def test_the_sources_are_those_of_the_form():
    assert set(MADE) == set(SOURCES)


# -- history, batches, measures --------------------------------------------------------------------


def test_entries_of_the_history(row, models):
    history = models["grey-3"].model.history_
    assert row(history="loss")["faithful"] == history["loss"][-1]
    assert row(history="loss", epoch=1)["faithful"] == history["loss"][0]
    assert row(history="loss", mean=True)["faithful"] == pytest.approx(np.mean(history["loss"]))
    assert row(history="val_loss", epoch=2)["faithful"] == history["val_loss"][1]
    late = row(history="loss", epoch=3, published=1.0)
    assert (late["published"], late["faithful"], late["difference"]) == (1.0, None, None)


def test_the_last_batch_is_the_last_step(row, models):
    assert row(batch="loss")["faithful"] == pytest.approx(models["grey-3"].model.steps_["loss"][-1])


def test_a_measure_of_the_test_images(row):
    assert row(test="psnr")["faithful"] == 21.5
    assert row("grey-pca", test="dead_units")["faithful"] == 3


@pytest.mark.parametrize(
    "source", [{"history": "loss"}, {"batch": "loss"}, {"test": "mse"}, {"error": {}}]
)
def test_per_pixel_divides_by_the_values_of_an_image_and_times_multiplies(row, source):
    whole = row(**source)["faithful"]
    assert row(**source, per_pixel=True)["faithful"] == pytest.approx(whole / 64)
    assert row(**source, per_pixel=True, times=65025.0)["faithful"] == pytest.approx(
        whole / 64 * 65025
    )
    assert row("grey-3", **source, times=-2.0)["faithful"] == pytest.approx(-2 * whole)


def test_the_values_of_an_image_are_those_of_all_its_channels(models):
    number = {
        per: Number("n", "colour-vae", history="loss", per_pixel=per) for per in (False, True)
    }
    whole, share = (
        published_rows(number[per], models["colour-vae"], {})[0]["faithful"]
        for per in (False, True)
    )
    assert whole == pytest.approx(share * 192)


@pytest.mark.parametrize("published", [None, 20.0])
def test_the_difference_is_faithful_less_published_where_there_are_both(row, published):
    found = row(test="psnr", published=published)
    assert list(found) == ["", "published", "faithful", "difference", "unit"]
    assert found["published"] == published
    assert found["difference"] == (None if published is None else 1.5)


@pytest.mark.parametrize(
    ("name", "source", "unit"),
    [
        ("grey-3", {"history": "loss"}, "nats an image on [0, 1]"),
        ("grey-3", {"history": "val_loss", "per_pixel": True}, "nats a value on [0, 1]"),
        ("points", {"batch": "loss"}, "nats an image on [-1, 1]"),
        ("grey-3", {"test": "mse"}, "per pixel on [-1, 1]"),
        ("grey-3", {"test": "psnr"}, "dB"),
        ("grey-3", {"error": {"index": [3]}}, "squared error of an image on [0, 1]"),
        (
            "grey-3",
            {"error": {}, "per_pixel": True, "times": 9.0},
            "squared error per value on [0, 1], times 9",
        ),
    ],
)
def test_numbers_carry_their_unit_and_scale(models, name, source, unit):
    rows = published_rows(Number("n", name, **source), models[name], MEASURED, "symmetric")
    assert {row["unit"] for row in rows} == {unit}


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["grey-3", "grey-pca", "grey-side", "grey-relu"])
def test_an_error_is_the_squared_error_summed_over_the_image(row, models, clean, name):
    found = row(name, error={"on": "test", "index": [7]})
    assert found["faithful"] == pytest.approx(squared(models[name].model, clean[[7]])[0], rel=1e-5)


def test_of_several_images_it_is_the_mean(row, models, clean):
    direct = squared(models["grey-3"].model, clean[5:12])
    found = row(error={"start": 5, "count": 7}, published=3.0)
    assert found["faithful"] == pytest.approx(direct.mean(), rel=1e-5)
    assert row(error={"start": 5})["faithful"] == pytest.approx(direct[0], rel=1e-5)


@pytest.mark.filterwarnings("ignore:these images run from")
def test_a_list_of_published_errors_has_a_row_an_image_and_their_mean(models, clean):
    published = [1.5, 2.5, 6.5]
    number = Number("AE", "grey-3", error={"start": 20, "count": 3}, published=published, trap=255)
    found = published_rows(number, models["grey-3"], {})
    assert [row[""] for row in found] == ["AE, test 20", "AE, test 21", "AE, test 22", "AE, mean"]
    for column, direct in (
        ("published", np.array(published)),
        ("faithful", squared(models["grey-3"].model, clean[20:23])),
        (TRAP, squared(models["grey-3"].model, clean[20:23], 255)),
    ):
        assert [row[column] for row in found] == pytest.approx([*direct, direct.mean()], rel=1e-4)
    for row in found:
        assert row["difference"] == pytest.approx(row["faithful"] - row["published"])


def test_the_trap_of_factor_1_is_no_trap(row):
    found = row(error={"index": [3], "fed": {"noise": 0.5}}, trap=1.0)
    assert found[TRAP] == found["faithful"]


@pytest.mark.filterwarnings("ignore:these images run from")
def test_the_trap_feeds_and_divides_by_its_factor(row, models, clean):
    found = row("grey-relu", error={"index": [3]}, trap=255.0, per_pixel=True, times=65025.0)
    direct = squared(models["grey-relu"].model, clean[[3]], 255)[0] / 64 * 65025
    assert found[TRAP] == pytest.approx(direct, rel=1e-4)
    assert found[TRAP] != pytest.approx(found["faithful"], rel=0.01)


def test_a_linear_model_without_biases_does_not_fall_into_the_trap(row):
    found = row("grey-linear", error={"count": 5}, trap=255.0)
    assert found[TRAP] == pytest.approx(found["faithful"], rel=1e-4)


def test_the_trap_hides_the_noise(row):
    """All components give back what they are fed, noise and all: of size 1 or, in the trap, 1/255."""
    found = row(
        "grey-whole", error={"count": 40, "fed": {"noise": 0.9}}, trap=255.0, per_pixel=True
    )
    assert found["faithful"] == pytest.approx(0.81, rel=0.1)
    assert found[TRAP] * 255**2 == pytest.approx(found["faithful"], rel=1e-3)


def test_noise_is_on_what_is_fed_and_the_error_to_the_clean_image(row, models, clean):
    run, x = models["grey-3"], clean[[4]]
    made = run.feed(x, {"noise": 0.5, "clip": True, "seed": 3})[1]
    found = row(error={"index": [4], "fed": {"noise": 0.5, "clip": True, "seed": 3}})
    assert found["faithful"] == pytest.approx(((x - made) ** 2).sum(), rel=1e-4)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            {"history": "val_psnr"},
            "the number 'n': run 'grey-3' has no 'val_psnr'; .*known: loss, nll",
        ),
        ({"history": "los"}, "did you mean 'loss'"),
        ({"batch": "kl"}, "run 'grey-3' has no 'kl'; known: loss, nll"),
        ({"test": "psnrr"}, "did you mean 'psnr'"),
    ],
)
def test_an_entry_that_is_not_there_is_refused_with_what_is(row, source, said):
    with pytest.raises(DataError, match=said):
        row(**source)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"error": {"count": 3}, "published": [1.0, 2.0]},
            "published: got .* expected 3 numbers, one an image",
        ),
        ({"error": {"index": [40]}}, "places from 0 to 39"),
        ({"error": {"indx": [4]}}, "did you mean 'index'"),
        ({"error": {"fed": "noise"}}, "fed: got 'noise', expected a table"),
    ],
)
def test_errors_of_what_is_not_there_are_refused(row, options, said):
    with pytest.raises((BuildError, ValueError), match=said):
        row(**options)
