"""Archives and pixel models for the fuzzer, and the law that their mutants obey.

A mutant is refused (`DataError`), or gives exactly the images that went in. One whose checksums were
made right says something else of its images: it is refused, or decoded as the page of formats says,
which is what the second decoder does.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import narrows as nw
from archive_mutants import archive_mutants, joined, model_mutants, parts_of
from fuzzed_loaders import Loader
from mutants import bytes_mutants
from narrows.codec import general
from narrows.codec.archive import Archive, Writer, index_of
from narrows.codec.blocks import Kind
from narrows.codec.code_mode import codes_of
from narrows.codec.describe import describe_index
from narrows.codec.extras import Extras, PictureKind
from narrows.codec.index import MODES
from narrows.codec.palette import Palette
from narrows.codec.pixel_model import PixelModel, read_model
from narrows.errors import DataError, NarrowsError
from second_decoder import decode
from small_pixel_models import categorical, mixture, smooth, strokes

CODE = MODES.index("code")
Images = Sequence[np.ndarray]


class Fuzzed(NamedTuple):
    """One file, its mutants of a count and a seed, and what puts the law to each of them."""

    content: bytes
    mutants: Callable[[int, int], Iterator[bytes]]
    check: Callable[[bytes], None]


def damaged(content: bytes, model: Any = None) -> Fuzzed:
    """An archive with wrong bytes and wrong checksums."""
    originals = list(nw.decompress(content, model))

    def check(mutant: bytes) -> None:
        assert_same(in_our_words(lambda: nw.decompress(mutant, model)), originals)

    return Fuzzed(content, lambda count, seed: bytes_mutants(content, count, seed), check)


def hostile(content: bytes, model: Any = None) -> Fuzzed:
    """An archive with wrong bytes and right checksums."""

    def check(mutant: bytes) -> None:
        in_our_words(lambda: describe_index(index_of(BytesIO(mutant)), __file__))
        images = in_our_words(lambda: nw.decompress(mutant, model))
        archive = Archive(BytesIO(mutant))
        if archive.index.mode == CODE:
            images = [row for rows in codes_of(archive) for row in rows]
        assert_same(images, decode(mutant))

    check(content)
    return Fuzzed(content, lambda count, seed: archive_mutants(content, count, seed), check)


def hostile_model(content: bytes) -> Fuzzed:
    """A pixel model with wrong bytes; each second with right checksums, and an archive that needs it."""
    plain, blocks, model = parts_of(content)
    originals = list(nw.decompress(content))

    def mutants(count: int, seed: int) -> Iterator[bytes]:
        yield from bytes_mutants(model, count // 2, seed)
        yield from model_mutants(model, count - count // 2, seed)

    def check(mutant: bytes) -> None:
        read = in_our_words(lambda: read_model(mutant))
        needs_it = joined({**plain, "model": 2, "digest": read.digest[:16].hex()}, blocks, b"")
        with suppress(DataError):
            assert_same(in_our_words(lambda: nw.decompress(needs_it, read)), originals)
        assert_exact(read, originals)

    return Fuzzed(model, mutants, check)


def in_our_words(read: Callable[[], Any]) -> Any:
    """What is read; an error of ours that does not say that a file is wrong is a failure."""
    try:
        return read()
    except DataError:
        raise
    except NarrowsError as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from error


def assert_exact(model: PixelModel, images: Images) -> None:
    """What a model codes is what the page of formats says, whatever its numbers are."""
    images = [
        image for image in images if model.fits(Kind(image.dtype.name, model.channels), [image])
    ]
    data = written(images, model)
    assert_same(in_our_words(lambda: nw.decompress(data)), images)
    assert_same(decode(data), images)


def assert_same(images: Images, originals: Images) -> None:
    assert len(images) == len(originals), f"{len(images)} images instead of {len(originals)}"
    for image, original in zip(images, originals, strict=True):
        assert (image.dtype, image.shape) == (original.dtype, original.shape)
        assert image.tobytes() == original.tobytes(), "other pixels"
        assert image.dtype != bool or image.view(np.uint8).max(initial=0) < 2, "no bits"


# -- archives --------------------------------------------------------------------------------------


def written(
    images: Images, model: PixelModel | None = None, mode: str = "lossless", **said: Any
) -> bytes:
    """An archive in which the model, if there is one, codes whatever it can."""
    file, extras = BytesIO(), Extras(len(images), **said)
    below = general.pack_below
    try:
        general.pack_below = lambda data, length: (length, None)
        Writer(file, model, mode=mode).write(images, extras.to_bytes)
    finally:
        general.pack_below = below
    return file.getvalue()


def grey() -> bytes:
    """A pixel model and two blocks."""
    images = [*strokes(2, (5, 6)), strokes(1, (4, 3))[0], strokes(1, (3, 9))[0] > 0]
    return written(images, categorical(area=12, tile=4), is_list=True)


def colour() -> bytes:
    images = [smooth((5, 6, 3)), smooth((3, 4, 3), seed=1), smooth((20, 1, 3), seed=2)]
    return written(images, mixture(area=12, tile=4), is_list=True)


def deep() -> bytes:
    images = np.array([smooth((4, 5, 1), 65536, k, np.int16)[:, :, 0] for k in range(2)])
    return written(images, mixture(1, 65536, area=12, tile=4))


def levels() -> bytes:
    palette = Palette("int16", (-9, 0, 5, 700), 2.5)
    return written(strokes(3, (5, 6), values=4), categorical(4), "levels", palette=palette)


def plain() -> bytes:
    """All types and shapes, by general compressors, with the names of files."""
    noise = np.random.default_rng(0).integers(0, 5, (9, 7, 8))
    images = [noise[0].astype(np.uint8), noise[1] > 2, noise[2:5].astype(np.uint16), noise[:0, 0]]
    images += [noise[5, :, :4].astype(np.int16), noise[6].astype(np.float32), noise[7, 0] / 3]
    images[2], images[3] = images[2].transpose(1, 2, 0).copy(), np.zeros((0, 3), np.uint8)
    kinds = {PictureKind("L"): 0, PictureKind("I;16", (0.0, 4095.0), b"profile"): 1}
    names = ["a/1.png", "stack.tif", "b/c/d.png", "4.png"]
    return written(images, names=names, pages=[1, 4, 1, 1], kinds=kinds, kind=[0, 1, 1, 1, 1, 0, 0])


IMAGES = np.random.default_rng(0).integers(0, 256, (30, 4, 4), np.uint8)


def coder() -> nw.PCA:
    return nw.PCA(2).fit(IMAGES)


def codes() -> bytes:
    return nw.compress(coder(), IMAGES)


def symbols() -> bytes:
    """Of codes, as if they were images."""
    plain, blocks, model = parts_of(codes())
    return joined({**plain, "mode": 0, "extras": None}, blocks, model)


SOURCES = grey, colour, deep, levels, plain
ARCHIVES: dict[str, Callable[[], Fuzzed]] = {
    **{f"damaged {make.__name__}": lambda make=make: damaged(make()) for make in SOURCES},
    **{f"hostile {make.__name__}": lambda make=make: hostile(make()) for make in SOURCES},
    "damaged codes": lambda: damaged(codes(), coder()),
    "hostile codes": lambda: hostile(codes(), coder()),
    **{
        f"model of {make.__name__}": lambda make=make: hostile_model(make())
        for make in (grey, colour, deep, symbols)
    },
}


def loader_of(name: str, make: Callable[[], Fuzzed]) -> Callable[[Path], Loader]:
    def loader(folder: Path) -> Loader:
        fuzzed, path = make(), folder / "mutant"
        return Loader(
            path,
            lambda count, seed: fuzzed.mutants(max(1, count // 10), seed),
            lambda: fuzzed.check(path.read_bytes()),
        )

    loader.__name__ = f"archive: {name}"
    return loader


ARCHIVE_LOADERS = [loader_of(name, make) for name, make in ARCHIVES.items()]
