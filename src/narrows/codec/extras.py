"""What an archive says next to its images: JSON in UTF-8, an object of which each key may be missing.

list      true: the images came as a list, not as one array
palette   {"type": "uint8", "values": [0, 85, ...], "error": 12.3}, in the mode "levels": what each number
          stands for, and the mean squared error of the images
code      {"type": "uint8", "shape": [28, 28], "model": 32 hexadecimal digits}, in the mode "code": the type
          and the shape of an image, what identifies the autoencoder
names     the name of each file that the images came from, with "/" between folders
pages     how many images each file has, in order; if it is missing, one
kinds     what images look like, each {"mode": "RGB", "levels": [black, white], "profile": base64}, of which
          each key may be missing: the mode of the file in Pillow's words, black and white if
          they are not those of the type, the colour profile
kind      for each image its place in `kinds`; if it is missing, 0

Whatever is there is checked before it is used: names lead nowhere but down.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from math import isfinite
from typing import Any, NamedTuple

from narrows.codec.index import DIGEST, TYPES
from narrows.codec.palette import COUNTS, LOWEST, Palette
from narrows.errors import DataError

LONGEST_NAME = 4096  # characters
DAMAGED = "this archive is damaged, or of a later version: {}"


class PictureKind(NamedTuple):
    """What images of files have in common; see the module."""

    mode: str = ""
    levels: tuple[float, float] | None = None
    profile: bytes | None = None

    def as_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"mode": self.mode} if self.mode else {}
        if self.levels is not None:
            out["levels"] = list(self.levels)
        if self.profile is not None:
            out["profile"] = b64encode(self.profile).decode()
        return out


class Origin(NamedTuple):
    """Where an image came from. page: counted from 1 if the file has several, else 0."""

    name: str
    page: int
    kind: PictureKind

    @property
    def label(self) -> str:
        """The name, and which page."""
        return f"{self.name}#{self.page}" if self.page else self.name


class CodeOf(NamedTuple):
    """What an archive says of its codes; see the module."""

    dtype: str
    shape: tuple[int, ...]
    model: str

    def as_json(self) -> dict[str, Any]:
        return {"type": self.dtype, "shape": list(self.shape), "model": self.model}


@dataclass
class Extras:
    """See the module. count: how many images there are."""

    count: int = 0
    is_list: bool = False
    palette: Palette | None = None
    code: CodeOf | None = None
    names: list[str] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    kinds: dict[PictureKind, int] = field(default_factory=dict)  # with their places
    kind: list[int] = field(default_factory=list)

    def add(self, name: str, kind: PictureKind, page: int = 0) -> None:
        """The next image. page: as in `Origin`."""
        self.count += 1
        self.kind.append(self._place(kind))
        if page > 1:
            self.pages[-1] += 1
        else:
            self.names.append(name)
            self.pages.append(1)

    def extend(self, other: "Extras") -> None:
        """The images of another archive after these. Raises `DataError` if they do not go together."""
        both = (self, other)
        if (self.is_list, self.palette, self.code) != (other.is_list, other.palette, other.code):
            raise DataError(
                "these archives have other grey levels, codes, or forms than one another"
            )
        if len({bool(extras.names) for extras in both if extras.count}) > 1:
            raise DataError("one of these archives has names of files, and another has none")
        plain = {PictureKind(): 0}
        if other.kind or self.kind or (self.kinds or plain) != (other.kinds or plain):
            self.kinds = self.kinds or dict(plain)
            places = [self._place(kind) for kind in other.kinds or plain]
            self.kind = self._each_kind() + [places[place] for place in other._each_kind()]
        self.count += other.count
        self.names += other.names
        self.pages += other.pages

    @property
    def files(self) -> int:
        """How many files the images came from; of an array, how many images."""
        return len(self.names) or self.count

    def _place(self, kind: PictureKind) -> int:
        return self.kinds.setdefault(kind, len(self.kinds))

    def _each_kind(self) -> list[int]:
        return self.kind or [0] * self.count

    def origins(self) -> Iterator[Origin]:
        """Of each image. Without names they are counted: 00000, 00001, ..."""
        known = list(self.kinds) or [PictureKind()]
        kinds = (known[place] for place in self.kind or repeat(0))
        digits = max(5, len(str(self.count - 1)))
        if not self.names:
            for number in range(self.count):
                yield Origin(f"{number:0{digits}d}", 0, next(kinds))
        for name, pages in zip(self.names, self.pages):
            for page in range(1, pages + 1):
                yield Origin(name, page if pages > 1 else 0, next(kinds))

    def to_bytes(self) -> bytes:
        """Nothing if there is nothing to say."""
        said: dict[str, Any] = {
            "list": self.is_list,
            "palette": self.palette and self.palette.as_json(),
            "code": self.code and self.code.as_json(),
            "names": self.names,
            "pages": self.pages if len(self.names) != self.count else None,
            "kinds": [kind.as_json() for kind in self.kinds],
            "kind": self.kind if any(self.kind) else None,
        }
        if list(self.kinds) == [PictureKind()]:
            said["kinds"] = None
        out = {key: value for key, value in said.items() if value}
        return json.dumps(out, separators=(",", ":")).encode() if out else b""


def read_extras(data: bytes, count: int) -> Extras:
    """The extras of an archive of that many images. Raises `DataError` for what is not right."""
    try:
        given = json.loads(data or b"{}")
    except (ValueError, RecursionError) as error:
        raise DataError(DAMAGED.format("what it says of its images is not JSON")) from error
    if not isinstance(given, dict) or set(given) - set(READERS):
        raise DataError(DAMAGED.format(f"it says {str(given)[:60]!r} of its images"))
    extras = Extras(count)
    for key, (name, read) in READERS.items():
        if key in given:
            try:
                setattr(extras, name, read(given[key]))
            except (TypeError, ValueError, KeyError, OverflowError) as error:
                raise DataError(DAMAGED.format(f"its {key} are not what they should be")) from error
    extras.pages = extras.pages or [1] * len(extras.names)
    _check(extras)
    return extras


def _check(extras: Extras) -> None:
    """What it says of each image must agree with their number."""
    count, names, kind = extras.count, extras.names, extras.kind
    fault = ""
    if len(extras.pages) != len(names) or (names and sum(extras.pages) != count):
        fault = f"it has {len(names):,} names for {count:,} images"
    elif len(set(names)) != len(names):
        fault = "two of its files have one name"
    elif (kind and len(kind) != count) or max(kind, default=0) >= max(1, len(extras.kinds)):
        fault = f"the kinds of its {count:,} images are not known"
    if fault:
        raise DataError(DAMAGED.format(fault))


# -- each key, checked ----------------------------------------------------------------------------


def _require(is_right: bool) -> None:
    if not is_right:
        raise ValueError


def _as_flag(value: Any) -> bool:
    _require(isinstance(value, bool))
    return value


def _as_palette(value: Any) -> Palette:
    dtype, levels = value["type"], _as_integers(value["values"], least=-32768)
    error = value["error"]
    _require(len(value) == 3 and dtype in LOWEST and levels == sorted(set(levels)))
    _require(isinstance(error, float) and isfinite(error) and error >= 0)
    if levels:
        _require(LOWEST[dtype] <= levels[0] and levels[-1] < LOWEST[dtype] + COUNTS[dtype])
    return Palette(dtype, tuple(levels), error)


def _as_code(value: Any) -> CodeOf:
    dtype, shape, model = value["type"], tuple(_as_integers(value["shape"])), value["model"]
    _require(len(value) == 3 and dtype in TYPES and 1 <= len(shape) <= 3)
    _require(isinstance(model, str) and len(bytes.fromhex(model)) == DIGEST)
    return CodeOf(dtype, shape, model)


def _as_integers(value: Any, least: int = 0) -> list[int]:
    _require(isinstance(value, list) and all(type(item) is int and item >= least for item in value))
    return value


def _as_pages(value: Any) -> list[int]:
    return _as_integers(value, least=1)


def _as_names(value: Any) -> list[str]:
    _require(isinstance(value, list) and all(map(_is_name, value)))
    return value


def are_names(names: Sequence[str]) -> bool:
    """Whether these are names of files below a folder, each once."""
    return all(map(_is_name, names)) and len(set(names)) == len(names)


def _is_name(value: Any) -> bool:
    """Whether it names a file below a folder, on any system."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or "\0" in value:
        return False
    return not any(part in ("", ".", "..") for part in value.split("/"))


def _as_kinds(value: Any) -> dict[PictureKind, int]:
    _require(isinstance(value, list))
    kinds = {_as_kind(item): place for place, item in enumerate(value)}
    _require(len(kinds) == len(value))
    return kinds


def _as_kind(value: Any) -> PictureKind:
    _require(isinstance(value, dict) and not set(value) - {"mode", "levels", "profile"})
    mode, levels, profile = value.get("mode", ""), value.get("levels"), value.get("profile")
    _require(isinstance(mode, str) and len(mode) <= 16)
    if levels is not None:
        black, white = (float(level) for level in levels)
        _require(isfinite(black) and isfinite(white) and black < white)
        levels = (black, white)
    if profile is not None:
        profile = b64decode(profile, validate=True)
    return PictureKind(mode, levels, profile)


READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {  # key -> its field, and how it is read
    "list": ("is_list", _as_flag),
    "palette": ("palette", _as_palette),
    "code": ("code", _as_code),
    "names": ("names", _as_names),
    "pages": ("pages", _as_pages),
    "kinds": ("kinds", _as_kinds),
    "kind": ("kind", _as_integers),
}
