"""Decoding needs numpy alone: its imports are read, and it runs where there is nothing else."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import narrows
from golden_archives import FOLDER

PACKAGE = Path(narrows.__file__).parent
DECODING = "narrows.codec.decompress"


def path_of(module: str) -> Path | None:
    """The file of a module of the package; None if it is not one."""
    place = PACKAGE.parent / module.replace(".", "/")
    paths = place.with_suffix(".py"), place / "__init__.py"
    return next((path for path in paths if path.is_file()), None)


def imported(statements: list[ast.stmt]) -> Iterator[str]:
    """What is imported when a module is: not in functions, nor for types alone."""
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            if not is_for_types:
                yield from imported(
                    [s for s in ast.iter_child_nodes(node) if isinstance(s, ast.stmt)]
                )


def reached(first: str) -> set[str]:
    """All modules of the package that the import of one leads to, and the other packages."""
    known, waiting = set(), [first]
    while waiting:
        module = waiting.pop()
        path = path_of(module)
        if module in known or (path is None and module.startswith("narrows.")):
            continue
        known.add(module if path else module.partition(".")[0])
        if path:
            waiting += [
                module.rpartition(".")[0] or module,
                *imported(ast.parse(path.read_text()).body),
            ]
    return known


def test_decoding_imports_numpy_alone():
    modules = reached(DECODING)
    assert {"narrows.codec.archive", "narrows.codec.mixture", "narrows.codec.rans"} <= modules
    others = {name for name in modules if not name.startswith("narrows")}
    # lazy_loader: of the package itself, whose names import their modules when they are used
    assert others - set(sys.stdlib_module_names) == {"numpy", "lazy_loader"}


WITHOUT = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root in ("torch", "PIL", "sklearn", "scipy", "threadpoolctl", "safetensors"):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
from golden_archives import GENERAL, NAMES, content, digest, images_in, written_again

print(json.dumps({name: digest(images_in(content(name))) for name in (*NAMES, GENERAL)}))
assert written_again(content("colour")) == content("colour")
"""


def test_golden_archives_are_decoded_where_there_is_numpy_alone():
    path = os.pathsep.join(place for place in sys.path if place)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == json.loads((FOLDER / "expected.json").read_text())
