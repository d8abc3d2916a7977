"""A module that is imported when something of it is first used.

scikit-learn imports scipy.stats for one function, which nothing here calls: without it a verb starts 0.5 s sooner.
Done for the command line alone, whose process is its own; a library leaves the modules of others as they are.
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Later(ModuleType):
    """Stands for a module until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # asked of every module by those who look for one
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def put_off(name: str) -> None:
    """Have `name` imported when something of it is first used, unless it is there already."""
    if name not in sys.modules:
        sys.modules[name] = later = Later(name)
        later.__spec__ = ModuleSpec(name, None)  # which an import statement looks at
