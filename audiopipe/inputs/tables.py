"""Parquet files and saved `datasets` folders: rows with one audio column."""

import functools
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

from audiopipe.errors import AudioError, InputError, MissingDependencyError
from audiopipe.inputs import declared_columns
from audiopipe.inputs.declared_columns import DeclaredColumns
from audiopipe.inputs.locations import located
from audiopipe.storage import files

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 1 << 16  # rows
BATCH_WITH_AUDIO = 64
COLUMN_NAMES = ("audio", "path", "file")
# Other names of a column of paths, which are recognised if there is none of the names above.
MORE_COLUMN_NAMES = ("file_name", "audio_filepath", "filename", "wav", "audio_path")


class Table(Protocol):
    """Rows that are read one by one, so that the audio of all rows is never in memory.

    Attributes:
        other_audio: Columns of encoded audio besides the chosen one, which are no metadata.
    """

    other_audio: list[str]

    def audio(self, row: int) -> str | bytes:
        """Returns the path or the bytes of the audio file of a row."""

    def rows(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """Yields the path of the audio file and the metadata of every row, without reading embedded audio.

        The path is None if the row contains its audio, or lacks it.
        """

    def declared(self) -> DeclaredColumns:
        """Returns the types and class names that the table declares.

        Raises:
            InputError: If the declaration is damaged.
        """


def open_table(path: str, column: str | None = None) -> Table:
    """Opens a Parquet file or a folder that `datasets.Dataset.save_to_disk` wrote.

    An unchanged table is opened once and then returned from a cache.

    Args:
        path: The file or folder.
        column: Column with the audio. None finds it by its name or type.

    Raises:
        InputError: If the table cannot be read, does not have the column, or does not have exactly one audio column.
        MissingDependencyError: If `pyarrow` or `datasets` is needed and not installed.
    """
    return _open_table(path, version(path), column)


def version(path: str) -> str:
    """Returns a text that changes when a table is rewritten.

    Raises:
        OSError: If the table does not exist.
    """
    return files.version(path if path.lower().endswith(".parquet") else files.join(path, "state.json"))


@functools.lru_cache(maxsize=8)
def _open_table(path: str, version: str, column: str | None) -> Table:
    is_parquet = path.lower().endswith(".parquet")
    try:
        return _ParquetTable(path, column) if is_parquet else _SavedDataset(path, column)
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading {path!r} needs the package {'pyarrow' if is_parquet else 'datasets'}, which is not installed: "
            'pip install "audiopipe[hf]".'
        ) from error
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path!r} cannot be read as a dataset: {type(error).__name__}: {error}.") from error


