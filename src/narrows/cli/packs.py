"""Verbs that pack folders of images, and verify packs, archives and runs."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from narrows.cli.options import Force, Json, Output
from narrows.cli.output import give, give_facts, tell
from narrows.errors import wrong

PACKS = (".tar", ".index")
Flag = Annotated[bool, Parameter(negative="")]


def pack(
    folder: str,
    /,
    *,
    output: Output,
    shard: str | None = None,
    no_check: Flag = False,
    strict: Flag = False,
    labels: str = "",
    force: Force = False,
    json: Json = False,
) -> None:
    """Pack a folder of many images into one tar, or several, with an index.

    Example: narrows pack photos/ -o set.tar --shard 1GB

    Parameters
    ----------
    folder
        A folder of images; sub-folders are classes.
    shard
        Maximum size of a tar, such as 500MB or 1GB; by default there is one tar.
    no_check
        Do not decode the images; decoding finds those that cannot be read.
    strict
        Stop at the first image that cannot be read.
    labels
        A CSV file with the columns file and label: the classes of the pictures.
    """
    from narrows.data.packs.pack import pack as write_pack
    from narrows.model.progress_bar import progress_bar

    with ExitStack() as stack:
        bars = []

        def show_progress(done: int, total: int) -> None:
            if not bars:
                bars.append(stack.enter_context(progress_bar("packing", total)))
            bars[0](lambda: f"{done:,} of {total:,}")

        found = write_pack(
            folder, output, shard, not no_check, strict, force, show_progress, labels
        )
    for note in found.pop("notes"):
        tell(f"note: {note}")
    for name, reason in found["skipped"]:
        tell(f"skipped {name}: {reason}")
    give_facts({**found, "skipped": len(found["skipped"]), "path": str(found["path"])}, json)


def verify(what: str, /, *, data: str | None = None, json: Json = False) -> None:
    """Check a run, a pack or an archive: measure the run again and compare with its report, or read every
    image of the pack or of the archive.

    Example: narrows verify my-run

    Parameters
    ----------
    what
        The folder of a run, a study, a lab or all labs; or a pack (its index if it has several
        tars), or any tar; or an archive (.nrw).
    data
        Where the images of the run are now; by default where they were.
    """
    path = Path(what).expanduser()
    path = path.parent if path.name == "model.safetensors" else path
    if path.is_dir():
        return _verify_run(path, data, json)
    from narrows.codec.verify import is_archive, verify_archive
    from narrows.data.packs.reader import verify_pack as check

    if data is not None:
        raise wrong("--data", data, "a run's folder to verify", f"{what} is not a folder")
    if is_archive(path):
        return give_facts(verify_archive(path), json)
    _refuse_other_than_packs(path)
    return give_facts(check(what), json)


def _refuse_other_than_packs(path: Path) -> None:
    from narrows.data.readers.recognise import head_of, is_pack_index, is_tar
    from narrows.errors import DataError

    expected = (
        "the folder of a run, a study or a lab, a pack (.tar, or .index of several) or an archive"
    )
    if not path.exists():
        raise DataError(f"there is no folder or file {path}; expected {expected}")
    head = head_of(path)
    if path.suffix not in PACKS and not is_tar(path, head) and not is_pack_index(path, head):
        raise DataError(
            f"{path} cannot be verified: it is neither a pack nor an archive; expected {expected}"
        )


def _verify_run(folder: Path, data: str | None, json: bool) -> None:
    from narrows.errors import DataError
    from narrows.study.verify import SAME
    from narrows.study.verify import verify as check

    rows, faults = check(folder, data, tell)
    if json:
        give_facts({"measures": rows, "faults": faults.found}, as_json=True)
    elif rows:
        give(rows)
    faults.stop(DataError)
    same = sum(row["verdict"] == SAME for row in rows)
    bits = "all of them" if same == len(rows) else f"{same} of them"
    tell(f"{len(rows)} measures agree with what was reported, {bits} to the last bit")
