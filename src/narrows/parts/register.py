"""Parts of your own: any class, entered in the table of its kind by one line.

    narrows.register("body", Down)      then  Autoencoder(body="Down", up={"kind": "Up", "width": 64})
    @narrows.register("up")             the same, above the class

A class that keeps the contract of its kind (`docs/parts.md`) is entered as it is. A body or a way
up may be a plain `nn.Module` as well, which knows nothing of Narrows; a thin part stands before it
then:

    body    images (N, C, H, W) on the working scale  →  features (N, ...), one tensor
    up      codes (N, size), or (N, *features) without a size  →  (N, channels, H, W), before the likelihood's φ

The arguments of its constructor are its options, but for those that the build knows and gives to a
class which names them: `image` (C, H, W); for a way up also `size` (numbers in the code) and
`channels` (to put out). The shapes that a plain module gives are found by showing it two black
images. What it draws at random (`nn.Dropout`, `torch.randn`) is drawn under a seed of the step, so
that a training repeats; in ranks each draws for its own rows.

A model file holds the name of such a part, and the import path of its class. Nothing is imported
because a file says so: whoever loads it has registered that class before, or the file is refused.
"""

import sys
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from narrows.choose import name_of
from narrows.errors import BuildError, DataError, unknown, wrong
from narrows.parts.body import Body, SideChannel
from narrows.parts.kinds import KINDS
from narrows.parts.up import Up
from narrows.randomness import KeyedRandom, key_of, seeded_initialisation

Paths = dict[str, dict[str, str]]  # kind → name → import path


def register(kind: str, make: Any = None, *, name: str | None = None) -> Any:
    """Enter a class of your own among the parts of `kind`, and give the class back; without it, a decorator.

    kind: corruption, body, bottleneck, up, likelihood, prior, penalty or objective. name: by
    default the class's own. The same class may be registered again, as when a cell is run twice;
    the name of another part is refused.
    """
    if make is None:
        return lambda made: register(kind, made, name=name)
    if kind not in KINDS:
        raise unknown("kind of part", kind, KINDS)
    base, table = KINDS[kind].base, KINDS[kind].table
    name = name or str(getattr(make, "__name__", ""))
    fits = isinstance(make, type) and issubclass(make, base)
    if not fits:
        raise wrong(f"a {kind} to register", make, f"a class derived from {base.__name__}", "see docs/parts.md")
    old = table.get(name)
    if old is not None and import_path(old) != import_path(make):
        raise wrong("name", name, "one that no other part has", "give name=")
    table[name] = make
    return make


def import_path(make: Any) -> str:
    """The import path of a class; of one in the script that runs, the path that it would have from outside."""
    main = sys.modules.get("__main__")
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    script = spec.name if spec else Path(file).stem if file else "__main__"
    return f"{script if make.__module__ == '__main__' else make.__module__}.{make.__qualname__}"


def custom_paths(specs: Mapping[str, Any]) -> Paths:
    """The import paths of those parts in `specs` (as `network.build` takes them) that are not Narrows' own."""
    found: Paths = {}
    chosen = [(kind, spec) for kind, spec in specs.items() if kind != "penalties"]
    for kind, spec in chosen + [("penalty", spec) for spec in specs.get("penalties", ())]:
        make = KINDS[kind].table.get(name := name_of(spec))
        if make is not None and make.__module__.split(".")[0] != "narrows":
            found.setdefault(kind, {})[name] = import_path(make)
    return found


def validate_paths(paths: Paths) -> None:
    """Refuse a model whose own parts are not registered here as the very classes that they were."""
    for kind, names in paths.items():
        if kind not in KINDS:
            raise unknown("kind of part", kind, KINDS)
        table = KINDS[kind].table
        for name, path in names.items():
            cure = f"import {path} and call narrows.register({kind!r}, ...) with it before the model is loaded"
            if name not in table:
                raise DataError(f"its {kind} {name!r} is not part of Narrows, and none is registered; {cure}")
            here = import_path(table[name])
            if here != path:
                raise DataError(f"its {kind} {name!r} was {path}, and {here} is registered under that name; {cure}")


