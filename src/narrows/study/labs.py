"""The labs: study files that come with Narrows, by their letters."""

from importlib.resources import files
from pathlib import Path

from narrows.errors import unknown
from narrows.measure import Table
from narrows.study.schema import read_study


def lab_files() -> dict[str, Path]:
    """The study files by name, such as "a"."""
    folder = Path(str(files("narrows") / "labs"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def lab_names() -> list[str]:
    """Of all labs, in their order."""
    return [name for name in lab_files() if name != "demo"]


def lab_file(name: str) -> Path:
    """The study file of that name. Raises `UnknownName`."""
    found = lab_files()
    if name not in found:
        raise unknown("lab", name.upper(), [*map(str.upper, lab_names()), "all"])
    return found[name]


def labs() -> Table:
    """All labs: letter, title, data, models."""
    rows = Table()
    for name in lab_names():
        study = read_study(lab_file(name))
        models = ", ".join(run.recipe for run in study.runs)
        data = study.data if isinstance(study.data, str) else study.data["kind"]
        rows.append({"lab": name.upper(), "title": study.title, "data": data, "models": models})
    return rows
