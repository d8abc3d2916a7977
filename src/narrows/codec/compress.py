"""Images -> an archive, by one of the modes of the table below.

    lossless   the pixels, as the pixel model codes them
    levels     each pixel as the number of the nearest of Q grey levels (`palette`), as a pixel model of
               Q values codes it
    code       the code of an autoencoder as integers (`code_mode`); its decoder makes the images

Without a pixel model one is trained on the images themselves. A model goes inside if the archive is
smaller with it than by the best general compressor alone:

    bytes of the model < bytes that general compressors need more than it, over all its blocks
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from io import BytesIO
from os import PathLike
from typing import Any, BinaryIO
from warnings import warn

import numpy as np

from narrows.codec.archive import Writer
from narrows.codec.code_mode import encode_images, quantisation, write_codes
from narrows.codec.codes import as_integers
from narrows.codec.extras import Extras
from narrows.codec.fitting import NONE, Training, may_pay, train_pixel_model
from narrows.codec.index import NO_MODEL
from narrows.codec.model_files import load
from narrows.codec.palette import MOST, best_palette
from narrows.codec.pixel_model import PixelModel
from narrows.codec.sources import Batch, Numbers, Source
from narrows.errors import NarrowsWarning, unknown, wrong

ROUNDS = 12  # of the search for better codes
GENERAL = "the best general compressor is used"


def compress(
    model: Any,
    X: Any,
    mode: str = "",
    levels: int | None = None,
    *,
    apart: bool = False,
    target: float | None = None,
    search: int = ROUNDS,
    random_state: int = 0,
) -> bytes:
    """Images as the bytes of an archive (`.nrw`), of which `decompress` makes the same images again.

    model: a pixel model, the path of one (`.nrwm`), another model or its path, or None. Without a pixel
        model one is trained on X.
    X: an array `(N, D)`, `(N, H, W)` or `(N, H, W, C)`, C of 1 to 4, or a list of images of any sizes and
        types; uint8, uint16, int16, bool or floats.
    mode: "lossless" (default without an autoencoder): each value comes back as it is. "levels": of each
        value comes back the nearest of `levels` grey levels, which are chosen for the least squared error.
        "code" (default with an autoencoder): what comes back is what its decoder makes of its code.
    levels: number of grey levels, 2 to 65536; given alone, the mode is "levels".
    target: bytes an image that the codes of an autoencoder may take, > 0. By default they are so fine that
        the squared error is at most 5 % more than without rounding.
    search: at most this many rounds of looking for better integers of the code of each image
        (`code_search`), 0 or more, for each size of moves. A round takes the time of about 6 decodings;
        most images need fewer than 10.
    apart: the model is not kept in the archive, and `decompress` needs it. By default it is kept if the
        archive is smaller with it than without.
    random_state: seed of the training of a model, an integer ≥ 0.

    Warns (`NarrowsWarning`) where a general compressor takes the place of a model. Raises `ImageError` for
    what are no images, `BuildError` for options that do not go together, `DataError` for a file of no model.
    """
    file = BytesIO()
    plan = plan_of(
        model,
        mode,
        levels,
        apart=apart,
        target=target,
        search=search,
        training=Training(random_state),
    )
    write_archive(file, Batch(X), plan)
    return file.getvalue()


def _warn(words: str) -> None:
    warn(words, NarrowsWarning, stacklevel=5)


@dataclass
class Plan:
    """How images are compressed. model: a pixel model, or None; note: says what else there is to say.

    other: a model with a code, or None. every: all images, if those that are compressed are a share of
    them.
    """

    mode: str = "lossless"
    levels: int | None = None
    model: PixelModel | None = None
    other: Any = None
    apart: bool = False
    target: float | None = None
    search: int = ROUNDS
    training: Training = field(default_factory=Training)
    note: Callable[[str], None] = _warn
    every: Source | None = None


def plan_of(model: Any, mode: str = "", levels: int | None = None, **options: Any) -> Plan:
    """What is asked for, checked. options: further fields of the plan. Raises `UnknownName`, `BuildError`."""
    if isinstance(model, (str, PathLike)):
        model = load(model)
    is_other = model is not None and not isinstance(model, PixelModel)
    mode = mode or _default_mode(levels, is_other)
    if mode not in WRITERS:
        raise unknown("mode", mode, WRITERS)
    if (levels is None) == (mode == "levels"):
        raise wrong("levels", levels, "a number with the mode 'levels', and none with others")
    if levels is not None and not (type(levels) is int and 2 <= levels <= MOST):
        raise wrong("levels", levels, f"an integer from 2 to {MOST:,}")
    target = options.get("target")
    if target is not None and (mode != "code" or not target > 0):
        raise wrong("target", target, "a number of bytes > 0, with the mode 'code'")
    if not (type(search := options.get("search", ROUNDS)) is int and search >= 0):
        raise wrong("search", search, "an integer of rounds ≥ 0")
    if options.get("apart") and (model is None or is_other):
        raise wrong(
            "apart", True, "a pixel model that is kept elsewhere", "give one, such as m.nrwm"
        )
    if is_other:
        return Plan(mode, levels, other=model, **options)
    return Plan(mode, levels, model, **options)


def _default_mode(levels: int | None, is_other: bool) -> str:
    if levels is not None:
        return "levels"
    return "code" if is_other else "lossless"


def write_archive(file: BinaryIO, source: Source, plan: Plan) -> Writer:
    """Compress images to a file that can be read and written. Raises as `compress`."""
    return WRITERS[plan.mode](file, source, plan)


def _write_lossless(file: BinaryIO, source: Source, plan: Plan) -> Writer:
    model = plan.model or _own_model(source, plan)
    return _write_smallest(file, source, model, plan, lambda: source.extras)


def _write_levels(file: BinaryIO, source: Source, plan: Plan) -> Writer:
    assert plan.levels
    palette = best_palette(plan.every or source, plan.levels)
    images = Numbers(source, palette)
    model = plan.model
    if model is None:
        model = _own_model(images, plan)
    elif model.values != plan.levels:
        plan.note(
            f"the pixel model is one of {model.values} values, not of {plan.levels}, so {GENERAL}; "
            f"narrows codec train --levels {plan.levels} trains one"
        )
        model = None
    return _write_smallest(
        file, images, model, plan, lambda: replace(source.extras, palette=palette)
    )


def _write_code(file: BinaryIO, source: Source, plan: Plan) -> Writer:
    if plan.other is None:
        expected = "an autoencoder, such as one of the recipe compression-mlp"
        raise wrong("model", "none" if plan.model is None else "a pixel model", expected)
    codes, images, code = encode_images(plan.other, source)
    step, offset = quantisation(plan.other, codes, images, plan.target)
    integers = as_integers(codes, step, offset)
    if plan.search:
        from narrows.codec.code_search import better_integers

        integers = better_integers(plan.other, source, integers, step, offset, plan.search)
    return write_codes(
        file, integers, step, offset, lambda: replace(source.extras, code=code).to_bytes()
    )


WRITERS: dict[str, Callable[[BinaryIO, Source, Plan], Writer]] = {
    "lossless": _write_lossless,
    "levels": _write_levels,
    "code": _write_code,
}


def _own_model(images: Iterable[np.ndarray], plan: Plan) -> PixelModel | None:
    """A model that is trained on the images themselves; None if it would not pay."""
    if not may_pay(images):
        plan.note(f"there are too few pixels for a model of their own, so {GENERAL}")
        return None
    model = train_pixel_model(images, plan.levels, plan.training)
    if model is None:
        plan.note(f"{NONE}, so {GENERAL}")
    return model


def _write_smallest(
    file: BinaryIO,
    images: Iterable[np.ndarray],
    model: PixelModel | None,
    plan: Plan,
    extras: Callable[[], Extras],
) -> Writer:
    """With the model, unless the archive is smaller without it."""

    def write(model: PixelModel | None) -> Writer:
        file.seek(0)
        file.truncate()
        writer = Writer(file, model, plan.apart, plan.mode)
        writer.write(images, lambda: extras().to_bytes())
        return writer

    writer = write(model)
    if model is not None and writer.index.model == NO_MODEL:
        plan.note(f"the pixel model makes nothing smaller here, so {GENERAL}")
    if writer.saved >= writer.index.model_length:
        return writer
    size = file.tell()
    plain = write(None)
    if file.tell() > size:
        return write(model)
    plan.note(
        f"the pixel model has {writer.index.model_length:,} bytes and saves fewer, so {GENERAL}"
    )
    return plain
