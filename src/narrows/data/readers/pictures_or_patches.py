"""Files of pictures -> one array: of the pictures, brought to a size, or of patches that are cut from
them (`narrows.data.patches`).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from narrows.data.image_set import Span
from narrows.data.patches.plan import as_cut
from narrows.data.readers.decode import Decoded, decode_all
from narrows.data.readers.image_files import Axis, Source, picture_opener
from narrows.data.readers.pixels import Page

Item = TypeVar("Item")


class How(NamedTuple):
    """How files are decoded: see `folder.read_folder`."""

    size: Any = None
    fit: str = "crop"
    grey: bool = False
    strict: bool = False
    axis: Axis = None
    patches: Any = None
    mode: str = ""


def decode_files(
    where: Path,
    items: Sequence[Item],
    span: Span | None,
    source: Callable[[Item], Source],
    name: Callable[[Item], str],
    threads: bool,
    how: How,
) -> Decoded[Item]:
    """The items, or those of a span, decoded: see `decode.decode_all`.

    source: the file of an item, or its bytes. Of a span there may be none.
    """
    chosen = items[span.rows] if span else items
    least = 0 if span else 1
    size = how.size if how.patches is None else None
    open_source = picture_opener(size, how.fit, how.grey, how.axis)

    def open_item(item: Item) -> Iterator[Page]:
        return open_source(source(item))

    given = (open_item, name, threads, how.strict, least, how.mode)
    if how.patches is None:
        return decode_all(where, chosen, *given)
    from narrows.data.patches.cut import decode_patches  # which needs torch

    cut = as_cut(how.patches, how.size, how.fit)
    return decode_patches(cut, where, items, chosen, *given)
