"""The labels of a table: one number or word a row; others are left out, with a note."""

from collections.abc import Sequence

import numpy as np

from narrows.data.image_set import check_labels
from narrows.data.readers.arrow_tables import TableFile
from narrows.data.readers.reading import Labels
from narrows.data.readers.table_columns import Columns
from narrows.errors import DataError, extra


def read_labels(tables: Sequence[TableFile], columns: Columns) -> Labels:
    """The labels of all rows, as in an `ImageSet`."""
    if not columns.labels:
        return Labels()
    try:
        values = np.concatenate([_values(table, columns.labels) for table in tables])
        labels, classes = check_labels(values, len(values), tables[0].path)
        if columns.classes:
            _refuse_unknown_classes(labels, columns.classes)
    except DataError as error:
        return Labels(notes=(f"the labels {columns.labels} are left out: {error}",))
    return Labels(labels, columns.classes or classes)


def _values(table: TableFile, column: str) -> np.ndarray:
    types = extra("pyarrow.types", "parquet")
    place = table.schema.get_field_index(column)
    kind = None if place < 0 else table.schema.field(place).type
    if kind is None or types.is_nested(kind):
        raise DataError(f"{table.path}: they are of type {kind}, not one number or word each")
    batches = list(table.batches(column))
    if any(batch.null_count for batch in batches):
        raise DataError(f"{table.path}: some are null")
    if not types.is_primitive(kind):
        return np.array([value for batch in batches for value in batch.to_pylist()], str)
    return np.concatenate([batch.to_numpy(zero_copy_only=False) for batch in batches])


def _refuse_unknown_classes(labels: np.ndarray, classes: Sequence[str]) -> None:
    """Hugging Face gives images of an unknown class the label -1."""
    unknown = (labels < 0) | (labels >= len(classes))
    if unknown.any():
        raise DataError(
            f"{np.count_nonzero(unknown):,} are not places among the {len(classes)} classes, the "
            f"first is {labels[unknown][0]}"
        )
