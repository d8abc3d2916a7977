"""What the verbs that train have in common: a study goes into a folder, and its tables are printed."""

from pathlib import Path
from typing import Any

from narrows.cli.launch import is_first, is_restarted, together
from narrows.cli.options import Changes, How
from narrows.cli.output import give, give_facts, tell
from narrows.errors import BuildError, wrong


def run(found: Any, output: str, data: Any, changes: Changes, how: How) -> None:
    """Run a study into a folder, and print its tables and where its page is."""
    with together(how.devices):
        folder = free(output, how)
        record = record_of(found, folder, data, changes, how)
        if is_first():
            _tell(record, folder, how)


def _tell(record: Any, folder: Path, how: How) -> None:
    if how.json:
        give_facts({table["title"]: table["rows"] for table in record.tables}, as_json=True)
    for table in [] if how.json else record.tables:
        print(f"\n{table['title']}")
        give(table["rows"])
    tell(f"\nThe report: {(folder / 'report.html').resolve()}")


def free(output: str, how: How) -> Path:
    """Where to write, once it is known that everything asked for is there, and that nobody else writes there."""
    if not is_first():
        return Path(output)
    from narrows.files import locked, refuse_overwrite
    from narrows.model.trackers import tracker
    from narrows.study.obtain import checkpoints_in

    if not (how.save_every > 0):
        raise wrong("--save-every", how.save_every, "minutes, above 0")
    if how.resume and how.force:
        raise BuildError("--resume goes on and --force starts over: ask for one of them")
    if how.log is not None:
        tracker(how.log)
    folder = Path(output)
    if folder.is_dir():
        with locked(folder, folder=True):
            pass
    cure = "go on with --resume" if checkpoints_in(folder) else ""
    return refuse_overwrite(folder, how.force or how.reuse or how.resume or is_restarted(), cure)


def record_of(found: Any, folder: Path, data: Any, changes: Changes, how: How) -> Any:
    from narrows.study.run import run_study

    kept = {"reuse": how.reuse, "resume": how.resume or is_restarted(), "minutes": how.save_every}
    return run_study(found, folder, data=data, changes=changes.as_dict(), log=how.log, **kept, say=tell)
