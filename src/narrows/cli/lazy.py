"""A module that is imported when it is first used.

scikit-learn imports scipy.stats for one function, which nothing here calls: without it a verb
starts 0.5 s sooner. Only the command line does this, in its own process; as a library Narrows
leaves other modules alone.
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Later(ModuleType):
    """Takes the place of a module until it is used."""

    def __getattr__(self, name: str) -> Any:
        # import machinery asks every module for these
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def put_off(name: str) -> None:
    """Import `name` when it is first used, unless it is loaded already."""
    if name not in sys.modules:
        sys.modules[name] = later = Later(name)
        later.__spec__ = ModuleSpec(name, None)  # import statements read it
