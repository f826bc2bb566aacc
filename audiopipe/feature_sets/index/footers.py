"""Checks of the end of a Parquet file, which says what is in it, before anything else of the file is read.

They bound the memory that a file from a stranger can use: a few kilobytes of Parquet can stand for terabytes.
"""

import json
from typing import Any

import pyarrow as pa

from audiopipe.feature_sets.index.layout import CLASSES_KEY
from audiopipe.feature_sets.index.writer import GROUP_ROWS, MAX_CHUNK_BYTES, MAX_CHUNK_VALUES

TAIL_BYTES = 8  # length of the footer in 4 bytes, and a mark
MAX_FOOTER_BYTES = 1 << 26
# Encodings whose size in the file says how many values they stand for. RLE is that of levels.
_PLAIN = {"PLAIN", "RLE", "BIT_PACKED"}
_FIXED = {"BOOLEAN", "INT32", "INT64", "DOUBLE"}


def check_size(source: pa.NativeFile, size: int) -> None:
    """Raises an error if the footer would take much memory.

    Args:
        source: The file.
        size: Size of the file in bytes.

    Raises:
        ValueError: If the footer is missing or too large.
    """
    if size < TAIL_BYTES:
        raise ValueError(f"it has only {size} bytes")
    source.seek(size - TAIL_BYTES)
    length = int.from_bytes(source.read(TAIL_BYTES)[:4], "little")
    if length > min(MAX_FOOTER_BYTES, size):
        raise ValueError(f"its footer must have at most {min(MAX_FOOTER_BYTES, size)} bytes. Received: {length}")
    source.seek(0)


def check(metadata: Any, found: pa.Schema, expected: pa.Schema, rows: int) -> None:
    """Raises an error unless a file is an index whose row groups fit in memory.

    Args:
        metadata: The `pyarrow.parquet.FileMetaData` of the file.
        found: Schema of the file.
        expected: Schema that the file must have.
        rows: Number of rows that the file must have.

    Raises:
        ValueError: If the file has another schema or other rows, or a row group is too large.
    """
    if metadata.num_rows != rows:
        raise ValueError(f"it must have {rows} rows, one for each record. Received: {metadata.num_rows}")
    _check_schema(found, expected)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    counts = [group.num_rows for group in groups]
    if sum(counts) != rows or not all(0 < count <= GROUP_ROWS for count in counts):
        raise ValueError(f"each of its row groups must have 1 .. {GROUP_ROWS} rows, {rows} in total")
    for group in groups:
        for number in range(group.num_columns):
            _check_chunk(group.column(number))


def check_column(metadata: Any, path: tuple[str, ...], size: int) -> None:
    """Raises an error if a column takes much memory compared to the size of the file.

    Args:
        metadata: The `pyarrow.parquet.FileMetaData` of the file.
        path: Name of the column, and of the child of a struct.
        size: Size of the file in bytes.

    Raises:
        ValueError: If the column is too large.
    """
    prefix = ".".join(path)
    # Texts that are repeated in all rows compress much better than this, but no more than ids and offsets are large.
    most = MAX_CHUNK_BYTES + 64 * size
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    leaves = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    numbers = [number for number, leaf in enumerate(leaves) if f"{leaf}.".startswith(f"{prefix}.")]
    total = sum(group.column(number).total_uncompressed_size for group in groups for number in numbers)
    if total > most:
        raise ValueError(f"the column {prefix!r} must have at most {most} bytes. Received: {total}")


def _check_schema(found: pa.Schema, expected: pa.Schema) -> None:
    if found.names != expected.names:
        raise ValueError(f"it must have the columns {expected.names}. Received: {found.names}")
    for received, item in zip(found, expected, strict=True):
        if received.type != item.type:
            raise ValueError(f"the column {item.name!r} must have the type {item.type}. Received: {received.type}")
        if _classes(received) != _classes(item):
            raise ValueError(f"the column {item.name!r} does not have the classes in dataset.json")


def _classes(item: pa.Field) -> Any:
    text = (item.metadata or {}).get(CLASSES_KEY)
    return None if text is None else json.loads(text)


def _check_chunk(chunk: Any) -> None:
    what = f"a row group of the column {chunk.path_in_schema!r}"
    if chunk.total_uncompressed_size > 2 * MAX_CHUNK_BYTES:
        received = f"Received: {chunk.total_uncompressed_size}"
        raise ValueError(f"{what} must have at most {2 * MAX_CHUNK_BYTES} bytes. {received}")
    if chunk.num_values > MAX_CHUNK_VALUES + GROUP_ROWS:
        raise ValueError(f"{what} must have at most {MAX_CHUNK_VALUES} values. Received: {chunk.num_values}")
    one_per_row = chunk.physical_type in _FIXED and chunk.num_values <= GROUP_ROWS
    if not one_per_row and not set(chunk.encodings) <= _PLAIN:
        raise ValueError(f"{what} must have plain values. Received: the encodings {', '.join(chunk.encodings)}")
