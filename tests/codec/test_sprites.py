"""Sprites: the images come back in their order, and no picture is larger than is allowed."""

import numpy as np
import pytest

from narrows.codec.sprites import from_sprites, grids, sprites


def images_of(shapes):
    rng = np.random.default_rng(0)
    return [rng.integers(1, 256, shape, np.uint8) for shape in shapes]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 17, 90])
@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (5, 2, 3)])
def test_images_come_back_from_sprites_in_their_order(count, shape):
    images = images_of([shape] * count)
    for most in (16383, 20):
        pictures = sprites(images, most)
        assert max(max(picture.shape[:2]) for picture in pictures) <= most
        again = from_sprites(pictures, [shape] * count, most)
        assert np.array_equal(np.stack(again), np.stack(images))


def test_images_of_different_shapes_have_sprites_of_their_own():
    shapes = [(4, 4), (2, 8), (4, 4), (4, 4, 3), (2, 8)]
    images = images_of(shapes)
    pictures = sprites(images)
    assert [picture.shape for picture in pictures] == [(4, 8), (2, 16), (4, 4, 3)]
    again = from_sprites(pictures, shapes)
    assert all(np.array_equal(a, b) for a, b in zip(again, images, strict=True))


def test_a_grid_is_about_square_and_its_shape_is_that_of_the_picture():
    (grid,) = grids([(28, 28)] * 10_000)
    assert (grid.rows, grid.columns, grid.picture) == (100, 100, (2800, 2800))
    shapes = [(5, 9)] * 7
    assert [grid.picture for grid in grids(shapes)] == [
        picture.shape for picture in sprites(images_of(shapes))
    ]


def test_an_image_larger_than_a_picture_may_be_is_a_sprite_of_its_own():
    images = images_of([(30, 4)] * 2)
    assert [picture.shape for picture in sprites(images, 20)] == [(30, 4), (30, 4)]
