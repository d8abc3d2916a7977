"""What the verbs that train share: a study is run into a folder, and its tables are printed."""

from pathlib import Path
from typing import Any

from narrows.cli.launch import is_first, is_restarted, together
from narrows.cli.options import Changes, How
from narrows.cli.output import give, give_facts, tell
from narrows.errors import BuildError, wrong


def run(study: Any, output: str, data: Any, changes: Changes, how: How, advice: str = "") -> None:
    """Run a study into a folder, and print its tables and where its page is; before it, some advice."""
    with together(how.devices):
        folder = free(output, how)
        if advice and is_first():
            tell(f"note: {advice}")
        record = record_of(study, folder, data, changes, how)
        if is_first():
            _print_tables(record, how.json)
            tell(f"\nThe report: {(folder / 'report.html').resolve()}")


def _print_tables(record: Any, as_json: bool) -> None:
    if as_json:
        give_facts({table["title"]: table["rows"] for table in record.tables}, as_json=True)
        return
    for table in record.tables:
        print(f"\n{table['title']}")
        give(_named_rows(table))


def _named_rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table, their first cells in the words of the page: titles, units, scales."""
    from narrows.study.page import row_name

    rows = []
    for row in table["rows"]:
        first = next(iter(row))
        rows.append({**row, first: row_name(table, row[first])})
    return rows


def free(output: str, how: How) -> Path:
    """Where to write. First everything that was asked for is checked, and that no other process
    writes there.
    """
    if not is_first():
        return Path(output)
    from narrows.data.outputs import folder_place
    from narrows.files import locked, refuse_overwrite
    from narrows.model.trackers import tracker
    from narrows.study.obtain import checkpoints_in

    if not (how.save_every > 0):
        raise wrong("--save-every", how.save_every, "minutes, above 0")
    if how.resume and how.force:
        raise BuildError("--resume continues and --force starts over: choose one of them")
    if how.log is not None:
        tracker(how.log)
    folder = folder_place(output).path
    if folder.is_dir():
        with locked(folder, folder=True):
            pass
    cure = "continue with --resume" if checkpoints_in(folder) else ""
    may_exist = how.force or how.reuse or how.resume or is_restarted()
    return refuse_overwrite(folder, may_exist, cure)


def record_of(study: Any, folder: Path, data: Any, changes: Changes, how: How) -> Any:
    from narrows.study.run import run_study

    return run_study(
        study,
        folder,
        data=data,
        changes=changes.as_dict(),
        log=how.log,
        reuse=how.reuse,
        resume=how.resume or is_restarted(),
        minutes=how.save_every,
        say=tell,
    )
