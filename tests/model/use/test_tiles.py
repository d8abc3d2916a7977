"""Laws of tiles: what changes nothing leaves no seam, what fits is the model's own, and channels
come back.
"""

import numpy as np
import pytest

import narrows as nw
from narrows.errors import ImageError
from narrows.model.use import tiles as tiles_module
from narrows.model.use.tiles import fits_model, join_tiles, process_tiled, worst_tile_score


@pytest.fixture(scope="module")
def model():
    """Principal components of the digits: 8 x 8, grey."""
    return nw.PCA(12).fit(nw.load_data("digits")[0])


@pytest.fixture(scope="module")
def coloured():
    return nw.PCA(6).fit(np.random.default_rng(1).random((40, 8, 8, 3), np.float32))


def some(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (7, 3), (13, 29)])
def test_where_nothing_is_changed_no_seam_shows(size):
    picture = some(29, 31, 2).astype(np.float32)
    np.testing.assert_allclose(join_tiles(lambda x: x, picture, size), picture, rtol=1e-5)


def test_what_changes_by_a_constant_changes_so_everywhere():
    picture = some(20, 33, 1).astype(np.float32)
    np.testing.assert_allclose(
        join_tiles(lambda x: x * 2 + 3, picture, (8, 8)), picture * 2 + 3, rtol=1e-5
    )


def test_no_tile_leaves_the_picture_and_none_is_made_up():
    seen = []
    picture = np.arange(20 * 11, dtype=np.float32).reshape(20, 11, 1)
    join_tiles(lambda x: seen.append(x) or x, picture, (8, 8))
    tiles = np.concatenate(seen)
    assert tiles.shape[1:] == (8, 8, 1)
    # all cut from the picture
    assert all(np.array_equal(t - t[0, 0], tiles[0] - tiles[0, 0, 0]) for t in tiles)
    assert (tiles.min(), tiles.max()) == (0, 20 * 11 - 1)


def test_a_picture_of_the_models_size_is_the_models_own(model):
    images = nw.load_data("digits", split="test")[0][:5]
    np.testing.assert_array_equal(
        process_tiled(model, images, "reconstruct"), model.reconstruct(images)
    )
    np.testing.assert_allclose(
        worst_tile_score(model, images), model.anomaly_score(images), rtol=1e-5
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_large_picture_keeps_its_form_and_is_the_same_wherever_it_lies(model, dtype):
    whole = some(2, 40, 24)
    images = (
        whole * np.uint16(257)
        if dtype == "uint16"
        else (whole / 255).astype(dtype)
        if dtype[0] == "f"
        else whole
    )
    out = process_tiled(model, images, "denoise")
    assert (out.shape, out.dtype) == (images.shape, images.dtype)
    np.testing.assert_array_equal(out[1], process_tiled(model, images[1:], "denoise")[0])
    peak = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    np.testing.assert_allclose(
        out / peak, process_tiled(model, whole / 255, "denoise"), atol=1 / 255
    )


def test_far_from_its_edges_a_tile_knows_nothing_of_the_rest(model):
    a, b = some(64, 64), 255 - some(64, 64)
    b[:40] = a[:40]
    out = [process_tiled(model, x[None], "denoise")[0] for x in (a, b)]
    np.testing.assert_array_equal(out[0][:32], out[1][:32])
    assert not np.array_equal(out[0][40:], out[1][40:])


def test_colours_go_through_a_model_of_grey_one_by_one_and_alpha_is_put_back(model):
    picture = some(1, 20, 20, 4)
    out = process_tiled(model, picture, "denoise")
    for channel in range(3):
        np.testing.assert_array_equal(
            out[..., channel], process_tiled(model, picture[..., channel], "denoise")
        )
    np.testing.assert_array_equal(out[..., 3], picture[..., 3])


def test_grey_goes_through_a_model_of_colour_and_comes_back_grey(coloured):
    picture = some(1, 20, 20)
    thrice = np.repeat(picture[..., None], 3, axis=-1)
    out = process_tiled(coloured, picture, "reconstruct")
    assert out.shape == picture.shape
    np.testing.assert_allclose(
        out, process_tiled(coloured, thrice / 255, "reconstruct").mean(-1) * 255, atol=0.51
    )


def test_the_score_of_a_large_picture_is_that_of_its_worst_tile(model):
    picture = np.zeros((1, 32, 32), np.uint8)
    calm = worst_tile_score(model, picture)[0]
    picture[0, 8:16, 16:24] = some(8, 8)
    assert (
        worst_tile_score(model, picture)[0] * 1.0001
        >= model.anomaly_score(picture[:, 8:16, 16:24])[0]
        > calm
    )


@pytest.mark.parametrize(("shape", "said"), [
    ((1, 7, 9), "the model needs 8 x 8; bring it to that size with size=(8, 8) (--size 8 8)"),
    ((1, 9), "expected (N, H, W)"),
    ((1, 9, 9, 5), "5 channels, which a model of 3"),
])  # fmt: skip
def test_pictures_that_no_tile_fits_are_refused(coloured, shape, said):
    with pytest.raises(ImageError) as caught:
        process_tiled(coloured, np.zeros(shape, np.uint8), "denoise")
    assert said in str(caught.value)


def test_what_fits_needs_no_tiles(model, coloured):
    assert fits_model(model, (8, 8))
    assert fits_model(model, (8, 8, 1))
    assert not fits_model(model, (8, 9))
    assert fits_model(coloured, (8, 8, 3))
    assert not fits_model(coloured, (8, 8))


def test_tiles_are_weighted_by_the_square_of_a_sine():
    size, picture = (6, 4), np.zeros((9, 6, 1), np.float32)  # 2 x 2 tiles, at 0, 3 and at 0, 2
    heights = np.sin(np.pi * (np.arange(6) + 0.5) / 6) ** 2
    widths = np.sin(np.pi * (np.arange(4) + 0.5) / 4) ** 2
    weighted, weights = np.zeros((9, 6)), np.zeros((9, 6))
    places = [(top, left) for top in (0, 3) for left in (0, 2)]
    for number, (top, left) in enumerate(places):
        weighted[top : top + 6, left : left + 4] += number * np.outer(heights, widths)
        weights[top : top + 6, left : left + 4] += np.outer(heights, widths)

    def numbered(tiles):
        return np.arange(len(tiles), dtype=np.float32)[:, None, None, None] + tiles

    np.testing.assert_allclose(
        join_tiles(numbered, picture, size)[..., 0], weighted / weights, rtol=1e-5
    )


def test_tiles_come_in_batches_of_bounded_size(monkeypatch):
    monkeypatch.setattr(tiles_module, "MOST_VALUES", 5 * 8 * 8)
    sizes = []
    join_tiles(
        lambda tiles: sizes.append(len(tiles)) or tiles, np.zeros((24, 24, 1), np.float32), (8, 8)
    )
    assert sizes == [5, 5, 5, 5, 5]
    monkeypatch.setattr(tiles_module, "MOST_VALUES", 1)
    join_tiles(
        lambda tiles: sizes.append(len(tiles)) or tiles, np.zeros((8, 12, 1), np.float32), (8, 8)
    )
    assert sizes[5:] == [1, 1], "one at least"


def test_alpha_is_set_aside_and_colours_stay_apart():
    images = some(60, 4, 4, 3)
    identity = nw.PCA(48).fit(images)  # keeps every component
    picture = some(1, 10, 9, 4)
    np.testing.assert_array_equal(process_tiled(identity, picture, "reconstruct"), picture)
