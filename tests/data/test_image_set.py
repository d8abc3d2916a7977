"""Laws of the image set: fingerprints name pixels, labels are checked."""

from pathlib import Path

import numpy as np
import pytest

from narrows.data.image_set import ImageSet, check_labels, fingerprint, join_sets
from narrows.errors import DataError


def test_the_fingerprint_names_values_shape_and_type(images):
    known = fingerprint(images)
    assert len(known) == 16
    assert ImageSet(images).fingerprint == known == fingerprint(images.copy())
    changed = images.copy()
    changed[-1, -1, -1] ^= 1
    others = [
        changed,
        images[:-1],
        images.reshape(5, 3, 4),
        images.astype(np.int8),
        images.astype(np.float32),
    ]
    assert len({known, *map(fingerprint, others)}) == 6


PIXELS = (np.arange(60) * 4).astype(np.uint8).reshape(5, 4, 3)


def test_the_fingerprint_is_exactly_this():
    """Records and model files hold it: another value makes the same data look like other data."""
    assert fingerprint(PIXELS) == "d09c77918e225718"
    assert fingerprint(PIXELS.astype(np.float32) / 255) == "b4901e2dfc8802af"
    assert ImageSet(PIXELS, noisy=PIXELS[::-1]).fingerprint == "6661ab54a8691602"


@pytest.mark.parametrize("bit", range(8))
def test_the_fingerprint_changes_with_any_bit_of_either_image_of_a_pair(bit):
    known = {fingerprint(PIXELS), ImageSet(PIXELS, noisy=PIXELS).fingerprint}
    for place in np.ndindex(PIXELS.shape):
        changed = PIXELS.copy()
        changed[place] ^= 1 << bit
        known |= {
            ImageSet(changed, noisy=PIXELS).fingerprint,
            ImageSet(PIXELS, noisy=changed).fingerprint,
        }
    assert len(known) == 2 + 2 * PIXELS.size


def test_the_fingerprint_is_the_same_for_any_memory_layout_and_byte_order(images):
    wide = images.astype(np.uint16)
    assert (
        fingerprint(wide) == fingerprint(wide.astype(">u2")) == fingerprint(np.asfortranarray(wide))
    )


def test_the_fingerprint_reads_a_large_set_in_steps():
    large = np.zeros((4097, 2), np.uint8)
    other = large.copy()
    other[4096, 1] = 1
    assert fingerprint(large) != fingerprint(other)


def test_join_puts_one_set_after_the_other(images):
    first = ImageSet(images, np.arange(5), ("a",) * 5, ("x",), "here", (("b", "bad"),))
    second = ImageSet(images[:2], np.arange(2), ("c",) * 2, ("x",), "here")
    both = join_sets([first, second])
    assert both.images.shape == (7, 4, 3)
    assert both.labels.tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert (len(both), both.names[-1], both.source, both.skipped) == (
        7,
        "c",
        "here",
        (("b", "bad"),),
    )
    assert join_sets([first]) is first
    assert join_sets([first, ImageSet(images)]).labels is None


@pytest.mark.parametrize(
    "labels", [np.arange(3), np.arange(3.0), np.arange(3)[:, None], np.uint8([0, 1, 2])]
)
def test_labels_become_int64(labels):
    found, classes = check_labels(labels, 3, Path("x.npz"))
    assert (found.dtype, found.tolist(), classes) == (np.int64, [0, 1, 2], None)


def test_words_become_classes():
    found, classes = check_labels(np.array(["dog", "cat", "dog"]), 3, Path("x.npz"))
    assert (found.tolist(), classes) == ([1, 0, 1], ("cat", "dog"))


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (
            np.arange(4),
            r"x.npz holds labels of shape \(4,\) for 3 images; expected one label an image, \(3,\)",
        ),
        (np.eye(3), r"shape \(3, 3\) for 3 images"),
        (np.array([0, 0.5, 1]), "labels of type float64; expected integers or words"),
        (np.array([0, np.nan, 1]), "expected integers or words"),
    ],
)
def test_other_labels_are_refused(labels, told):
    with pytest.raises(DataError, match=told):
        check_labels(labels, 3, Path("x.npz"))
