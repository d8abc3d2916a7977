"""The law of the house: imports point down, go in no circle, and files and functions stay small."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import narrows

HOUSE = Path(narrows.__file__).parent
FLOORS = [
    {"errors"},
    {"layout", "choose", "files", "machine", "randomness", "distributed"},
    {"scale", "image_inputs"},
    {"image_batches"},
    {"measure"},
    {"parts", "data", "draw"},
    {"model"},
    {"codec"},
    {"study", "explorer", "bench"},
    {"cli"},
    {"narrows", "__main__"},  # the public face
]
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
TREES = {path: ast.parse(path.read_text()) for path in sorted(HOUSE.rglob("*.py"))}


def name_of(path: Path) -> str:
    return ".".join(["narrows", *path.relative_to(HOUSE).with_suffix("").parts]).removesuffix(
        ".__init__"
    )


MODULES = {name_of(path): path for path in TREES}


def room_of(module: str) -> str:
    """The room (or the file on the lowest floors) of a module; "narrows" for a name of the public
    face.
    """
    return module.split(".")[1] if module.count(".") and module in MODULES else "narrows"


def imported(path: Path) -> set[str]:
    """The modules of the house that a file imports, wherever in it; for the face's names,
    `narrows.name`.
    """
    names = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name != "narrows" or alias.asname}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, (
                f"{name_of(path)}, line {node.lineno}: write whole names, not relative imports"
            )
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "narrows":
            names.add(f"narrows.{node.attr}")
    known = {
        name if name in MODULES else name.rpartition(".")[0]
        for name in names - {"narrows.__version__"}
    }
    return {name for name in known if name.split(".")[0] == "narrows"}


files = pytest.mark.parametrize("path", TREES, ids=name_of)


@files
def test_imports_point_down(path):
    here = room_of(name_of(path))
    assert here in FLOOR, (
        f"{name_of(path)} is in no room of the house (labs are data): {sorted(FLOOR)}"
    )
    for name in sorted(imported(path)):
        there = room_of(name)
        fine = there == here or FLOOR[there] < FLOOR[here]
        assert fine, (
            f"{name_of(path)} (floor {FLOOR[here]}) imports {name} (floor {FLOOR[there]}); down only"
        )


def test_imports_go_in_no_circle():
    try:
        TopologicalSorter({name: imported(path) for name, path in MODULES.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"these import one another in a circle: {' → '.join(reversed(error.args[1]))}")


@files
def test_files_and_functions_stay_small_and_tell_what_they_are(path):
    assert ast.get_docstring(TREES[path]), f"{name_of(path)} has no docstring"
    lines = len(path.read_text().splitlines())
    assert lines <= 300, f"{name_of(path)} has {lines} lines, 300 at most"
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[min(ast.get_docstring(node) is not None, len(node.body) - 1)]
            lines = (node.end_lineno or 0) - first.lineno + 1
            assert lines <= 40, f"{name_of(path)}: {node.name} has {lines} lines, 40 at most"
