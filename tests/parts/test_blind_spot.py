"""Laws of blind spots: what counts cannot be seen, also not in its row or column."""

import pytest
import torch

from narrows.errors import NarrowsError
from narrows.parts.blind_spot import REACH, BlindSpot
from narrows.randomness import KeyedRandom


def places(height=40, width=40, count=20):
    """Images in whose two channels each value is that of one pixel alone."""
    numbers = torch.arange(float(height * width)).view(1, 1, height, width)
    return torch.cat([numbers, -numbers], 1).expand(count, -1, -1, -1).contiguous()


def test_its_share_of_the_pixels_is_replaced_by_others_nearby_in_all_channels():
    y = places()
    images, hidden, target, _ = BlindSpot(None, rate=0.1)(y, KeyedRandom(0))
    assert target is None  # the noisy images themselves
    assert abs(hidden.float().mean() - 0.1) < 0.01
    assert torch.equal((images != y)[:, :1], hidden)
    assert torch.equal(images[:, 0], -images[:, 1])
    rows, columns = (images[:, 0] // 40, images[:, 0] % 40)
    down = (rows - torch.arange(40).view(-1, 1))[hidden[:, 0]].abs()
    right = (columns - torch.arange(40))[hidden[:, 0]].abs()
    assert set(down.tolist()) | set(right.tolist()) <= {0, 1, 2, 38, 39}  # beyond the border


@pytest.mark.parametrize("structure", ["row", "column"])
def test_along_a_structure_nothing_of_its_line_is_seen(structure):
    y = places()
    images, hidden, _, _ = BlindSpot(None, 0.01, structure)(y, KeyedRandom(0))
    came_from, place, hidden = images[:, 0], y[:, 0], hidden[:, 0]
    if structure == "column":  # as if they were rows
        came_from, place, hidden = (t.transpose(1, 2) for t in (came_from, place, hidden))
        came_from, place = (t % 40 * 40 + t // 40 for t in (came_from, place))
    replaced = came_from != place
    assert ((came_from // 40) != (place // 40))[replaced].all()
    for n, row, column in hidden.nonzero().tolist():
        assert replaced[n, row, max(0, column - REACH) : column + REACH + 1].all()
    assert 0.05 < replaced.float().mean() < 0.11
    assert abs(hidden.float().mean() - 0.01) < 0.003


def test_only_row_and_column_are_structures():
    with pytest.raises(NarrowsError, match="no structure called 'rows'; did you mean 'row'"):
        BlindSpot(None, structure="rows")
    with pytest.raises(NarrowsError, match="rate: got 1, expected a share in"):
        BlindSpot(None, rate=1)
