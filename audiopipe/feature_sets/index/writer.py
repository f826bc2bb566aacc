"""Writing of an index."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audiopipe.errors import OutputError

GROUP_ROWS = 1 << 16
GROUP_BYTES = 1 << 26  # in memory, so that a reader of a few rows of a set with large metadata reads little
MAX_CHUNK_BYTES = 1 << 30  # of one column of a row group, in memory; readers refuse twice as much
MAX_CHUNK_VALUES = 1 << 27


class Writer:
    """Writes an index row group by row group, in bounded memory. A context manager.

    Text is not encoded by dictionaries. zstd compresses it as well, and a reader learns from the end of the file how
    much memory it needs, whoever wrote it.

    Args:
        path: Local path of the file, which is replaced.
        schema: Schema of the index, from `schema`.

    Raises:
        OSError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> from audiopipe.feature_sets import index
        >>> from audiopipe.inputs.columns import Columns
        >>> columns = Columns(types={"speaker": "string"})
        >>> facts = dict(n_frames=98, valid_frames=98, seconds=1.0, shard=0, number=0, offset=0, bytes=31_500)
        >>> row = index.Row(id="rex", metadata={"speaker": "Bo"}, **facts)
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     with index.Writer(file.name, index.schema(columns)) as writer:
        ...         writer.write(index.table([row], columns))
        ...     index.IndexFile(file.name, columns, rows=1).column("speaker").to_pylist()
        ['Bo']
    """

    def __init__(self, path: str, schema: pa.Schema):
        self._waiting: list[pa.Table] = []
        self._rows = self._bytes = 0
        numbers = _scalar_numbers(schema)
        self._file = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            use_dictionary=numbers,
            write_statistics=numbers,  # those of text would be in the end of the file, which every reader reads
            write_page_checksum=True,
        )

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            self._file.close()

    def write(self, table: pa.Table) -> None:
        """Appends rows.

        Args:
            table: Rows from `table`.

        Raises:
            OutputError: If the metadata of a clip is too large for an index.
        """
        while len(table):
            part = table.slice(0, GROUP_ROWS - self._rows)
            table = table.slice(len(part))
            self._waiting.append(part)
            self._rows += len(part)
            self._bytes += part.nbytes
            if self._rows == GROUP_ROWS or self._bytes >= GROUP_BYTES:
                self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._write(pa.concat_tables(self._waiting))
            self._waiting, self._rows, self._bytes = [], 0, 0

    def _write(self, group: pa.Table) -> None:
        """Writes a row group, or several if a column would be too large for one."""
        large = [name for name in group.column_names if _is_large(group.column(name))]
        if not large:
            self._file.write_table(group, row_group_size=len(group))
            return
        if len(group) == 1:
            raise OutputError(
                f"The value of the column {large[0]!r} of the clip {group.column(0)[0].as_py()!r} must have less than "
                f"{MAX_CHUNK_BYTES} bytes and {MAX_CHUNK_VALUES} items. Leave the column out, or shorten it."
            )
        half = len(group) // 2
        self._write(group.slice(0, half))
        self._write(group.slice(half))


def _is_large(column: pa.ChunkedArray) -> bool:
    if column.nbytes >= MAX_CHUNK_BYTES:
        return True
    items = pc.sum(pc.list_value_length(column)).as_py() if pa.types.is_list(column.type) else 0
    return (items or 0) >= MAX_CHUNK_VALUES


def _scalar_numbers(schema: pa.Schema) -> list[str]:
    """Returns the paths of columns in the file that have one number or boolean per row."""
    paths = []
    for item in schema:
        children = (
            {f"{item.name}.{child.name}": child.type for child in item.type} if pa.types.is_struct(item.type) else {}
        )
        for path, kind in (children or {item.name: item.type}).items():
            if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
                paths.append(path)
    return paths
