"""Strict reading: a TOML file becomes a dict, the dict becomes Structs, and all that is wrong is
reported at once.

A Struct (msgspec's) is the schema of a table: its fields are the keys, with their types and ranges.

    class Run(msgspec.Struct):                            [[runs]]
        name: str                                         name = "vae"
        epochs: Annotated[int, Meta(ge=1)] = 10           epochs = 20

msgspec converts such a dict too, but stops at the first fault and names it in its own terms:
"Expected `int`, got `str` - at `$.runs[1].epochs`". So the walk is ours and the leaves are
msgspec's. The walk goes down the Structs, the lists and the tables of the schema, together with the
dict; each value at the end of it goes alone through `msgspec.convert`, strictly: '8' and 1.0 are no
integers, true is no number, but 3 is a number. What fails is reported with its place as the
file shows it, and goes to `Faults`:

    runs 2 ('vae'): epochs: got '20', expected an integer, at least 1; write 20

Counting begins at 1; the name is the first of `name`, `title` and `label` that an entry has. An
unknown key is reported with the one that was probably meant, and that one is then not reported
as missing as well: one slip, one fault.
"""

import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import inspect

from narrows.errors import DataError, Faults, did_you_mean
from narrows.study.parse_words import cure_for, in_words, value_in_words

NAMES = ("name", "title", "label")  # keys by which an entry of a list is called
SLIPS = {  # the beginning of what tomllib says -> the usual cause
    "Invalid value": "texts stand in straight quotes, true and false have no capitals, "
    "numbers begin with a digit",
    "Cannot overwrite a value": "the key is given twice",
    "Cannot declare": "tables of which there are several have double brackets, as in [[runs]]",
    'Expected "\'"': "the text has no end",
    "Illegal character '\\n'": "the text has no end",
    "Unclosed array": "values stand between [ and ], with commas",
    "Unescaped '\\'": "write \\\\ for a backslash, or put the text in single quotes",
    "Expected newline": "one key = value a line",
    "Expected '='": "a key of several words stands in quotes",
    "Invalid initial character for a key": "a table { ... } stands on one line",
}
S = TypeVar("S", bound=msgspec.Struct)


# -- a file -> a dict ------------------------------------------------------------------------


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds. Raises `DataError` with file, line and column for one that cannot be
    read.
    """
    text = _text(path)
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(_slip(path, text, str(error))) from error
    if not plain:
        raise DataError(f"{path} is empty: there is no key in it")
    return plain


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")  # some editors mark UTF-8 so
        return raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode().split("\n")
        byte = f"the byte {error.object[error.start]:#04x}"
        place = f"line {len(before)}, column {len(before[-1]) + 1}"
        raise DataError(f"{path}, {place}: {byte} is not UTF-8; save the file as UTF-8") from error
    except OSError as error:
        near = sorted(
            other.name for other in (path if path.is_dir() else path.parent).glob("*.toml")
        )
        if path.is_dir():
            names = ", ".join(near) or "none that is .toml"
            message = f"{path} is a folder, expected a file; files in it: {names}"
        elif not path.exists():
            message = f"there is no file {path}; {did_you_mean(path.name, near)}"
        else:
            message = f"{path} cannot be read: {error.strerror or error}"
        raise DataError(message) from error


def _slip(path: Path, text: str, message: str) -> str:
    """tomllib's words, "Invalid value (at line 3, column 5)", with the line itself and the usual
    cause.
    """
    lines = text.split("\n")
    message, _, place = message.rpartition(" (at ")
    row, column = map(int, re.findall(r"\d+", place) or _unended(lines))
    message = re.sub(
        r"\(('.*?'),?\)", lambda keys: f"[{keys[1]}]".replace("', '", ".").replace("'", ""), message
    )
    line = "".join(c if c.isprintable() else "?" for c in lines[row - 1].strip()[:60])
    cause = next((f"; {cause}" for words, cause in SLIPS.items() if message.startswith(words)), "")
    message = message[:1].lower() + message[1:] + (f" in `{line}`" if line else "")
    return f"{path}, line {row}, column {column}: {message}{cause}"


def _unended(lines: list[str]) -> tuple[int, int]:
    """Row and column of what has no end before the file has: behind the longest beginning that can
    be read.
    """
    for row in range(len(lines), 0, -1):
        with suppress(tomllib.TOMLDecodeError):
            tomllib.loads("\n".join(lines[: row - 1]))
            return row, len(lines[row - 1].rstrip()) + 1
    return 1, 1


# -- a dict -> Structs -----------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A place in what is read: where faults go, its words for the user, and the keys of the whole."""

    faults: Faults
    words: str
    top: frozenset[str]

    def add(self, fault: str) -> None:
        self.faults.add(f"{self.words}: {fault}" if self.words else fault)

    def down(self, step: str) -> "Place":
        return Place(self.faults, f"{self.words}: {step}" if self.words else step, self.top)

    def entry(self, step: str, value: Any) -> "Place":
        """One of several: `step`, and what it is called."""
        names = (value.get(key) for key in NAMES) if isinstance(value, Mapping) else ()
        name = next((name for name in names if isinstance(name, str) and name), "")
        here = f"{self.words} {step}" + (f" ({value_in_words(name)})" if name else "")
        return Place(self.faults, here, self.top)


