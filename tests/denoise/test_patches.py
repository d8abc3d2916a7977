"""Laws of groups of patches and of pictures made of them."""

import pytest
import torch

from narrows.denoise import patches as module
from narrows.denoise.patches import (
    blocks,
    box_sums,
    nearest_patches,
    patch_rows,
    smallest,
    sum_of_patches,
)


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.rand(61, 70, generator=torch.Generator().manual_seed(0))


def test_sums_of_patches_of_ones_count_the_patches_of_each_pixel(picture):
    rows = patch_rows(torch.ones_like(picture), 7)
    counts = sum_of_patches(rows, 55, 64, 7)
    assert counts[30, 30] == 49
    assert counts[0, 0] == counts[-1, -1] == 1
    torch.testing.assert_close(sum_of_patches(patch_rows(picture, 7), 55, 64, 7), picture * counts)


def test_box_sums_are_the_sums_of_rows(picture):
    torch.testing.assert_close(box_sums(picture, 9).flatten(), patch_rows(picture, 9).sum(1))


def test_every_pixel_is_in_a_reference(picture):
    for patch, step in ((7, 5), (9, 6), (11, 4)):
        covered = torch.zeros_like(picture)
        for block in blocks(*picture.shape, patch, step):
            places = torch.zeros(block.height * block.width)
            places[block.references] = 1
            ones = places[:, None].expand(-1, patch**2)
            block.pixels(covered, patch).add_(
                sum_of_patches(ones, block.height, block.width, patch)
            )
        assert (covered > 0).all()


def test_groups_are_the_nearest_patches_of_the_window(picture, monkeypatch):
    """Against all distances, one after another."""
    monkeypatch.setattr(module, "RADIUS", 6)
    module._inside.cache_clear()
    for block in blocks(*picture.shape, 7, 5):
        rows = patch_rows(block.pixels(picture, 7), 7)
        groups = nearest_patches(block.pixels(picture, 7), block, 7, 10)
        for reference, group in zip(block.references.tolist(), groups):
            row, column = divmod(reference, block.width)
            near = [
                (i * block.width + j)
                for i in range(max(0, row - 6), min(block.height, row + 7))
                for j in range(max(0, column - 6), min(block.width, column + 7))
            ]
            distances = (rows[near] - rows[reference]).square().sum(1)
            expected = torch.tensor(near)[distances.argsort()[:10]]
            assert reference in group
            assert len({*group.tolist()} & {*expected.tolist()}) >= 9  # equal to 13 bits
    module._inside.cache_clear()


def test_smallest_values():
    values = torch.rand(20, 961, generator=torch.Generator().manual_seed(1)) * 30
    values[:, 5] = torch.inf
    found = values.gather(1, smallest(values, 12)).sort(1).values
    torch.testing.assert_close(found, values.sort(1).values[:, :12], rtol=1e-3, atol=0)
