"""What Pillow refuses of a file because it might be meant to fill the memory: larger for our own reading.

A scan of 200 megapixels and a PNG with a page of text are no attack. The limits stay finite, those
that the user has set are kept, and Pillow's own are back as soon as nothing here reads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from PIL import Image, PngImagePlugin

MOST_PIXELS = 2**29  # of one page; at twice as many Pillow refuses
LONGEST_TEXT = 2**26  # bytes of the texts in a PNG, which are read and not used
LIMITS = (
    (Image, "MAX_IMAGE_PIXELS", MOST_PIXELS),
    (PngImagePlugin, "MAX_TEXT_CHUNK", LONGEST_TEXT),
    (PngImagePlugin, "MAX_TEXT_MEMORY", LONGEST_TEXT),
)
USUAL = {name: getattr(module, name) for module, name, _ in LIMITS}
LOCK = Lock()
readings = 0


@contextmanager
def larger_limits() -> Iterator[None]:
    """The block reads pictures, perhaps next to other threads that do."""
    _begin()
    try:
        yield
    finally:
        _end()


def _begin() -> None:
    global readings
    with LOCK:
        readings += 1
        if readings == 1:
            _replace({name: (USUAL[name], limit) for _, name, limit in LIMITS})


def _end() -> None:
    global readings
    with LOCK:
        readings -= 1
        if readings == 0:
            _replace({name: (limit, USUAL[name]) for _, name, limit in LIMITS})


def _replace(changes: dict[str, tuple[object, object]]) -> None:
    """Set the limits that have the first value to the second."""
    for module, name, _ in LIMITS:
        before, after = changes[name]
        if getattr(module, name) == before:
            setattr(module, name, after)
