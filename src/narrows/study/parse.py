"""Strict reading: a dict, such as `read_toml` gives, becomes Structs, and all that is wrong is
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

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import inspect

from narrows.errors import Faults, did_you_mean
from narrows.study.parse_words import cure_for, in_words, value_in_words

NAMES = ("name", "title", "label")  # keys by which an entry of a list is called
S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True)
class Place:
    """A place in what is read: where faults go, its words for the user, and the keys of the whole."""

    faults: Faults
    words: str
    top: frozenset[str]

    def add(self, fault: str) -> None:
        self.faults.add(self._with(fault))

    def down(self, step: str) -> "Place":
        return Place(self.faults, self._with(step), self.top)

    def entry(self, step: str, value: Any) -> "Place":
        """One of several: `step`, and what it is called."""
        here = f"{self.words} {step}"
        if name := _name_of(value):
            here += f" ({value_in_words(name)})"
        return Place(self.faults, here, self.top)

    def _with(self, words: str) -> str:
        """Words behind those of the place; they alone at the top."""
        if not self.words:
            return words
        return f"{self.words}: {words}"


def _name_of(value: Any) -> str:
    """What an entry is called; "" for nothing."""
    if not isinstance(value, Mapping):
        return ""
    names = [value.get(key) for key in NAMES]
    return next((name for name in names if isinstance(name, str) and name), "")


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
    bare, limits = _bare(kind), _limits_of(kind)
    outer = get_origin(bare)
    if isinstance(plain, Mapping) and _is_struct(bare):
        return _struct(plain, bare, place)
    if isinstance(plain, list) and outer in (list, tuple):
        return _entries(plain, kind, place, limits)
    if isinstance(plain, Mapping) and outer is dict:
        _leaf(plain, _limited(dict, limits), place, kind)
        return _table(plain, get_args(bare), place)
    return _leaf(plain, kind, place, kind)


def _bare(kind: Any) -> Any:
    """A kind without its limits."""
    if get_origin(kind) is Annotated:
        return get_args(kind)[0]
    return kind


def _limits_of(kind: Any) -> list[Any]:
    if get_origin(kind) is Annotated:
        return list(get_args(kind)[1:])
    return []


def _entries(plain: list[Any], kind: Any, place: Place, limits: list[Any]) -> Any:
    """A list, or a tuple whose entries may be of different kinds."""
    outer = get_origin(_bare(kind)) or list
    shell, kinds = _shell_and_kinds(_bare(kind), len(plain))
    _leaf(plain, _limited(shell, limits), place, kind)
    entries = []
    for number, (entry, entry_kind) in enumerate(zip(plain, kinds), start=1):
        entries.append(_value(entry, entry_kind, place.entry(str(number), entry)))
    return outer(entries)


def _shell_and_kinds(bare: Any, count: int) -> tuple[Any, tuple[Any, ...]]:
    """The list or tuple without the kinds of its entries, and the kind of each of `count` entries."""
    kinds = get_args(bare)
    if get_origin(bare) is tuple and ... not in kinds:
        return tuple[(Any,) * len(kinds)], kinds
    return list, kinds[:1] * count


def _table(plain: Mapping[Any, Any], kinds: tuple[Any, ...], place: Place) -> dict[Any, Any]:
    key_kind, value_kind = kinds
    return {
        _value(key, key_kind, place): _value(value, value_kind, place.down(key))
        for key, value in plain.items()
    }


def _struct(plain: Mapping[str, Any], kind: type[msgspec.Struct], place: Place) -> Any:
    before = len(place.faults.found)
    values = _fields(plain, kind, place)
    if len(place.faults.found) > before:
        return None
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:
        place.add(str(error))


def _fields(plain: Mapping[str, Any], kind: type[msgspec.Struct], place: Place) -> dict[str, Any]:
    """The values of the fields that a table gives; unknown and missing keys are reported."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    hints = [_unknown(key, fields, place) for key in plain if key not in fields]
    values = {}
    for key, field in fields.items():
        if key in plain:
            values[field.name] = _value(plain[key], field.type, place.down(key))
        elif field.required and not _is_meant(key, hints):
            place.add(f"it needs the key '{key}', {in_words(inspect.type_info(field.type))}")
    return values


def _is_meant(key: str, hints: list[str]) -> bool:
    """Whether an unknown key was reported as probably meaning this one."""
    return any(f"did you mean '{key}'" in hint for hint in hints)


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
        cure = cure_for(plain, kind, info)
        place.add(f"got {value_in_words(plain)}, expected {in_words(info)}{cure}")


def _alike(plain: Any, kind: Any) -> Any:
    """Of a union the member that has the shape of `plain`, a list or a table; else the union."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    for member in get_args(kind):
        bare = _bare(member)
        if isinstance(plain, list) and get_origin(bare) in (list, tuple):
            return member
        if isinstance(plain, Mapping) and (get_origin(bare) is dict or _is_struct(bare)):
            return member
    return kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _limited(kind: Any, limits: list[Any]) -> Any:
    """A list or a dict of anything, within the limits of one that says of what."""
    if limits:
        return Annotated[(kind, *limits)]
    return kind
