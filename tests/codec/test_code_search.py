"""Better integers for codes: less error at the same bits, never more of both."""

import numpy as np
import pytest

import narrows as nw
from narrows.codec.code_search import TRIED, _Search, better_integers
from narrows.codec.codes import as_integers, steps_of
from narrows.errors import BuildError


@pytest.fixture(scope="module")
def digits():
    return nw.load_data("digits")[0][:300]


@pytest.fixture(scope="module", params=["rounded", "plain", "variational", "symmetric", "pca"])
def model(request, digits):
    if request.param == "pca":
        return nw.PCA(10).fit(digits)
    symmetric = request.param == "symmetric"
    code = {"kind": "rounded" if symmetric else request.param, "size": 10}
    scale = "symmetric" if symmetric else "auto"
    body = {"kind": "mlp", "widths": [32]}
    return nw.Autoencoder(body, code, scale=scale, epochs=5, random_state=0).fit(digits)


@pytest.fixture
def start(model, digits):
    """Codes of the images: integers, step, offset."""
    codes = model.transform(digits)
    step, offset = steps_of(codes, 0.5)
    return as_integers(codes, step, offset), step, offset


def test_search_lowers_the_error_and_its_bits_at_their_price(model, digits, start):
    integers = start[0]
    found = better_integers(model, digits, *start, rounds=12)
    search = _Search(model, *start)
    x = nw.levels.unit_values(digits, model.levels_for(digits.dtype))[:, None]
    x = search._tensor(x)
    before = search._total(x, search._tensor(integers))
    after = search._total(x, search._tensor(found))
    assert (after <= before).all()
    assert after.sum() < 0.99 * before.sum()
    assert found.dtype == integers.dtype


def test_search_of_no_rounds_changes_nothing_and_more_rounds_do_more(model, digits, start):
    assert (better_integers(model, digits, *start, rounds=0) == start[0]).all()
    one = better_integers(model, digits, *start, rounds=1)
    most = max(last - first for first, last in TRIED)
    assert 0 < (one != start[0]).sum(1).max() <= most
    two = better_integers(model, digits, *start, rounds=2)
    assert (better_integers(model, digits, one, *start[1:], rounds=0) == one).all()
    assert (two != start[0]).sum() > (one != start[0]).sum()


def test_search_of_an_image_does_not_depend_on_the_batch(model, digits, start, monkeypatch):
    together = better_integers(model, digits, *start, rounds=4)
    monkeypatch.setattr("narrows.codec.code_search.BATCH", 100)
    parts = better_integers(model, digits, *start, rounds=4)
    assert (together[:100] == parts[:100]).mean() > 0.99


def test_search_gives_better_pictures_in_about_the_same_bytes(digits):
    body = {"kind": "mlp", "widths": [64]}
    code = {"kind": "rounded", "size": 10}
    model = nw.Autoencoder(body, code, epochs=10, batch_size=8, random_state=0).fit(digits)
    without, searched = (nw.compress(model, digits, search=rounds) for rounds in (0, 12))
    assert len(searched) < 1.1 * len(without)
    error = [
        np.square(nw.decompress(blob, model) - digits.astype(float)).mean()
        for blob in (without, searched)
    ]
    assert error[1] < 0.85 * error[0]


def test_search_keeps_units_that_never_vary(digits):
    model = nw.PCA(4).fit(digits)
    integers = np.zeros((300, 4), dtype=np.int64)
    found = better_integers(model, digits, integers, np.ones(4), np.zeros(4), rounds=3)
    assert (found == 0).all()


@pytest.mark.parametrize("rounds", [-1, 2.5, True, None])
def test_search_refuses_what_is_no_count_of_rounds(digits, rounds):
    with pytest.raises(BuildError, match="search: got"):
        nw.compress(nw.PCA(2).fit(digits), digits, search=rounds)


@pytest.mark.parametrize("kind", ["plain", "relu"])
def test_search_gains_as_much_where_steps_are_fine(digits, kind):
    body, code = {"kind": "mlp", "widths": [32]}, {"kind": kind, "size": 10}
    model = nw.Autoencoder(body, code, epochs=8, batch_size=8, random_state=0).fit(digits)
    errors = []
    for share in (0.5, 0.125, 1 / 32):
        step, offset = steps_of(model.transform(digits), share)
        integers = as_integers(model.transform(digits), step, offset)
        found = better_integers(model, digits, integers, step, offset, rounds=12)
        made = model.inverse_transform((offset + step * found).astype(np.float32))
        errors.append(np.square(made.astype(float) - digits).mean())
    assert errors[1] < 1.01 * errors[0]
    assert errors[2] < 1.05 * errors[1]
