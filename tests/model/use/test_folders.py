"""What is made of an image does not depend on what stands beside it, to the last bit."""

import numpy as np
import pytest

import narrows as nw
from narrows.data.readers.picture_stream import Picture
from narrows.errors import ImageError
from narrows.model.use.folders import (
    FIXED_BATCH,
    process_pictures,
    score_pictures,
    with_fixed_batches,
)
from small_models import CONSTANT

COUNTS = (1, 7, FIXED_BATCH - 1, 100)


@pytest.mark.filterwarnings(CONSTANT)
@pytest.mark.parametrize("recipe", ["ae-mlp", "ae-conv"])
def test_batches_that_are_even_give_the_same_bits(recipe):
    # floats: nothing is rounded away
    X = (nw.load_data("digits", split="test")[0][:130] / 255).astype(np.float32)
    model = nw.recipe(recipe, epochs=1, batch_size=64).fit(X)
    even = with_fixed_batches(model)
    assert (even.batch_size_fixed, model.batch_size_fixed) == (FIXED_BATCH, 0)
    for verb in ("transform", "anomaly_score", "reconstruct"):
        whole = getattr(even, verb)(X)
        np.testing.assert_allclose(whole, getattr(model, verb)(X), rtol=1e-4, atol=1e-5)
        for count in COUNTS:
            np.testing.assert_array_equal(
                getattr(even, verb)(X[3 : 3 + count]), whole[3 : 3 + count]
            )


def score(model, pictures):
    return [*score_pictures(model, pictures, print)]


def reconstruct(model, pictures):
    return [*process_pictures(model, "reconstruct", pictures, print)]


@pytest.mark.parametrize("work", [score, reconstruct])
def test_a_model_of_a_table_takes_no_pictures(work):
    """Whose rows would be tiles of one line."""
    model = nw.PCA(2).fit(np.random.default_rng(0).random((20, 5)))
    picture = Picture("a.png", np.zeros((8, 8), np.uint8), "L")
    with pytest.raises(ImageError, match="a table of 5 columns, and these are pictures"):
        work(model, [picture])
