"""Which axis of an array counts the images.

MATLAB keeps images with their number last, `(H, W, C, N)` or `(H, W, N)`, but arrays that Python
wrote into a file of MATLAB have it first. The option `axis`, from 0, decides where the guess is
wrong.
"""

from collections.abc import Sequence

from narrows.errors import wrong


def matlab_order(shape: Sequence[int], labels: int = 0) -> tuple[int, ...]:
    """The axes of an array of MATLAB, that of the images first.

    It is the last or the first: that as long as there are labels; of (H, W, C, N) and (H, W, N) the
    last, unless the channels or a square say otherwise; of a table the longer.

    >>> matlab_order((32, 32, 3, 100))
    (3, 0, 1, 2)
    """
    first, last = 0, len(shape) - 1
    if labels and (shape[first] == labels) != (shape[last] == labels):
        is_first = shape[first] == labels
    else:
        is_first = {
            2: shape[first] > shape[last],
            3: shape[first] != shape[1] == shape[last],
            4: shape[2 % len(shape)] > 4 >= shape[last],
        }[len(shape)]
    return order_by(first if is_first else last, len(shape))


def order_by(axis: int, dims: int) -> tuple[int, ...]:
    """The axes of an array of that many, the given one, from 0, first. Raises `BuildError`."""
    if axis not in range(-dims, dims):
        raise wrong("axis", axis, f"one of 0 to {dims - 1}, along which the images follow")
    first = axis % dims
    return first, *(other for other in range(dims) if other != first)
