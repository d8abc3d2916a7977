"""The verb that joins what shares of a work have written: merge."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from narrows.cli.inputs import Skipped, list_skipped
from narrows.cli.options import Force
from narrows.cli.output import tell
from narrows.errors import wrong


def merge(
    *names: str,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "",
    skipped: Skipped = "",
    remove: Annotated[bool, Parameter(negative="")] = False,
    force: Force = False,
) -> None:
    """Join what the shares of a work have written; refused unless all are there, once each, and of the same work.

    Example: narrows merge codes.npz

    Parameters
    ----------
    names
        Outputs whose parts lie beside them: codes.npz for codes-1-of-4.npz and so on. With -o, the parts themselves.
    output
        Where to write, where the parts are named.
    remove
        Delete the parts once they are joined.
    """
    from narrows.data.merging.merge import merge as join
    from narrows.files import refuse_overwrite

    if not names:
        raise wrong("merge", "no name", "an output, such as codes.npz, or parts and -o")
    listed = refuse_overwrite(skipped, force) if skipped else None
    works = {output: list(map(Path, names))} if output else dict.fromkeys(names)
    left: dict[tuple[str, str], None] = {}
    for name, parts in works.items():
        count, missed = join(Path(name), parts, force, remove)
        left |= dict.fromkeys(missed)
        tell(f"{count:,} results, {len(missed):,} inputs were skipped")
        print(name)
    if listed:
        list_skipped(listed, left)
