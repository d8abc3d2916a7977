"""The ways of storing a set of images that are compared: ours, bits-back coding, classical codecs.

A way may need a model, which it trains on the training images of the set and keeps in a file. With it, it
is a coder: images → files → images. What has loss is measured at some qualities (`narrows.codec.rates`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrows.bench import codec_ours
from narrows.codec.arrangements import Images, Shape, decode, encode
from narrows.codec.classical import LOSSLESS, LOSSY, STREAMS, Codec, why_missing
from narrows.codec.compress import compress
from narrows.codec.decompress import decompress
from narrows.codec.model_files import load_pixel_model
from narrows.errors import BuildError, NarrowsError

OURS = "narrows"
BITS_BACK = "bits-back"  # with which speeds are compared


class Coder(NamedTuple):
    """encode: images → files. decode: these files and the shapes of the images → the images."""

    encode: Callable[[Images], list[bytes]]
    decode: Callable[[Sequence[bytes], Sequence[Shape]], Images]


@dataclass(frozen=True)
class Way:
    """open: from the file of the model, the coder. call: how it is made, as text. train: writes the
    model of training images to a file; None if there is none.
    """

    call: str
    open: Callable[[Path], Coder]
    train: Callable[[Images, Path], None] | None = None


def classical(codec: Codec, arrangement: str) -> Way:
    """A codec that is not learned."""

    def open_codec(model: Path) -> Coder:
        if why := why_missing(codec):
            raise NarrowsError(why)
        return Coder(
            partial(encode, codec, arrangement=arrangement),
            partial(decode, codec, arrangement=arrangement),
        )

    return Way(codec.call, open_codec)


def _open_pixel_model(path: Path) -> Coder:
    model = load_pixel_model(path)
    return Coder(
        lambda images: [compress(model, images, apart=True)],
        lambda files, shapes: decompress(files[0], model),
    )


def _train_vae(images: Images, path: Path) -> None:
    from narrows.bench.beta_binomial_vae import save, train

    if not isinstance(images, np.ndarray) or images.ndim != 3:
        raise BuildError("this VAE is of grey images of one size")
    save(train(images), path)


def _open_vae(path: Path) -> Coder:
    from narrows.bench.beta_binomial_vae import load
    from narrows.bench.bits_back import BitsBack

    coder = BitsBack(load(path))
    return Coder(
        lambda images: [coder.encode(np.asarray(images))],
        lambda files, shapes: coder.decode(files[0], (len(shapes), *shapes[0])),
    )


WAYS: dict[str, Way] = {
    OURS: Way(codec_ours.CALL, _open_pixel_model, codec_ours.train),
    f"{OURS}-best": Way(codec_ours.CALL, _open_pixel_model, partial(codec_ours.train, best=True)),
    BITS_BACK: Way("narrows.bench.bits_back", _open_vae, _train_vae),
    **{name: classical(codec, "stream") for name, codec in STREAMS.items()},
    **{name: classical(codec, "each") for name, codec in LOSSLESS.items()},
    **{f"{name}-sprite": classical(codec, "sprite") for name, codec in LOSSLESS.items()},
}


@dataclass(frozen=True)
class LossyWay:
    """arrangements: how it stores a set. points: from the images, one of these, a function that reads the
    training images, and the file of the model, a row for each quality.
    """

    arrangements: tuple[str, ...]
    points: Callable[[Images, str, Callable[[], Images], Path], list[dict[str, Any]]]


def _classical_points(
    name: str, images: Images, arrangement: str, training: Any, model: Path
) -> list[dict[str, Any]]:
    from narrows.codec.rates import rate_points

    ladder = LOSSY[name]
    if why := why_missing(ladder.at(ladder.qualities[0])):
        raise NarrowsError(why)
    return rate_points(images, [name], arrangement)


LOSSY_WAYS: dict[str, LossyWay] = {
    f"{OURS}-levels": LossyWay(("archive",), codec_ours.level_points),
    f"{OURS}-code": LossyWay(("archive",), codec_ours.code_points),
    **{name: LossyWay(("each", "sprite"), partial(_classical_points, name)) for name in LOSSY},
}
