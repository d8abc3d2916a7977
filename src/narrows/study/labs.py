"""The labs: study files that come with Narrows, by their letters."""

from importlib.resources import files
from pathlib import Path

from narrows.errors import unknown
from narrows.measure import Table
from narrows.study.form import read_study


def lab_files() -> dict[str, Path]:
    """The study files by name, such as "a"."""
    folder = Path(str(files("narrows") / "labs"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def lab_file(name: str) -> Path:
    """The study file of that name. Raises `UnknownName`."""
    found = lab_files()
    if name not in found:
        raise unknown("lab", name.upper(), [n.upper() for n in found if n != "demo"])
    return found[name]


def labs() -> Table:
    """All labs: letter, title, data, models."""
    rows = Table()
    for name, path in lab_files().items():
        if name != "demo":
            study = read_study(path)
            models = ", ".join(run.recipe for run in study.runs)
            rows.append({"lab": name.upper(), "title": study.title, "data": study.data, "models": models})
    return rows
