"""The verb that joins the outputs of shares: merge."""

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
    """Join the outputs of all shares of one command; every share must be present, exactly once.

    Example: narrows merge codes.npz

    Parameters
    ----------
    names
        Outputs whose parts are in the same folder: codes.npz for codes-1-of-4.npz and so on. With
        -o, the parts.
    output
        Where to write, if the parts themselves are given.
    remove
        Delete the parts after they are joined.
    """
    from narrows.codec.joins import register_joins
    from narrows.data.merging.merge import merge as join
    from narrows.files import refuse_overwrite

    register_joins()
    if not names:
        raise wrong("merge", "no name", "an output, such as codes.npz, or parts and -o")
    listed = refuse_overwrite(skipped, force) if skipped else None
    parts_of: dict[str, list[Path] | None] = dict.fromkeys(names)
    if output:
        parts_of = {output: [Path(name) for name in names]}
    all_skipped: dict[tuple[str, str], None] = {}  # in order, each once
    for name, parts in parts_of.items():
        count, skipped_here = join(name, parts, force, remove)
        all_skipped |= dict.fromkeys(skipped_here)
        tell(f"{count:,} results, {len(skipped_here):,} inputs were skipped")
        print(name)
    if listed:
        list_skipped(listed, all_skipped)
