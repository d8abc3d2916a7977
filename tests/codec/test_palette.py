"""Palettes of grey levels: the best of all, and exact where they can be."""

from itertools import combinations

import numpy as np
import pytest

from narrows.codec.palette import Palette, best_palette
from narrows.errors import DataError, ImageError

GENERATOR = np.random.default_rng(0)


def error_of(image, levels):
    return (np.abs(image[..., None].astype(float) - levels).min(-1) ** 2).mean()


@pytest.mark.parametrize("levels", [2, 3, 5])
def test_palette_has_the_least_error_of_all(levels):
    image = GENERATOR.choice([3, 4, 7, 20, 21, 22, 30, 31], 60).astype(np.uint8)
    palette = best_palette([image], levels)
    best = min(error_of(image, np.array(chosen)) for chosen in combinations(range(33), levels))
    assert error_of(image, np.array(palette.values)) == pytest.approx(best)
    assert palette.error == pytest.approx(best)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int16"])
def test_palette_of_few_values_is_exact(dtype):
    low, high = (0, 2) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    values = GENERATOR.integers(low, high, 12).astype(dtype)
    image = GENERATOR.choice(values, (9, 8, 3))
    palette = best_palette([image], 12)
    back = palette.image(palette.indices(image))
    assert (back.dtype, palette.error) == (image.dtype, 0)
    assert (back == image).all()


@pytest.mark.parametrize("levels", [2, 16, 300])
def test_palette_of_16_bits_gives_each_value_its_nearest_level(levels):
    image = (GENERATOR.random((90, 80)) ** 3 * 65535).astype(np.uint16)
    palette = best_palette([image], levels)
    indices = palette.indices(image)
    assert len(palette) <= levels
    assert indices.dtype == ("uint8" if levels <= 256 else "uint16")
    off = np.abs(palette.image(indices).astype(float) - image)
    assert (off == np.abs(image[..., None].astype(float) - palette.values).min(-1)).all()
    assert palette.error == pytest.approx((off**2).mean())
    evenly = np.linspace(0, 65535, 2 * levels + 1)[1::2]
    assert palette.error < error_of(image, evenly)


def test_palette_refuses_types_without_levels_and_several_types():
    with pytest.raises(ImageError, match="got images of type float32"):
        best_palette([np.zeros((2, 2), np.float32)], 4)
    with pytest.raises(ImageError, match="uint8 and of uint16, expected one type"):
        best_palette([np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint16)], 4)


def test_palette_refuses_numbers_beyond_it():
    with pytest.raises(DataError, match="beyond its palette"):
        Palette("uint8", (0, 9)).image(np.array([0, 2], np.uint8))
