"""Types and values of a study file in words: what was got, what is expected, what to write instead."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import inspect

LIMITS = {
    "gt": "above {}", "ge": "at least {}", "lt": "below {}", "le": "at most {}",
    "multiple_of": "a multiple of {}", "pattern": "that fits {!r}",
    "min_length": "of length {} or more", "max_length": "of length {} or less",
}  # fmt: skip
NOUNS: dict[type[inspect.Type], tuple[str, str]] = {  # one, several
    inspect.AnyType: ("anything", "anything"),
    inspect.BoolType: ("true or false", "true or false"),
    inspect.DateTimeType: ("a date and time", "dates and times"),
    inspect.DateType: ("a date", "dates"),
    inspect.DictType: ("a table", "tables"),
    inspect.FloatType: ("a number", "numbers"),
    inspect.IntType: ("an integer", "integers"),
    inspect.ListType: ("a list", "lists"),
    inspect.StrType: ("a text", "texts"),
    inspect.StructType: ("a table", "tables"),
    inspect.TimeType: ("a time", "times"),
    inspect.VarTupleType: ("a list", "lists"),
}


def in_words(info: inspect.Type, many: bool = False) -> str:
    """A type in words: "an integer, at least 1", "a list of texts"."""
    if isinstance(info, inspect.Metadata):
        return in_words(info.type, many)
    if isinstance(info, inspect.LiteralType):
        return " or ".join(map(value_in_words, info.values))
    if isinstance(info, inspect.UnionType):
        return _union(info, many)
    if isinstance(info, inspect.TupleType):
        return _tuple(info, many)
    return ", ".join([_noun(info, many), *_limits(info)])


def _union(info: inspect.UnionType, many: bool) -> str:
    """The members; TOML has no null."""
    members = [one for one in info.types if not isinstance(one, inspect.NoneType)]
    kinds = dict.fromkeys(in_words(member, many) for member in members)
    return " or ".join(kinds)


def _tuple(info: inspect.TupleType, many: bool) -> str:
    kinds = ", ".join(map(in_words, info.item_types))
    noun = "lists" if many else "a list"
    return f"{noun} of {len(info.item_types)}: {kinds}"


def _noun(info: inspect.Type, many: bool) -> str:
    """What a value is, and what it holds: "a list of texts"."""
    name = type(info).__name__.removesuffix("Type").lower()
    noun = NOUNS.get(type(info), (name, name))[many]
    inner = getattr(info, "item_type", None) or getattr(info, "value_type", None)
    if inner is None or isinstance(inner, inspect.AnyType):
        return noun
    return f"{noun} of {in_words(inner, True)}"


def _limits(info: inspect.Type) -> list[str]:
    limits = {words: getattr(info, name, None) for name, words in LIMITS.items()}
    return [words.format(limit) for words, limit in limits.items() if limit is not None]


def value_in_words(value: Any) -> str:
    """A value as the file has it; a list or a table by its name, a long text by its beginning."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return repr(_shortened(value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _shortened(text: str) -> str:
    if len(text) <= 60:
        return text
    return f"{text[:57]}..."


def cure_for(plain: Any, kind: Any, info: inspect.Type) -> str:
    """The value that was probably meant, or how TOML writes tables and lists of them."""
    kinds = info.types if isinstance(info, inspect.UnionType) else (info,)
    if isinstance(plain, Mapping):
        if any(_is_table(getattr(one, "item_type", None)) for one in kinds):
            return "; a list of tables has double brackets, as in [[runs]]"
        return ""
    if isinstance(plain, list):
        if any(_is_table(one) for one in kinds):
            return "; one table has single brackets, as in [run]"
        return ""
    return _probable_value(plain, kind)


def _is_table(info: Any) -> bool:
    return isinstance(info, inspect.StructType)


def _probable_value(plain: Any, kind: Any) -> str:
    """The value as a `kind`, if one is meant: 8 for '8', 1 for 1.0, ['vae'] for 'vae'."""
    with suppress(msgspec.ValidationError):
        meant = msgspec.convert(plain, kind, strict=False)
        if meant is not None:
            return f"; write {value_in_words(meant)}"
    with suppress(msgspec.ValidationError):
        msgspec.convert([plain], kind, strict=False)
        return f"; write [{value_in_words(plain)}]"
    return ""
