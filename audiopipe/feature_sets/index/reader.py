"""Reading of an index: columns when they are needed, row groups when a few rows are needed."""

import abc
import functools
import hashlib
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets.index import footers
from audiopipe.feature_sets.index.gathering import Rows, gather, pick
from audiopipe.feature_sets.index.layout import Layout
from audiopipe.inputs.columns import Columns
from audiopipe.storage import files
from audiopipe.storage.per_process import PerProcess
from audiopipe.storage.ranges import RangedFolder

SMALL_BYTES = 1 << 24  # an index of up to this size is read and checked as a whole


class Index(abc.ABC):
    """Index of a feature set, whose rows are in groups.

    Args:
        columns: The metadata columns.

    Attributes:
        layout: Layout of the columns.
    """

    def __init__(self, columns: Columns):
        self.layout = Layout(columns)

    @property
    @abc.abstractmethod
    def starts(self) -> np.ndarray:
        """Number of the first row of each group, and the number of all rows: int64 `[groups + 1]`."""

    @abc.abstractmethod
    def read(self, group: int, *paths: tuple[str, ...]) -> list[pa.Array]:
        """Returns columns of a group of rows.

        Args:
            group: Number of the group.
            *paths: Name of each column in the index, see `Layout`. A second name is that of a child of a struct.
        """

    def __len__(self) -> int:
        return int(self.starts[-1])

    def column(self, *path: str) -> pa.ChunkedArray:
        """Returns a column.

        Args:
            *path: Name of the column in the index, see `Layout`. A second name is that of a child of a struct.
        """
        return self.take(range(len(self)), *path)

    def take(self, rows: Rows, *path: str) -> pa.ChunkedArray:
        """Returns some rows of a column. Only the groups that contain them are read.

        Args:
            rows: Numbers of the rows, in any order.
            *path: As for `column`.
        """
        return gather(rows, self.starts, lambda group, found: pick(self.read(group, path)[0], found), self._type(path))

    def tables(self) -> Iterator[pa.Table]:
        """Yields all columns of each group of rows."""
        schema = self.layout.schema
        for group in range(len(self.starts) - 1):
            yield pa.Table.from_arrays(self.read(group, *((name,) for name in schema.names)), schema=schema)

    def _type(self, path: tuple[str, ...]) -> pa.DataType:
        kind = self.layout.schema.field(path[0]).type
        return kind.field(path[1]).type if len(path) > 1 else kind


class IndexTable(Index):
    """Index in memory.

    Args:
        table: Table with the schema of an index.
        columns: The metadata columns.
    """

    def __init__(self, table: pa.Table, columns: Columns):
        super().__init__(columns)
        self._table = table.combine_chunks()

    @property
    def starts(self) -> np.ndarray:
        return np.array([0, len(self._table)])

    def read(self, group: int, *paths: tuple[str, ...]) -> list[pa.Array]:
        return [_leaf(self._table, path) for path in paths]


class IndexFile(Index):
    """Index in a Parquet file. Columns are read when they are needed, and every page that is read is checked.

    Threads can read at once. A process that was forked opens the file again.

    Args:
        path: Path of the file, local or remote.
        columns: The metadata columns.
        rows: Number of rows that the file must have.
        facts: `bytes` and `sha256` that the file must have. The checksum of the whole file is compared if it has at
            most `SMALL_BYTES`. None means that nothing is known.

    Raises:
        CorruptFeatureSetError: If the file is missing or damaged, is no index of these columns and rows, or would need
            too much memory. Reading raises it too.
    """

    def __init__(self, path: str, columns: Columns, rows: int, facts: dict[str, Any] | None = None):
        super().__init__(columns)
        self._path = path
        self._rows = rows
        self._facts = facts
        self._checked: set[tuple[str, ...]] = set()
        self._file = PerProcess(self._open)
        self._file()

    @functools.cached_property
    def starts(self) -> np.ndarray:
        metadata = self._file().parquet.metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        return np.cumsum([0, *sizes], dtype=np.int64)

    def read(self, group: int, *paths: tuple[str, ...]) -> list[pa.Array]:
        file = self._file()
        with file.lock, self._named():
            # A name with a dot selects a column of that name and a child of a struct: both are read.
            table = file.parquet.read_row_group(group, columns=[".".join(path) for path in paths], use_threads=False)
            arrays = [_leaf(table, path) for path in paths]
            for array in arrays:
                array.validate(full=True)
        return arrays

    def take(self, rows: Rows, *path: str) -> pa.ChunkedArray:
        if path not in self._checked:
            with self._named():
                footers.check_column(self._file().parquet.metadata, path, self._file().bytes)
            self._checked.add(path)
        return super().take(rows, *path)

    def _open(self) -> "_File":
        folder, name = _split(self._path)
        ranges = RangedFolder(folder)
        with self._named():
            size = ranges.size(name) if self._facts is None or not files.is_remote(folder) else self._facts["bytes"]
            if self._facts is not None and size != self._facts["bytes"]:
                raise ValueError(f"it must have {self._facts['bytes']} bytes. Received: {size}")
            if size <= SMALL_BYTES:
                [data] = ranges.read(name, (0, size))
                self._check(data)
                source: Any = pa.BufferReader(data)
            else:
                source = pa.PythonFile(ranges.file(name, size), mode="r")
            footers.check_size(source, size)
            parquet = pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False)
            footers.check(parquet.metadata, parquet.schema_arrow, self.layout.schema, self._rows)
        return _File(parquet, size)

    def _check(self, data: bytes) -> None:
        if self._facts is not None and hashlib.sha256(data).hexdigest() != self._facts["sha256"]:
            raise ValueError("it does not have the checksum in dataset.json")

    def _named(self) -> "_Named":
        return _Named(self._path)


class _File:
    """A file that one process has opened."""

    def __init__(self, parquet: pq.ParquetFile, size: int):
        self.parquet = parquet
        self.bytes = size
        self.lock = threading.Lock()


class _Named:
    """Context that names the file in errors about its content."""

    def __init__(self, path: str):
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        advice = "Copy it again, or recompute the feature set."
        if isinstance(error, FileNotFoundError):
            raise CorruptFeatureSetError(f"The index {self._path!r} is missing. {advice}") from error
        # Arrow raises an OSError without a number for a damaged file. Errors of storage are passed on.
        damaged = isinstance(error, OSError) and error.errno is None
        if damaged or isinstance(error, (ValueError, KeyError, MemoryError, pa.ArrowException)):
            fault = f"{error}".rstrip(".")
            raise CorruptFeatureSetError(f"The index {self._path!r} is not valid: {fault}. {advice}") from error


def _leaf(table: pa.Table, path: tuple[str, ...]) -> pa.Array:
    column = table.column(path[0])
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return array.field(path[1]) if len(path) > 1 else array


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder if files.is_remote(path) else (folder or "."), name
