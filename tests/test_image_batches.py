"""A set of images in memory: its batches, its parts, its fingerprint."""

import numpy as np
import pytest
import torch

from narrows.image_batches import CACHE_VALUES, ImageBatches
from narrows.image_inputs import as_images
from narrows.levels import LEVELS, unit_values
from narrows.scale import FIXED_SCALES, choose_scale
from small_images import random_images

X = (np.arange(48) * 5).astype(np.uint8).reshape(4, 4, 3)
WEIGHTS = np.array([1.0, 2.0, 3.0, 2.0])


def batches_of(array: np.ndarray, **options) -> ImageBatches:
    return ImageBatches(*as_images(array), FIXED_SCALES["unit"], **options)


def standardised(table: np.ndarray) -> ImageBatches:
    array, layout = as_images(table)
    return ImageBatches(array, layout, choose_scale("standard", array, layout))


def fingerprint(array: np.ndarray, **options) -> str:
    return batches_of(array, **options).fingerprint()


def test_the_fingerprint_is_exactly_this():
    """Checkpoints hold it: another value refuses to resume every training that was begun before."""
    assert fingerprint(X) == "edec347658ad5992"
    assert fingerprint(X, weights=WEIGHTS) == "af1d2e4d424d167b"
    assert fingerprint(X, noisy=batches_of(X[::-1])) == "5af331ef36335c15"
    assert (
        fingerprint(np.linspace(0, 1, 2000 * 4, dtype=np.float32).reshape(2000, 4))
        == "28b8b1cbd528d8e1"
    )
    assert batches_of(X).part(torch.tensor([2, 0])).fingerprint() == "9ac3406f3d23f167"


def test_the_fingerprint_changes_with_shape_type_and_number():
    others = [
        X[:3],
        X[::-1],
        X.reshape(4, 3, 4),
        X.reshape(4, 12),
        X[..., None],
        X.astype(np.uint16),
    ]
    assert fingerprint(X) == fingerprint(X.copy())
    assert len({fingerprint(array) for array in (X, *others)}) == 7


@pytest.mark.parametrize("bit", range(8))
def test_the_fingerprint_changes_with_any_bit_of_any_image(bit):
    known = {fingerprint(X)}
    for place in np.ndindex(X.shape):
        changed = X.copy()
        changed[place] ^= 1 << bit
        known.add(fingerprint(changed))
    assert len(known) == 1 + X.size


def test_the_fingerprint_changes_with_any_weight_and_any_noisy_image():
    known = {fingerprint(X), fingerprint(X, weights=WEIGHTS), fingerprint(X, noisy=batches_of(X))}
    for k in range(4):
        weights = WEIGHTS.copy()
        weights[k] *= 1 + 1e-6
        noisy = X.copy()
        noisy[k, 3, 2] ^= 1
        known |= {fingerprint(X, weights=weights), fingerprint(X, noisy=batches_of(noisy))}
    assert len(known) == 3 + 2 * 4


def test_the_fingerprint_is_of_the_first_the_last_and_a_thousand_images_evenly_spaced():
    many = np.zeros((1999, 1, 1), np.uint8)
    before = fingerprint(many)
    changes = []
    for k in range(len(many)):
        many[k] = 1
        if fingerprint(many) != before:
            changes.append(k)
        many[k] = 0
    assert changes == list(range(0, 1999, 2))


def test_the_fingerprint_of_many_images_looks_at_places_that_there_are():
    assert fingerprint(np.zeros((2**24 + 4, 1, 1), np.uint8))  # the last place is no float32


@pytest.mark.parametrize("dtype", LEVELS)
def test_a_batch_is_channels_first_float32_on_the_working_scale(dtype):
    X = random_images(dtype, 6, 5, 7, 3)
    for name, (low, high) in {"unit": (0, 1), "symmetric": (-1, 1)}.items():
        batch = ImageBatches(*as_images(X), FIXED_SCALES[name]).batch(torch.tensor([4, 1]))
        assert batch.dtype == torch.float32
        unit = unit_values(X[[4, 1]].transpose(0, 3, 1, 2))
        expected = unit * (high - low) + low
        np.testing.assert_allclose(batch, expected, atol=1e-6)
        assert FIXED_SCALES[name].bounds == (low, high)


def test_a_contiguous_array_shares_its_memory():
    X = random_images("uint8", 6, 5, 7)
    assert ImageBatches(*as_images(X), FIXED_SCALES["unit"]).raw.data_ptr() == X.ctypes.data


def test_a_part_has_its_images_in_the_same_memory():
    X = random_images("uint8", 9, 5, 7)
    whole = ImageBatches(*as_images(X), FIXED_SCALES["symmetric"])
    part = whole.part(torch.tensor([7, 2, 5, 0]))
    assert (len(whole), len(part)) == (9, 4)
    assert part.raw.data_ptr() == X.ctypes.data
    assert torch.equal(part.batch(slice(1, 3)), whole.batch(torch.tensor([2, 5])))
    assert torch.equal(part.batch(torch.tensor([3, 0])), whole.batch(torch.tensor([0, 7])))
    assert [len(part.batch(rows)) for rows in part.batches()] == [4]


def test_a_memory_map_stays_on_the_disk(tmp_path):
    np.save(tmp_path / "x.npy", random_images("uint16", 50, 4, 4))
    stored = np.load(tmp_path / "x.npy", mmap_mode="r")
    pixels = ImageBatches(*as_images(stored), FIXED_SCALES["unit"])
    assert pixels.raw.data_ptr() == stored.ctypes.data
    assert torch.equal(pixels.batch(torch.tensor([3, 1])), pixels.batch(slice(None))[[3, 1]])


@pytest.mark.parametrize(
    ("values", "widest", "step"),
    [(12, 0, 3), (15, 3, 3), (3, 0, 1), (10**6, 0, 1000), (12, 6, 2), (12, 99, 1)],
)
def test_batches_cover_the_set_in_order_and_are_smaller_for_large_images(
    monkeypatch, values, widest, step
):
    monkeypatch.setitem(CACHE_VALUES, "cpu", values)
    pixels = ImageBatches(*as_images(random_images("uint8", 2, 2, 2)), FIXED_SCALES["unit"])
    pixels.raw = torch.zeros(7, 2, 2)
    assert pixels.step(widest) == step
    rows = pixels.batches(widest)
    assert [i for r in rows for i in range(7)[r]] == list(range(7))
    assert all(r.stop - r.start == step for r in rows[:-1])


@pytest.mark.parametrize("shape", [(6, 5, 7), (6, 5, 7, 3)], ids=str)
@pytest.mark.parametrize("index", [slice(1, 4), torch.tensor([4, 0])], ids=["slice", "index"])
def test_a_batch_has_one_memory_order_whatever_the_arrays_was(shape, index):
    """torch computes a convolution by the strides of its input, and with other strides other last
    bits.
    """
    X = random_images("uint8", *shape)
    expected = batches_of(X).batch(index)
    swapped = np.ascontiguousarray(X.swapaxes(1, 2)).swapaxes(1, 2)
    for other in (
        np.asfortranarray(X),
        swapped,
        X[..., None] if X.ndim == 3 else X[:, ::-1][:, ::-1],
    ):
        batch = batches_of(other).batch(index)
        assert batch.stride() == expected.stride()
        assert torch.equal(batch, expected)


def test_tables_of_any_memory_order_have_one_scale_and_one_memory_order():
    X = np.random.default_rng(0).normal(size=(300, 37)).astype(np.float32)
    for other in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        a, b = (standardised(table).batch(slice(None)) for table in (X, other))
        assert a.stride() == b.stride()
        assert torch.equal(a, b)
