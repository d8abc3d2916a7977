"""Verbs on packs: pack, verify."""

from contextlib import ExitStack
from typing import Annotated

from cyclopts import Parameter

from narrows.cli.options import Force, Json, Output
from narrows.cli.say import give_facts, tell

Flag = Annotated[bool, Parameter(negative="")]


def pack(
    folder: str,
    /,
    *,
    output: Output,
    shard: str | None = None,
    no_check: Flag = False,
    strict: Flag = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Put a folder of many images into one tar, or some, with an index.

    Example: narrows pack photos/ -o set.tar --shard 1GB

    Parameters
    ----------
    folder
        A folder of images; sub-folders are classes.
    shard
        The most bytes of one tar, such as 500MB or 1GB; without it there is one tar.
    no_check
        Do not decode the images, which finds those that cannot be read.
    strict
        Stop at the first image that cannot be read.
    """
    from narrows.data.pack import pack as write_pack
    from narrows.model.progress import progress

    with ExitStack() as stack:
        bars = []

        def told(done: int, total: int) -> None:
            if not bars:
                bars.append(stack.enter_context(progress("packing", total)))
            bars[0](lambda: f"{done:,} of {total:,}")

        found = write_pack(folder, output, shard, not no_check, strict, force, told)
    for name, reason in found["skipped"]:
        tell(f"skipped {name}: {reason}")
    give_facts({**found, "skipped": len(found["skipped"]), "path": str(found["path"])}, json)


def verify(path: str, /, *, json: Json = False) -> None:
    """Read a pack through and check every image in it.

    Example: narrows verify set.tar

    Parameters
    ----------
    path
        The tar of a pack, its index where it has several tars, or any tar of images.
    """
    from narrows.data.packed import verify as check

    give_facts(check(path), json)
