"""The rules of the package: imports point down and in no circle, files and functions are small."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import narrows

PACKAGE = Path(narrows.__file__).parent
FLOORS = [
    {"errors"},
    {"levels", "mapped"},
    {"layout", "choose", "files", "signals", "reading", "tensors", "machine", "randomness"}
    | {"distributed", "threads"},
    {"scale", "image_inputs"},
    {"image_batches"},
    {"measure"},
    {"parts", "data", "draw"},
    {"registry"},
    {"model"},
    {"denoise", "codec"},
    {"study", "explorer", "bench"},
    {"cli"},
    {"narrows", "__main__"},  # the public face
]
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}
TREES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
MOST_LINES, MOST_FUNCTION_LINES, MOST_NODES, WIDEST_LINE = 300, 40, 300, 110


def name_of(path: Path) -> str:
    return ".".join(["narrows", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
        ".__init__"
    )


MODULES = {name_of(path): path for path in TREES}


def part_of(module: str) -> str:
    """The package (or the file on the lowest floors) of a module; "narrows" for a name of the public face."""
    return module.split(".")[1] if module.count(".") and module in MODULES else "narrows"


def imported(path: Path) -> set[str]:
    """The modules of Narrows that a file imports, wherever in it; for the face's names, `narrows.name`."""
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


def functions_in(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


FUNCTIONS = [(path, function) for path in TREES for function in functions_in(path)]


def test_imports_point_down():
    faults = []
    for path in TREES:
        here = part_of(name_of(path))
        assert here in FLOOR, f"{name_of(path)} is on no floor (labs are data): {sorted(FLOOR)}"
        for name in sorted(imported(path)):
            there = part_of(name)
            if there != here and FLOOR[there] >= FLOOR[here]:
                floors = f"(floor {FLOOR[here]}) imports {name} (floor {FLOOR[there]})"
                faults.append(f"{name_of(path)} {floors}; down only")
    assert not faults


def test_imports_go_in_no_circle():
    try:
        TopologicalSorter({name: imported(path) for name, path in MODULES.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"these import one another in a circle: {' → '.join(reversed(error.args[1]))}")


def test_files_are_small_and_say_what_they_are():
    faults = []
    for path, tree in TREES.items():
        lines = path.read_text().splitlines()
        if not ast.get_docstring(tree):
            faults.append(f"{name_of(path)} has no docstring")
        if len(lines) > MOST_LINES:
            faults.append(f"{name_of(path)} has {len(lines)} lines, at most {MOST_LINES}")
        for number, line in enumerate(lines, start=1):
            if len(line) > WIDEST_LINE:
                faults.append(f"{name_of(path)}:{number} is {len(line)} characters wide")
    assert not faults


def test_functions_are_small():
    faults = []
    for path, function in FUNCTIONS:
        first = function.body[min(ast.get_docstring(function) is not None, len(function.body) - 1)]
        lines = (function.end_lineno or 0) - first.lineno + 1
        nodes = sum(1 for _ in ast.walk(function))
        where = f"{name_of(path)}: {function.name}"
        if lines > MOST_FUNCTION_LINES:
            faults.append(f"{where} has {lines} lines, at most {MOST_FUNCTION_LINES}")
        if nodes > MOST_NODES:
            faults.append(f"{where} has {nodes} syntax nodes, at most {MOST_NODES}")
    assert not faults


def test_a_package_says_what_is_in_it():
    faults = []
    for path in TREES:
        if path.name != "__init__.py" or path.parent == PACKAGE:
            continue
        docstring = ast.get_docstring(TREES[path]) or ""
        inside = inside_of(path.parent)
        listed = re.findall(r"^(\w+)/? {2,}", docstring.partition("\n\n")[2], flags=re.MULTILINE)
        missing = sorted(name for name in inside if not re.search(rf"\b{name}\b", docstring))
        gone = sorted(set(listed) - set(inside))
        if missing:
            faults.append(f"the docstring of {name_of(path)} does not say what {missing} are")
        if gone:
            faults.append(f"the docstring of {name_of(path)} speaks of {gone}, which are not there")
    assert not faults


def inside_of(package: Path) -> list[str]:
    """The modules and packages in a package."""
    modules = [file.stem for file in package.glob("*.py") if file.name != "__init__.py"]
    folders = [folder.name for folder in package.iterdir() if (folder / "__init__.py").exists()]
    return modules + folders