class ModuleBody(Body):
    """A plain module as a body: images `(N, C, H, W)` to features `(N, ...)`."""

    def __init__(self, module: nn.Module, image: tuple[int, int, int]):
        super().__init__(image, "relu", 0.0, False)  # of the layers that a linear way up adds
        self.module = module
        self.shape = tuple(_tried("body", module, image).shape[1:])
        if not (len(self.shape) > 0):
            raise wrong(f"body {_name(module)}: its features", self.shape, "numbers for each image")

    @property
    def widest(self) -> int:
        return max(prod(self.image), prod(self.shape))

    def encode(self, x: Tensor, random: KeyedRandom | None = None) -> tuple[Tensor, SideChannel]:
        return _drawn(self.module, "body", x, random), []


class ModuleUp(Up):
    """A plain module as a way up: codes `(N, *shape)` to `(N, channels, H, W)`."""

    def __init__(self, module: nn.Module, shape: tuple[int, ...], wanted: tuple[int, int, int]):
        super().__init__()
        self.module = module
        got = tuple(_tried("up", module, shape).shape[1:])
        cure = "the likelihood asks for it; a constructor that names `image` and `channels` gets both"
        if got != wanted:
            raise wrong(f"up {_name(module)}: the shape it gives for one image", got, f"{wanted}", cure)

    def forward(self, z: Tensor, side: SideChannel, random: KeyedRandom | None = None) -> Tensor:
        return _drawn(self.module, "up", z, random)


def as_body(made: Any, image: tuple[int, int, int]) -> Body:
    """What was made as a body, with a thin part before it where it is a plain module."""
    return made if isinstance(made, Body) else ModuleBody(_module("body", made), image)


def as_up(made: Any, shape: tuple[int, ...], wanted: tuple[int, int, int]) -> Up:
    """What was made as a way up, from codes of `shape`, with a thin part before it where it is a plain module."""
    return made if isinstance(made, Up) else ModuleUp(_module("up", made), shape, wanted)


def refuse_instances(kind: str, spec: Any) -> None:
    """Refuse a part that is made already: every fit begins with parts, and weights, of its own."""
    made = spec.get("kind") if isinstance(spec, Mapping) else spec
    if isinstance(made, (nn.Module, KINDS[kind].base)):
        name = type(made).__name__
        raise BuildError(
            f"{kind}: got an object, which every fit would share; give its class: {kind}={name}, "
            f"or {kind}={{'kind': {name}, ...}} with its options"
        )


def _module(kind: str, made: Any) -> nn.Module:
    if not isinstance(made, nn.Module):
        raise wrong(kind, made, "a part of Narrows, or an nn.Module")
    return made


def _name(module: nn.Module) -> str:
    return repr(type(module).__name__)


def _tried(kind: str, module: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """What the module gives for two inputs of zeros."""
    training = module.training
    try:
        with torch.no_grad():
            given = module.eval()(torch.zeros(2, *shape))
    except Exception as error:  # whatever a stranger's code may raise
        reason = f"{type(error).__name__}: {error}"
        raise BuildError(f"{kind} {_name(module)} fails for an input of the shape {(2, *shape)}: {reason}") from error
    finally:
        module.train(training)
    what = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
    fine = isinstance(given, Tensor) and given.dim() > 0 and len(given) == 2
    if not fine:
        raise wrong(f"{kind} {_name(module)}: what it gives for 2 images", what, "one tensor with 2 rows")
    return given


def _drawn(module: Callable[[Tensor], Tensor], purpose: str, x: Tensor, random: KeyedRandom | None) -> Tensor:
    """The module's output; what it draws at random belongs to the step."""
    if random is None:
        return module(x)
    with seeded_initialisation(key_of(*random.key, purpose), x.device):
        return module(x)