def parse(plain: Any, kind: type[S], faults: Faults, where: str = "") -> S | None:
    """The Struct that `plain` describes, or None where anything in it is wrong: then `faults` has
    it all.

    where: words before every place, such as "runs 2"; none for the whole file. An error that a
    Struct's `__post_init__` raises is one more fault; it is asked where its own fields are right.
    """
    top = frozenset(field.encode_name for field in msgspec.structs.fields(kind))
    return _value(plain, kind, Place(faults, where, top))


def _value(plain: Any, kind: Any, place: Place) -> Any:
    """`plain` as a `kind`; if it is not one, anything, and a fault at `place`."""
    kind = _alike(plain, kind)
    bare, *limits = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    outer, inner = get_origin(bare), get_args(bare)
    if isinstance(plain, Mapping) and _is_struct(bare):
        return _struct(plain, bare, place)
    if isinstance(plain, list) and outer in (list, tuple):
        return _entries(plain, kind, place, limits)
    if isinstance(plain, Mapping) and outer is dict:
        _leaf(plain, _limited(dict, limits), place, kind)
        return _table(plain, inner, place)
    return _leaf(plain, kind, place, kind)


def _entries(plain: list[Any], kind: Any, place: Place, limits: list[Any]) -> Any:
    """A list, or a tuple whose entries may be of different kinds."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    outer, kinds = get_origin(bare), get_args(bare)
    shell: Any = list
    if outer is tuple and ... not in kinds:
        shell = tuple[(Any,) * len(kinds)]
    else:
        kinds = kinds[:1] * len(plain)
    _leaf(plain, _limited(shell, limits), place, kind)
    places = [place.entry(str(number), entry) for number, entry in enumerate(plain, start=1)]
    return (outer or list)(_value(*one) for one in zip(plain, kinds, places))


def _table(plain: Mapping[Any, Any], kinds: tuple[Any, ...], place: Place) -> dict[Any, Any]:
    key_kind, value_kind = kinds
    return {
        _value(key, key_kind, place): _value(value, value_kind, place.down(key))
        for key, value in plain.items()
    }


def _struct(plain: Mapping[str, Any], kind: type[msgspec.Struct], place: Place) -> Any:
    before = len(place.faults.found)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    hints = [_unknown(key, fields, place) for key in plain if key not in fields]
    kept = {}
    for key, field in fields.items():
        if key in plain:
            kept[field.name] = _value(plain[key], field.type, place.down(key))
        elif field.required and not any(f"did you mean '{key}'" in hint for hint in hints):
            place.add(f"it needs the key '{key}', {in_words(inspect.type_info(field.type))}")
    if len(place.faults.found) > before:
        return None
    try:
        return kind(**kept)
    except (ValueError, TypeError) as error:
        place.add(str(error))


def _unknown(key: str, fields: Mapping[str, Any], place: Place) -> str:
    """Report a key that is not known; returns the hint that was given."""
    hint = did_you_mean(key, fields)
    if key in place.top:  # TOML gives a key to the [table] above it, however far above
        hint += "; it is a key of the file itself: write it above the first [table]"
    place.add(f"there is no key '{key}'; {hint}")
    return hint


def _leaf(plain: Any, kind: Any, place: Place, whole: Any) -> Any:
    """`plain` by msgspec as a `kind`, which is called after the `whole` that it is the shell of."""
    try:
        return msgspec.convert(plain, kind, strict=True)
    except msgspec.ValidationError:
        info = inspect.type_info(whole)
        place.add(
            f"got {value_in_words(plain)}, expected {in_words(info)}{cure_for(plain, kind, info)}"
        )


def _alike(plain: Any, kind: Any) -> Any:
    """Of a union the member that has the shape of `plain`, a list or a table; else the union."""
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else ()
    bare = {
        member: get_args(member)[0] if get_origin(member) is Annotated else member
        for member in members
    }
    if isinstance(plain, list):
        return next(
            (member for member, kind in bare.items() if get_origin(kind) in (list, tuple)), kind
        )
    if isinstance(plain, Mapping):
        return next(
            (
                member
                for member, kind in bare.items()
                if get_origin(kind) is dict or _is_struct(kind)
            ),
            kind,
        )
    return kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _limited(kind: Any, limits: list[Any]) -> Any:
    """A list or a dict of anything, within the limits of one that says of what."""
    return Annotated[(kind, *limits)] if limits else kind
