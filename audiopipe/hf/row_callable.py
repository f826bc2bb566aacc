"""The callable that `hf.map` passes to `datasets`, and the reports of its rows."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from audiopipe.audio.remarks import Remark, warn
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.feature_sets import row_digests
from audiopipe.transform import audio_values
from audiopipe.transform.row_columns import RowColumns
from audiopipe.transform.transform import Transform

REPORTED_ROWS = 3  # rows that a warning about left-out rows describes


def named(failure: AudioError, value: Any) -> str:
    """Returns the error message of a failure, with the path of the row's audio if it has one."""
    path, error = audio_values.path_of(value), str(failure)
    return error if path is None or path in error else f"{path!r}: {error}"


class RowCallable:
    """Callable for `Dataset.map` over the audio column.

    It pickles to its arguments alone, so `datasets` finds the result in its cache. Errors and remarks are columns even
    if the user has not asked for them: warnings of other processes are easily lost, and a result from the cache would
    have none. The caller turns these hidden columns into warnings. A streaming dataset has no hidden columns, so its
    rows warn when they are computed.

    Args:
        transform: The transform.
        on_error: As for `map`.
        counts: Names of the columns with numbers of frames.
        error_column: Name of the column with the errors, or None if there is none.
        remark_column: Name of the column with the remarks, or None if there is none.
        hidden: Which of these two columns are hidden. Their texts name the row.
        where: Start of messages, which names the split of a streaming dataset.
        writable: Whether users may change the arrays, which are then copied. `datasets` copies arrays into a table.
        files: State of the local files, see `local_files.state`. It is here only for the cache.
    """

    def __init__(
        self,
        transform: Transform,
        on_error: str,
        *,
        counts: Sequence[str],
        error_column: str | None,
        remark_column: str | None,
        hidden: Sequence[str],
        where: str,
        writable: bool,
        files: str,
    ):
        self.transform = transform
        self.on_error = on_error
        self.counts = tuple(counts)
        self.error_column = error_column
        self.remark_column = remark_column
        self.hidden = tuple(hidden)
        self.where = where
        self.writable = writable
        self.files = files

    def __call__(self, values: Sequence[Any], numbers: Sequence[int]) -> dict[str, list[Any]]:
        config = self.transform.config
        rows = RowColumns(self.transform.feature, self.counts, writable=self.writable)
        digests: list[str | None] = []
        errors: list[str | None] = []
        texts: list[str | None] = []
        remarks: list[Remark] = []  # of the row that comes next
        computed = self.transform.rows(values, on_remark=lambda _, remark: remarks.append(remark))
        with contextlib.closing(computed):  # also after an error, so that no thread is left at a later fork
            for number, value, made in zip(numbers, values, computed, strict=True):
                if isinstance(made, tuple):
                    rows.add(made)
                    digests.append(row_digests.digest(made[0], config.fingerprint))
                    errors.append(None)
                elif isinstance(made, AudioError):
                    rows.add(None)
                    digests.append(None)
                    errors.append(self._of_failure(number, value, made))
                else:
                    raise ArgumentError(f"{self.where}Row {number}: {made}") from made
                texts.append(self._of_remarks(number, value, remarks))
                remarks.clear()
        reports = {self.error_column: errors, self.remark_column: texts}
        reported = {name: column for name, column in reports.items() if name is not None}
        return rows.columns | {row_digests.name_of(self.transform.feature): digests} | reported

    def _of_failure(self, number: int, value: Any, failure: AudioError) -> str:
        """Returns the error of a row as its column holds it. Raises it or warns about it if that is the policy."""
        error = named(failure, value)
        if self.on_error == "raise":
            raise AudioError(f"{self.where}Row {number}: {error}", failure.stage) from failure
        if self.error_column is None:
            warn(f"{self.where}Row {number} was left out: {error}")
        return f"Row {number}: {error}" if self.error_column in self.hidden else error

    def _of_remarks(self, number: int, value: Any, remarks: Sequence[Remark]) -> str | None:
        """Returns the remarks about a row as their column holds them. Warns about them if there is no column."""
        if not remarks:
            return None
        text = "; ".join(remark.text for remark in remarks)
        path = audio_values.path_of(value)
        with_name = f"Row {number}: {'' if path is None else f'{path!r}: '}{text}"
        if self.remark_column is None:
            warn(f"{self.where}{with_name}.")
        return with_name if self.remark_column in self.hidden else text


def without_hidden(mapped: datasets.Dataset, rows: RowCallable, where: str) -> datasets.Dataset:
    """Removes the hidden columns of a mapped dataset, and turns them into warnings of class `AudioRemark`.

    Args:
        mapped: The mapped dataset, with failed rows.
        rows: The callable that was mapped.
        where: Start of the warnings, which names the split.
    """
    present = [name for name in rows.hidden if name in mapped.column_names]
    texts: Mapping[str, list[str]] = {name: _texts(mapped.data.column(name)) for name in present}
    for text in texts.get(rows.remark_column or "", []):
        warn(f"{where}{text}.")
    if errors := texts.get(rows.error_column or "", []):
        more = len(errors) - REPORTED_ROWS
        warn(
            f"{where}{len(errors)} of {len(mapped)} rows were left out. {' '.join(errors[:REPORTED_ROWS])}"
            f"{f' And {more} more.' if more > 0 else ''} To keep them, with their errors in a column, use "
            "on_error='null'."
        )
    return mapped.remove_columns(present) if present else mapped


def _texts(column: pa.ChunkedArray) -> list[str]:
    return [] if column.null_count == len(column) else pc.drop_null(column).to_pylist()
