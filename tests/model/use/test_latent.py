import numpy as np
import pytest

import narrows as nw
from narrows.errors import BuildError, ImageError


def test_a_walk_goes_from_one_reconstruction_to_the_other(vae, digits):
    walk = nw.interpolate(vae, digits[0], digits[1], steps=5)
    assert (walk.shape, walk.dtype) == ((5, 8, 8), np.uint8)
    np.testing.assert_array_equal(walk[[0, -1]], vae.reconstruct(digits[:2]))
    middle = vae.inverse_transform(vae.transform(digits[:2]).mean(0, keepdims=True))
    np.testing.assert_array_equal(walk[2], middle[0])
    np.testing.assert_array_equal(walk[::-1], nw.interpolate(vae, digits[1], digits[0], steps=5))


def test_in_the_linear_model_a_walk_is_a_cross_fade(pca, digits):
    middle = nw.interpolate(pca, digits[0], digits[1], steps=3)[1]
    ends = pca.reconstruct(digits[:2] / 255, exact=True)
    np.testing.assert_allclose(middle, 255 * ends.mean(0).clip(0, 1), atol=0.51)


def test_noise_of_no_strength_changes_nothing_and_more_changes_more(vae, digits):
    images = nw.perturb(vae, digits[:20], scale=[0, 0.5, 1, 3])
    assert images.shape == (4, 20, 8, 8)
    plain = vae.reconstruct(digits[:20])
    np.testing.assert_array_equal(images[0], plain)
    changes = np.abs(images.astype(int) - plain).mean((1, 2, 3))
    assert changes[1] < changes[2] < changes[3]
    np.testing.assert_array_equal(nw.perturb(vae, digits[:20], scale=0.5), images[1])


def test_the_noise_belongs_to_the_seed_and_is_of_the_strength_asked_for(pca, digits):
    pixels = digits / 255
    one, two, other = (nw.perturb(pca, pixels, 0.1, random_state=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    wide = nw.PCA().fit(digits)  # of all components: what is decoded can be encoded again
    noise = wide.transform(nw.perturb(wide, pixels * 0.5 + 0.25, 0.01)) - wide.transform(
        pixels * 0.5 + 0.25
    )
    assert noise.std() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(
    ("use", "kind", "reason"),
    [
        (
            lambda m, X: nw.interpolate(m, X[0], X[1], steps=1),
            BuildError,
            "steps: got 1, expected an integer ≥ 2",
        ),
        (lambda m, X: nw.interpolate(m, X[0], X[1], steps=2.5), BuildError, "steps: got 2.5"),
        (
            lambda m, X: nw.interpolate(m, X[0], X[1, :5]),
            ImageError,
            r"one shape: got \(8, 8\) and \(5, 8\)",
        ),
        (lambda m, X: nw.interpolate(m, X[:2], X[1:3]), ImageError, "got|pixels|channels"),
        (
            lambda m, X: nw.perturb(m, X, scale=[1, -1]),
            BuildError,
            r"scale: got \[1, -1\], expected numbers ≥ 0",
        ),
        (lambda m, X: nw.perturb(m, X, scale=np.nan), BuildError, "scale: got nan"),
        (lambda m, X: nw.perturb(m, X[0, 0]), ImageError, "array"),
    ],
)
def test_wrong_walks_are_refused(vae, digits, use, kind, reason):
    with pytest.raises(kind, match=reason):
        use(vae, digits)
