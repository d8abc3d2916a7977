"""What the verbs that train have in common: a study goes into a folder, and its tables are printed."""

from pathlib import Path
from typing import Any

from narrows.cli.options import Changes, How
from narrows.cli.say import give, give_facts, tell


def run(found: Any, output: str, data: Any, changes: Changes, how: How) -> None:
    """Run a study into a folder, and print its tables and where its page is."""
    folder = free(output, how)
    record = record_of(found, folder, data, changes, how)
    if how.json:
        give_facts({table["title"]: table["rows"] for table in record.tables}, as_json=True)
    for table in [] if how.json else record.tables:
        print(f"\n{table['title']}")
        give(table["rows"])
    tell(f"\nThe report: {(folder / 'report.html').resolve()}")


def free(output: str, how: How) -> Path:
    """Where to write, once it is known that everything asked for is there."""
    from narrows.files import may_write
    from narrows.model.log import tracker

    if how.log is not None:
        tracker(how.log)
    return may_write(output, how.force or how.reuse)


def record_of(found: Any, folder: Path, data: Any, changes: Changes, how: How) -> Any:
    from narrows.study.run import run_study

    return run_study(found, folder, data=data, changes=changes.as_dict(), log=how.log, reuse=how.reuse, say=tell)
