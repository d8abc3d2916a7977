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


files = pytest.mark.parametrize("path", TREES, ids=name_of)
packages = pytest.mark.parametrize(
    "path",
    [path for path in TREES if path.name == "__init__.py" and path.parent != PACKAGE],
    ids=name_of,
)


@files
def test_imports_point_down(path):
    here = part_of(name_of(path))
    assert here in FLOOR, f"{name_of(path)} is on no floor (labs are data): {sorted(FLOOR)}"
    for name in sorted(imported(path)):
        there = part_of(name)
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
def test_files_are_small_and_say_what_they_are(path):
    assert ast.get_docstring(TREES[path]), f"{name_of(path)} has no docstring"
    lines = path.read_text().splitlines()
    assert len(lines) <= MOST_LINES, f"{name_of(path)} has {len(lines)} lines, at most {MOST_LINES}"
    for number, line in enumerate(lines, start=1):
        assert len(line) <= WIDEST_LINE, f"{name_of(path)}:{number} is {len(line)} characters wide"


@files
def test_functions_are_small(path):
    for function in functions_in(path):
        first = function.body[min(ast.get_docstring(function) is not None, len(function.body) - 1)]
        lines = (function.end_lineno or 0) - first.lineno + 1
        nodes = sum(1 for _ in ast.walk(function))
        where = f"{name_of(path)}: {function.name}"
        assert lines <= MOST_FUNCTION_LINES, (
            f"{where} has {lines} lines, at most {MOST_FUNCTION_LINES}"
        )
        assert nodes <= MOST_NODES, f"{where} has {nodes} syntax nodes, at most {MOST_NODES}"


@packages
def test_a_package_says_what_is_in_it(path):
    inside = [file.stem for file in path.parent.glob("*.py") if file != path]
    inside += [folder.name for folder in path.parent.iterdir() if (folder / "__init__.py").exists()]
    docstring = ast.get_docstring(TREES[path]) or ""
    listed = re.findall(r"^(\w+)/? ", docstring.partition("\n\n")[2], flags=re.MULTILINE)
    missing = sorted(name for name in inside if not re.search(rf"\b{name}\b", docstring))
    assert not missing, (
        f"the docstring of {name_of(path)} does not say what {', '.join(missing)} is"
    )
    columns = [
        name for name in listed if re.search(rf"^{name}/? {{2,}}", docstring, flags=re.MULTILINE)
    ]
    gone = sorted(set(columns) - set(inside))
    assert not gone, (
        f"the docstring of {name_of(path)} speaks of {', '.join(gone)}, which is not there"
    )
