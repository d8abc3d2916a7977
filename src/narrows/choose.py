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
Make = Callable[..., Any]  # a class of parts, or a function that makes one
Table = Mapping[str, Make]
Options = dict[str, Any]


def choose(what: str, table: Table, spec: Any, /, **context: Any) -> Any:
    """Build the part that `spec` names, from `table`. `what` is its kind in words, for errors."""
    make, options = validate_spec(what, table, spec, context)
    asked = inspect.signature(make).parameters
    given = {name: value for name, value in context.items() if name in asked}
    where = f"{what} {name_of(spec)!r}"
    try:
        return make(**given, **options)
    except NarrowsError as error:
        raise type(error)(f"{where}: {error}") from error
    except TypeError as error:
        values = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise BuildError(
            f"{where}: an option has the wrong type: got {values} ({error})"
        ) from error


def validate_spec(
    what: str, table: Table, spec: Any, context: Iterable[str] = ()
) -> tuple[Make, Options]:
    """The class that `spec` names and the options it gives, once names are known to be right."""
    make, options = find_part(what, table, with_present_names(what, spec))
    faults = Faults(f"{what} {name_of(spec)!r}")
    _validate_names(options, default_options(make, context), faults)
    faults.stop(BuildError)
    return make, {name: _plain(value) for name, value in options.items()}


def _validate_names(options: Options, known: Options, faults: Faults) -> None:
    """Add to `faults` the options that are not known, and those that are missing."""
    for option in options:
        if option not in known:
            faults.add(f"it has no option {option!r}; {did_you_mean(option, known)}")
    for option, default in known.items():
        if default is inspect.Parameter.empty and option not in options:
            faults.add(f"it needs the option {option!r}")


def _plain(value: Any) -> Any:
    """A number of NumPy's as Python's own."""
    if isinstance(value, np.generic):
        return value.item()
    return value


def find_part(what: str, table: Table, spec: Any) -> tuple[Make, Options]:
    """The class that `spec` names, and the options it gives."""
    if isinstance(spec, Mapping):
        options = dict(spec)
        if "kind" not in options:
            kinds = ", ".join(sorted(table))
            raise BuildError(f"{what}: got {options!r}, expected a 'kind' in it; one of: {kinds}")
        make, inner = find_part(what, table, options.pop("kind"))
        return make, {**inner, **options}
    if callable(spec):
        return spec, {}
    if not isinstance(spec, str) or spec not in table:
        raise unknown(what, spec, table)
    return table[spec], {}


def default_options(make: Make, context: Iterable[str] = ()) -> Options:
    """The options of a part and their defaults, without what the build gives it (`context`)."""
    defaults = {}
    for p in inspect.signature(make).parameters.values():
        if p.kind is not p.VAR_KEYWORD:
            defaults[p.name] = p.default
    for name in context:
        defaults.pop(name, None)
    return defaults


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


def merge_options(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Options:
    """The options that change, merged into those of `base`."""
    merged = {}
    for name, change in changes.items():
        old = with_present_names(name, base.get(name))
        merged[name] = merge_spec(old, with_present_names(name, change))
    return merged


def merge_spec(old: Any, new: Any) -> Any:
    """A changed spec: options are merged into a part of the same kind; another kind replaces it.

    >>> merge_spec({"kind": "variational", "size": 20}, {"beta": 4.0})
    {'kind': 'variational', 'size': 20, 'beta': 4.0}
    >>> merge_spec({"kind": "variational", "size": 20}, {"kind": "plain", "size": 2})
    {'kind': 'plain', 'size': 2}
    """
    if not isinstance(new, Mapping):
        return new
    merged = _as_dict(old)
    if new.get("kind", merged.get("kind")) != merged.get("kind"):
        return dict(new)
    for name, value in new.items():
        merged[name] = merge_spec(merged.get(name), value)
    return merged


def _as_dict(spec: Any) -> Options:
    """A spec as its kind and options; "auto" has neither."""
    if isinstance(spec, str) and spec == "auto":
        return {}
    if isinstance(spec, str) or callable(spec):
        return {"kind": spec}
    return dict(spec) if isinstance(spec, Mapping) else {}


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
