"""What the verbs of `bench` are asked for, checked before anything is measured."""

from collections.abc import Collection
from pathlib import Path

from narrows.errors import wrong

MARKDOWN = (".md", ".txt")  # endings of tables


def validate_images(images: int | None, what: str = "images") -> None:
    """Refuse fewer images than a split and batches need."""
    if images is not None and images < 20:
        raise wrong(what, images, "at least 20")


def validate_names(kind: str, asked: Collection[str], known: Collection[str]) -> None:
    from narrows.errors import unknown

    for name in asked:
        if name not in known:
            raise unknown(kind, name, known)


def free_file(output: str, force: bool) -> Path | None:
    """The file for tables, refused before anything is measured; None if there is none."""
    from narrows.data.outputs import file_place
    from narrows.files import refuse_overwrite

    return refuse_overwrite(file_place(output, "tables", MARKDOWN).path, force) if output else None
