"""Missing integers in batches of tensors, which have no missing values."""

import warnings
from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from audiopipe.errors import ArgumentError, MetadataRemark

FILL_VALUE = -1  # that of a missing class too, as in `datasets.ClassLabel`


class MissingIntegers:
    """Watches columns of integers, so that a value that stands for a missing one stands for nothing else.

    Args:
        classes: Columns of classes, where -1 means a missing class whether it was null or -1.
    """

    def __init__(self, classes: Collection[str]):
        self._classes = classes
        self._with_missing: set[str] = set()
        self._with_fill_value: set[str] = set()

    def filled(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Returns the values of some rows, with -1 for missing ones.

        Raises:
            ArgumentError: If the rows so far have missing integers as well as -1, or have missing integers of a type
                without a sign.

        Warns:
            MetadataRemark: If integers are missing, once per column.
        """
        watched = name not in self._classes and pa.types.is_signed_integer(column.type)
        if watched and pc.any(pc.equal(column, pa.scalar(FILL_VALUE, column.type)), min_count=0).as_py():
            self._with_fill_value.add(name)
        if column.null_count:
            self._note_missing(name, column.type)
        if name in self._with_missing and name in self._with_fill_value:
            raise ArgumentError(
                f"A missing integer becomes {FILL_VALUE}, so a column with missing integers must not have that value. "
                f"Received: {name!r} with nulls and {FILL_VALUE}. Fill the nulls in, or leave the column out: "
                "columns=[...]."
            )
        return pc.fill_null(column, FILL_VALUE) if column.null_count else column

    def _note_missing(self, name: str, kind: pa.DataType) -> None:
        if pa.types.is_unsigned_integer(kind):
            raise ArgumentError(
                f"A missing integer becomes {FILL_VALUE}, which {kind} cannot hold. Received: {name!r} with nulls. "
                "Cast the column to int64, fill the nulls in, or leave the column out: columns=[...]."
            )
        if name not in self._with_missing:
            self._with_missing.add(name)
            what = "classes" if name in self._classes else "integers"
            note = f"The column {name!r} has missing {what}, which become {FILL_VALUE}."
            warnings.warn(note, MetadataRemark, stacklevel=4)