class _ParquetTable:
    def __init__(self, path: str, column: str | None):
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        self._file = pq.ParquetFile(files.open_binary(path))
        self._lock = threading.Lock()  # threads that read one ParquetFile at the same time deadlock
        schema = self._file.schema_arrow
        encoded = [
            item.name
            for item in schema
            if pa.types.is_struct(item.type) and {"bytes", "path"} <= {child.name for child in item.type}
        ]
        self._column = _one_column(path, encoded, schema.names, column)
        self._is_text = _is_text(schema.field(self._column).type)
        self.other_audio = [name for name in encoded if name != self._column]
        self._others = [name for name in schema.names if name != self._column and name not in encoded]
        sizes = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        self._starts = [0, *accumulate(sizes)][:-1]
        self._group: tuple[int, Any] = (-1, None)

    def audio(self, row: int) -> str | bytes:
        group = bisect_right(self._starts, row) - 1
        with self._lock:
            if self._group[0] != group:
                self._group = (group, self._file.read_row_group(group, columns=[self._column])[self._column])
            column = self._group[1]
        value = _encoded(column[row - self._starts[group]].as_py(), self._path, row)
        return value if isinstance(value, bytes) else located(value, self._path[: self._path.rfind("/") + 1])

    def rows(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        folder = self._path[: self._path.rfind("/") + 1]
        for group in range(self._file.num_row_groups):
            paths = self._column_of_paths(group)
            columns = self._others if paths is None else [*self._others, paths]
            size = BATCH_WITH_AUDIO if paths == self._column and not self._is_text else BATCH
            for batch in self._file.iter_batches(size, row_groups=[group], columns=columns):
                found = [None] * batch.num_rows if paths is None else _paths(batch[self._column])
                rows = batch.select(self._others).to_pylist() if self._others else ({} for _ in found)
                for path, row in zip(found, rows, strict=True):
                    yield None if path is None else located(path, folder), row

    def _column_of_paths(self, group: int) -> str | None:
        """Returns what to read for the paths of a row group: the column, or a part of it. None if it has only audio.

        The audio itself is read only where some rows embed it and others do not.
        """
        if self._is_text:
            return self._column
        facts = self._file.metadata.row_group(group)
        chunks = (facts.column(number) for number in range(facts.num_columns))
        statistics = [chunk.statistics for chunk in chunks if chunk.path_in_schema == f"{self._column}.bytes"]
        missing = (statistics[0].null_count or 0) if statistics and statistics[0] is not None else 0
        return f"{self._column}.path" if missing == facts.num_rows else self._column if missing else None

    def declared(self) -> DeclaredColumns:
        return declared_columns.of_schema(self._file.schema_arrow, repr(self._path))


class _SavedDataset:
    def __init__(self, path: str, column: str | None):
        import datasets

        self._path = path
        dataset = datasets.load_from_disk(path).with_format(None)
        features = dataset.features
        encoded = [
            name
            for name, kind in features.items()
            if isinstance(kind, datasets.Audio) or (isinstance(kind, dict) and {"bytes", "path"} <= set(kind))
        ]
        self._column = _one_column(path, encoded, list(features), column)
        if isinstance(features[self._column], datasets.Audio):
            dataset = dataset.cast_column(self._column, datasets.Audio(decode=False))
        self._audio = dataset.select_columns([self._column])
        self.other_audio = [name for name in encoded if name != self._column]
        self._others = dataset.remove_columns([self._column, *self.other_audio])
        self._rows = len(dataset)

    def audio(self, row: int) -> str | bytes:
        return _encoded(self._audio[row][self._column], self._path, row)

    def rows(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        rows = self._others if self._others.column_names else ({} for _ in range(self._rows))
        yield from zip(self._paths(), rows, strict=True)

    def _paths(self) -> Iterator[str | None]:
        for batch in self._audio.with_format("arrow").iter(BATCH):
            yield from _paths(batch[self._column])

    def declared(self) -> DeclaredColumns:
        return declared_columns.of_schema(self._others.features.arrow_schema, repr(self._path))


def _one_column(path: str, encoded: list[str], columns: list[str], wanted: str | None) -> str:
    if wanted is not None:
        if wanted in columns:
            return wanted
        raise InputError(f"{path!r} has no column {wanted!r}. Received the columns {', '.join(columns)}.")
    found = encoded or [name for name in COLUMN_NAMES if name in columns]
    found = found or [name for name in MORE_COLUMN_NAMES if name in columns]
    if len(found) != 1:
        raise InputError(
            f"{path!r} must have one audio column: encoded audio (bytes and path), or a column of paths named "
            f"{' or '.join(map(repr, COLUMN_NAMES + MORE_COLUMN_NAMES))}. Received: {len(found)} in the columns "
            f"{', '.join(columns)}. Choose one with path_column."
        )
    return found[0]


def _paths(column: "pa.Array | pa.ChunkedArray") -> Sequence[str | None]:
    """Returns the paths in an audio column. They are None where the audio is embedded or missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is_text(column.type):
        return column.to_pylist()
    if not pa.types.is_struct(column.type):
        return [None] * len(column)
    paths = pc.struct_field(column, "path")
    if "bytes" in {child.name for child in column.type}:
        paths = pc.if_else(pc.is_null(pc.struct_field(column, "bytes")), paths, None)
    return paths.to_pylist()


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _encoded(value: Any, path: str, row: int) -> str | bytes:
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if not isinstance(value, (str, bytes)):
        raise AudioError(f"Row {row} of {path!r} has no audio. Received: {value!r}.", stage="read")
    return value
