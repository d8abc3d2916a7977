"""Choosing a part: a name, or a name with options, becomes an object.

    "mlp"                                   the part with its defaults
    {"kind": "mlp", "widths": [256, 128]}   the part with options
    Mlp                                     a class of your own that keeps the part's contract

A *table* maps names to classes (or functions). What the build itself knows (the image's shape, the
working scale) is the *context*: a class takes of it what its constructor names. Everything else
must be an option of the part; a wrong name, an unknown option and a missing one are reported
together, with the names that are known.
"""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from narrows.errors import BuildError, Faults, NarrowsError, did_you_mean, unknown

Spec = str | Mapping[str, Any] | Callable[..., Any]


def choose(what: str, table: Mapping[str, Callable[..., Any]], spec: Any, /, **context: Any) -> Any:
    """Build the part that `spec` names, from `table`. `what` is its kind in words, for errors."""
    make, options = validate_spec(what, table, spec, context)
    given = {
        key: value for key, value in context.items() if key in inspect.signature(make).parameters
    }
    try:
        return make(**given, **options)
    except NarrowsError as error:
        raise type(error)(f"{what} {name_of(spec)!r}: {error}") from error
    except TypeError as error:
        values = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise BuildError(
            f"{what} {name_of(spec)!r}: an option has the wrong type: got {values} ({error})"
        ) from error


def validate_spec(
    what: str, table: Mapping[str, Callable[..., Any]], spec: Any, context: Iterable[str] = ()
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The class that `spec` names and the options it gives, once names are known to be right."""
    make, options = find_part(what, table, with_present_names(what, spec))
    faults = Faults(f"{what} {name_of(spec)!r}")
    known = default_options(make, context)
    for option in options:
        if option not in known:
            faults.add(f"it has no option {option!r}; {did_you_mean(option, known)}")
    for option, default in known.items():
        if default is inspect.Parameter.empty and option not in options:
            faults.add(f"it needs the option {option!r}")
    faults.stop(BuildError)
    return make, {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in options.items()
    }


def find_part(
    what: str, table: Mapping[str, Callable[..., Any]], spec: Any
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The class that `spec` names, and the options it gives."""
    if isinstance(spec, Mapping):
        options = dict(spec)
        if "kind" not in options:
            raise BuildError(
                f"{what}: got {dict(spec)!r}, expected a 'kind' in it; one of: {', '.join(sorted(table))}"
            )
        kind = options.pop("kind")
        make, inner = find_part(what, table, kind)
        return make, {**inner, **options}
    if callable(spec):
        return spec, {}
    if not isinstance(spec, str) or spec not in table:
        raise unknown(what, spec, table)
    return table[spec], {}


def default_options(make: Callable[..., Any], context: Iterable[str] = ()) -> dict[str, Any]:
    """The options of a part and their defaults, without what the build gives it (`context`)."""
    context = set(context)
    parameters = inspect.signature(make).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.name not in context and p.kind is not p.VAR_KEYWORD
    }


# options by their former names, which files and commands may still have
RENAMED = {"optimiser": {"rate": "lr"}}


def with_present_names(what: str, spec: Any) -> Any:
    """A spec in which options have their present names. Raises `BuildError` if one is given by both."""
    former_names = RENAMED.get(what, {})
    if not isinstance(spec, Mapping):
        return spec
    for former, present in former_names.items():
        if former in spec and present in spec:
            raise BuildError(
                f"{what}: got both {present!r} and {former!r}, its former name; expected one of them"
            )
    return {former_names.get(name, name): value for name, value in spec.items()}


def merge_options(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The options that change, merged into those of `base`."""
    pairs = {name: (base.get(name), change) for name, change in changes.items()}
    return {
        name: merge_spec(with_present_names(name, old), with_present_names(name, new))
        for name, (old, new) in pairs.items()
    }


def merge_spec(old: Any, new: Any) -> Any:
    """A changed spec: options are merged into a part of the same kind; another kind replaces it.

    >>> merge_spec({"kind": "variational", "size": 20}, {"beta": 4.0})
    {'kind': 'variational', 'size': 20, 'beta': 4.0}
    >>> merge_spec({"kind": "variational", "size": 20}, {"kind": "plain", "size": 2})
    {'kind': 'plain', 'size': 2}
    """
    if not isinstance(new, Mapping):
        return new
    named = {} if old == "auto" else {"kind": old}
    base = named if isinstance(old, str) else dict(old or {})
    if new.get("kind", base.get("kind")) != base.get("kind"):
        return dict(new)
    return {**base, **{key: merge_spec(base.get(key), value) for key, value in new.items()}}


def name_of(spec: Any) -> str:
    """The name in a spec, for errors."""
    if isinstance(spec, Mapping):
        spec = spec.get("kind")
    return spec if isinstance(spec, str) else getattr(spec, "__name__", repr(spec))


def import_path(make: Any) -> str:
    """The import path of a class or a function; of one in the script that runs, the path that it
    would have from outside.
    """
    module = _script_name() if make.__module__ == "__main__" else make.__module__
    return f"{module}.{make.__qualname__}"


def _script_name() -> str:
    """The name under which the script that runs could be imported."""
    main = sys.modules.get("__main__")
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec:
        return spec.name
    return Path(file).stem if file else "__main__"
