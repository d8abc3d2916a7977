"""Parts of your own: any class, entered in the table of its kind by one line.

    narrows.register("body", Down)      then  Autoencoder(body="Down", up={"kind": "Up", "width": 64})
    @narrows.register("up")             the same, above the class

A class that keeps the contract of its kind (`docs/parts.md`) is entered as it is. A body or a way
up may also be a plain `nn.Module` that knows nothing of Narrows; it is wrapped in a thin part:

    body    images (N, C, H, W) on the working scale  →  features (N, ...), one tensor
    up      codes (N, size), or (N, *features) without a size  →  (N, channels, H, W), before the
            likelihood's φ

The arguments of its constructor are its options, except those that the build gives to a class that
names them: `image` (C, H, W); for a way up also `size` (numbers in the code) and `channels` (to put
out). The shape of a plain module's output is found by giving it two black images. What it draws at
random (`nn.Dropout`, `torch.randn`) is drawn under a seed of the step, so that a training repeats;
with several ranks each draws for its own rows.

A model file holds the name of such a part, and the import path of its class. Nothing is imported
because a file says so: the class must be registered before the file is loaded, or it is refused.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from narrows.choose import import_path, name_of
from narrows.errors import BuildError, DataError, unknown, wrong
from narrows.parts.body import Body, SideChannel
from narrows.parts.kinds import KINDS
from narrows.parts.up import Up
from narrows.randomness import KeyedRandom, key_of, seeded_initialisation

Paths = dict[str, dict[str, str]]  # kind → name → import path


def register_part(kind: str, make: Any, *, name: str | None = None) -> Any:
    """Enter a class of your own among the parts of `kind`, and give the class back (see
    `narrows.registry`).
    """
    base, table = KINDS[kind].base, KINDS[kind].table
    name = name or str(getattr(make, "__name__", ""))
    fits = isinstance(make, type) and issubclass(make, base)
    if not fits:
        raise wrong(
            f"a {kind} to register",
            make,
            f"a class derived from {base.__name__}",
            "see docs/parts.md",
        )
    old = table.get(name)
    if old is not None and import_path(old) != import_path(make):
        raise wrong("name", name, "one that no other part has", "give name=")
    table[name] = make
    return make


def custom_paths(specs: Mapping[str, Any]) -> Paths:
    """The import paths of those parts in `specs` (as `build` takes them) that are not Narrows' own."""
    paths: Paths = {}
    penalties = [("penalty", spec) for spec in specs.get("penalties", ())]
    for kind, spec in [*specs.items(), *penalties]:
        if kind in KINDS:
            name = name_of(spec)
            make = KINDS[kind].table.get(name)
            if make is not None and make.__module__.split(".")[0] != "narrows":
                paths.setdefault(kind, {})[name] = import_path(make)
    return paths


def validate_paths(paths: Paths) -> None:
    """Refuse a model whose registered parts are not registered here as the very same classes."""
    for kind, names in paths.items():
        if kind not in KINDS:
            raise unknown("kind of part", kind, KINDS)
        for name, path in names.items():
            _validate_path(kind, name, path)


def _validate_path(kind: str, name: str, path: str) -> None:
    cure = (
        f"import {path} and call narrows.register({kind!r}, ...) with it before the model is loaded"
    )
    make = KINDS[kind].table.get(name)
    if make is None:
        raise DataError(
            f"its {kind} {name!r} is not part of Narrows, and none is registered; {cure}"
        )
    if import_path(make) != path:
        here = f"{import_path(make)} is registered under that name"
        raise DataError(f"its {kind} {name!r} was {path}, and {here}; {cure}")


class ModuleBody(Body):
    """A plain module as a body: images `(N, C, H, W)` to features `(N, ...)`."""

    def __init__(self, module: nn.Module, image: tuple[int, int, int]):
        super().__init__(image, "relu", 0.0, False)  # of the layers that a linear way up adds
        self.module = module
        self.shape = tuple(_trial_output("body", module, image).shape[1:])
        if not self.shape:
            raise wrong(
                f"body {_class_name(module)}: its features", self.shape, "numbers for each image"
            )

    @property
    def widest(self) -> int:
        return max(prod(self.image), prod(self.shape))

    def encode(self, x: Tensor, random: KeyedRandom | None = None) -> tuple[Tensor, SideChannel]:
        return _run_module(self.module, "body", x, random), []


class ModuleUp(Up):
    """A plain module as a way up: codes `(N, *shape)` to `(N, channels, H, W)`."""

    def __init__(self, module: nn.Module, shape: tuple[int, ...], wanted: tuple[int, int, int]):
        super().__init__()
        self.module = module
        got = tuple(_trial_output("up", module, shape).shape[1:])
        cure = "the likelihood asks for it; a constructor that names `image` and `channels` is given both"
        if got != wanted:
            raise wrong(
                f"up {_class_name(module)}: the shape it gives for one image",
                got,
                f"{wanted}",
                cure,
            )

    def forward(self, z: Tensor, side: SideChannel, random: KeyedRandom | None = None) -> Tensor:
        return _run_module(self.module, "up", z, random)


def as_body(part: Any, image: tuple[int, int, int]) -> Body:
    """The part itself if it is a body; a plain module, wrapped."""
    return part if isinstance(part, Body) else ModuleBody(_require_module("body", part), image)


def as_up(part: Any, shape: tuple[int, ...], wanted: tuple[int, int, int]) -> Up:
    """The part itself if it is a way up; a plain module, wrapped, from codes of `shape`."""
    return part if isinstance(part, Up) else ModuleUp(_require_module("up", part), shape, wanted)


def refuse_instances(kind: str, spec: Any) -> None:
    """Refuse a part that is made already: every fit begins with parts, and weights, of its own."""
    made = spec.get("kind") if isinstance(spec, Mapping) else spec
    if isinstance(made, (nn.Module, KINDS[kind].base)):
        name = type(made).__name__
        raise BuildError(
            f"{kind}: got an object, which every fit would share; give its class: {kind}={name}, "
            f"or {kind}={{'kind': {name}, ...}} with its options"
        )


def _require_module(kind: str, part: Any) -> nn.Module:
    if not isinstance(part, nn.Module):
        raise wrong(kind, part, "a part of Narrows, or an nn.Module")
    return part


def _class_name(module: nn.Module) -> str:
    return repr(type(module).__name__)


def _trial_output(kind: str, module: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """What the module gives for two inputs of zeros."""
    was_training, inputs = module.training, torch.zeros(2, *shape)
    try:
        with torch.no_grad():
            output = module.eval()(inputs)
    except Exception as error:  # whatever the user's code may raise
        problem = f"{type(error).__name__}: {error}"
        raise BuildError(
            f"{kind} {_class_name(module)} fails for an input of the shape {tuple(inputs.shape)}: {problem}"
        ) from error
    finally:
        module.train(was_training)
    what = f"{kind} {_class_name(module)}: what it gives for 2 images"
    if not isinstance(output, Tensor):
        raise wrong(what, type(output).__name__, "one tensor with 2 rows")
    if output.dim() == 0 or len(output) != 2:
        raise wrong(what, tuple(output.shape), "one tensor with 2 rows")
    return output


def _run_module(
    module: Callable[[Tensor], Tensor], purpose: str, x: Tensor, random: KeyedRandom | None
) -> Tensor:
    """The module's output; what it draws at random belongs to the step."""
    if random is None:
        return module(x)
    with seeded_initialisation(key_of(*random.key, purpose), x.device):
        return module(x)
