"""Tensors of torch, read without running code."""

import numpy as np
import pytest
import torch

from narrows.data import read_data
from narrows.data.readers.formats import format_of
from narrows.errors import DataError

X = torch.arange(5 * 6 * 4, dtype=torch.uint8).view(5, 6, 4)
Y = torch.tensor([3, 1, 4, 1, 5])


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["training.pt", "a.dat"])
@pytest.mark.parametrize("content", [X, (X, Y), [X, Y], {"data": X, "targets": Y}])
def test_tensors_pairs_and_dicts_are_read(tmp_path, zipped, name, content):
    torch.save(content, tmp_path / name, _use_new_zipfile_serialization=zipped)
    assert format_of(tmp_path / name) == "torch"
    found = read_data(tmp_path / name)
    assert found.images.dtype == np.uint8
    assert np.array_equal(found.images, X.numpy())
    assert (found.labels is None) == (content is X)
    if content is not X:
        assert found.labels.tolist() == Y.tolist()


def test_channels_come_last(tmp_path):
    images = torch.rand(5, 3, 6, 4, requires_grad=True)
    torch.save({"mine": images}, tmp_path / "a.pt")
    found = read_data(tmp_path / "a.pt", array="mine")
    assert np.array_equal(found.images, images.detach().permute(0, 2, 3, 1).numpy())
    with pytest.raises(DataError, match="has no images under minr; did you mean 'mine'"):
        read_data(tmp_path / "a.pt", array="minr")


def test_bfloat16_becomes_float32(tmp_path):
    images = torch.rand(5, 6, 4).bfloat16()
    torch.save(images, tmp_path / "a.pt")
    found = read_data(tmp_path / "a.pt")
    assert found.images.dtype == np.float32
    assert np.array_equal(found.images, images.float().numpy())


def test_no_code_is_run_and_other_things_are_refused(tmp_path):
    for content in (torch.nn.Linear(2, 2), [1, 2], {"x": 3}, {}, 7):
        torch.save(content, tmp_path / "a.pt")
        with pytest.raises(DataError, match=r"a\.pt "):
            read_data(tmp_path / "a.pt")
    torch.save(X, tmp_path / "a.pt")
    whole = (tmp_path / "a.pt").read_bytes()
    for damaged in (b"", whole[:100], whole[: len(whole) // 2]):
        (tmp_path / "a.pt").write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.pt "):
            read_data(tmp_path / "a.pt")
