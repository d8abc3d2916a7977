"""Options of parts as parameters of their own, as scikit-learn's searches name them.

A part is one parameter of an estimator, a name or a dict. `bottleneck__size` is the option `size`
in it, so that a grid search can vary it, alone or as a step of a pipeline:

    GridSearchCV(Autoencoder(), {"bottleneck__size": [2, 8, 32], "optimiser__lr": [1e-3, 3e-3]})

The rules are those of `recipe` and of `--set`: options merge into a part of the same kind, another
`kind` replaces it; a part given by its name alone has its defaults. The list `penalties` is one
parameter; the dict `space` of `Neighbours` is nested too, though its options are not listed.
"""

from collections.abc import Mapping
from inspect import Parameter
from types import NoneType
from typing import Any

from narrows.choose import find_part, merge_spec, with_present_names
from narrows.errors import BuildError, Faults, NarrowsError, several, unknown
from narrows.model.build import SPEC_NAMES
from narrows.model.training.optimise import OPTIMISERS, SCHEDULES
from narrows.model.training.options import TrainingOptions
from narrows.parts.kinds import KINDS, Kind
from narrows.parts.register import refuse_instances

Options = dict[str, Any]
SEPARATOR = "__"
NESTED = {name: KINDS[name] for name in SPEC_NAMES if name in KINDS} | {
    kind.name: kind
    for kind in (
        Kind("optimiser", OPTIMISERS, object, ("parameters",)),
        Kind("schedule", SCHEDULES, object),
        Kind("training", {"options": TrainingOptions}, object),
    )
}
NETWORKS = ("space",)  # options that are None or a dict of an autoencoder's options
ONLY_KIND = {"training": "options"}  # where there is one kind, which nobody names


def nested_parameters(options: Mapping[str, Any]) -> Options:
    """The options of all parts among an estimator's `options`, such as `bottleneck__size`."""
    return {
        f"{name}{SEPARATOR}{option}": value
        for name, kind in NESTED.items()
        if name in options
        for option, value in _options_of(kind, options[name]).items()
    }


def _options_of(kind: Kind, spec: Any) -> Options:
    """The kind of a part, and its options with their defaults; of a part that does not exist, what
    is given.
    """
    if isinstance(spec, str) and spec == "auto":  # the build decides
        return {}
    spec = _with_kind(kind, spec)
    given = dict(spec) if isinstance(spec, Mapping) else {"kind": spec}
    try:
        make, options = find_part(kind.name, kind.table, spec)
        defaults = kind.defaults(make)
    except (NarrowsError, TypeError, ValueError):  # reported when the part is built
        defaults = options = {}
    known = {name: value for name, value in defaults.items() if value is not Parameter.empty}
    return _without_kind(kind, {**given, **known, **options})


def with_nested(options: Options, changes: Options) -> Options:
    """The changes of an estimator's parameters, those of parts merged into its `options`.

    Raises `NarrowsError` with every name that does not exist.
    """
    complete = {name: value for name, value in changes.items() if SEPARATOR not in name}
    faults = Faults("these parameters cannot be set")
    for name in complete:
        with faults.catch():
            _refuse_unknown(name, options)
    for name, change in _by_part(changes).items():
        with faults.catch():
            _refuse_unknown(name, options)
            complete[name] = _merged(name, complete.get(name, options[name]), change)
    faults.stop(BuildError)
    return complete


def _refuse_unknown(name: str, options: Options) -> None:
    if name not in options:
        raise unknown("option", name, options)


def _by_part(changes: Options) -> dict[str, Options]:
    """The changes within each part: `body__up__widths=w` is `{"body": {"up": {"widths": w}}}`."""
    parts: dict[str, Options] = {}
    for name, value in changes.items():
        *path, last = name.split(SEPARATOR)
        if not path:
            continue
        inner = parts
        for step in path:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return parts


def _merged(name: str, old: Any, change: Options) -> Any:
    """A part with changed options. Raises `BuildError` for options that it does not have."""
    if name in NETWORKS:
        return merge_spec(old, change)  # checked when it is fitted
    if name not in NESTED:
        names = several([f"{name}{SEPARATOR}{option}" for option in change])
        raise BuildError(f"{name} has no options of its own: got {names}; set {name} itself")
    kind = NESTED[name]
    if name in KINDS:
        refuse_instances(name, old)
    old, change = with_present_names(name, old), with_present_names(name, change)
    spec = merge_spec(_with_kind(kind, old), change)
    kind.validate(spec)
    return _without_kind(kind, spec)


def _with_kind(kind: Kind, spec: Any) -> Any:
    """A spec whose only kind is named."""
    if kind.name not in ONLY_KIND or not isinstance(spec, Mapping | NoneType):
        return spec
    return {"kind": ONLY_KIND[kind.name], **(spec or {})}


def _without_kind(kind: Kind, options: Options) -> Options:
    if kind.name not in ONLY_KIND:
        return options
    return {name: value for name, value in options.items() if name != "kind"}
