"""The coding order: every pixel once, and each after all of its neighbours."""

import numpy as np
import pytest

from narrows.codec.wavefront import Wavefront, neighbour_count, neighbours

BLOCKS = {
    "one": [(5, 7)],
    "same": [(4, 3)] * 3,
    "mixed": [(1, 9), (6, 2), (3, 3)],
    "dots": [(1, 1)] * 2,
}


@pytest.fixture(params=BLOCKS)
def sizes(request):
    return BLOCKS[request.param]


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_neighbours_have_earlier_steps(sizes, radius):
    wave = Wavefront(sizes, radius)
    step = np.full(wave.length, -1)
    for number, pixels in enumerate(wave.steps()):
        step[wave.places[pixels]] = number
    assert (step >= 0).sum() == sum(height * width for height, width in sizes)
    before = step[wave.places[:, None] + wave.offsets]
    assert (before < step[wave.places][:, None]).all()
    assert len(wave.offsets) == neighbour_count(radius)


@pytest.mark.parametrize("radius", [1, 3])
def test_neighbours_of_each_pixel_are_those_of_its_image(sizes, radius):
    generator = np.random.default_rng(0)
    images = [generator.integers(1, 256, (*size, 2)).astype(np.uint8) for size in sizes]
    wave = Wavefront(sizes, radius)
    flat = wave.lay_out(images)
    expected = {}
    for image in images:
        padded = np.pad(image, ((radius, 0), (radius, radius), (0, 0)))
        for row, column in np.ndindex(image.shape[:2]):
            near = [
                padded[row + radius + dy, column + radius + dx] for dy, dx in neighbours(radius)
            ]
            key = bytes(image[row, column]), np.array(near).tobytes()
            expected[key] = expected.get(key, 0) + 1
    for place in wave.places:
        key = bytes(flat[place]), flat[place + wave.offsets].tobytes()
        expected[key] -= 1
    assert not any(expected.values())


def test_views_give_the_images_back(sizes):
    images = [np.full((*size, 1), number + 1, np.uint16) for number, size in enumerate(sizes)]
    wave = Wavefront(sizes, 2)
    for image, view in zip(images, wave.views(wave.lay_out(images)), strict=True):
        assert (image == view).all()


def test_order_in_a_step_is_by_image_then_row(sizes):
    wave = Wavefront(sizes, 2)
    image = np.searchsorted(wave.starts, wave.places, side="right")
    for pixels in wave.steps():
        order = list(zip(image[pixels], wave.rows[pixels]))
        assert order == sorted(order)
