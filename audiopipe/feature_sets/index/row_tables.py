"""Rows of an index, and tables of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from audiopipe.feature_sets.index.layout import RECORD_TYPE, SOURCE_TYPE, Layout, escaped
from audiopipe.inputs.columns import Columns


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """Facts about the audio that a clip was computed from. None stands for a fact that is not known.

    Args:
        id: Id of the clip in the input, if it differs from the id of the record: that of the recording of a segment.
        path: Path of the audio file.
        row: Number of the row, if the audio is in a table.
        start: Start of the clip in the file, in seconds.
        end: End of the clip in the file, in seconds.
        size: Size of the file in bytes.
        time: Modification time of a local file, in nanoseconds.
        version: Text that changes when a remote file or a table is rewritten, such as an entity tag.
        digest: 16 bytes: xxh3-128 of the file.
    """

    id: str | None = None
    path: str | None = None
    row: int | None = None
    start: float | None = None
    end: float | None = None
    size: int | None = None
    time: int | None = None
    version: str | None = None
    digest: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """Row of an index.

    Args:
        id: Id of the record.
        n_frames: Number of frames of the feature.
        valid_frames: Number of frames that hold audio. None if it is not known.
        seconds: Duration of the clip: its samples, divided by the sample rate. None if it is not known.
        metadata: Metadata of the clip, with None for missing values. A class is its name or its position.
        shard: Position of the shard in `dataset.json`.
        number: Number of the record in the shard.
        offset: Offset in bytes of the record's frame in the shard, see `audiopipe.feature_sets.tfrecords`.
        bytes: Size of the record in bytes, without its frame.
        source: The audio that the clip was computed from.
    """

    id: str
    n_frames: int
    valid_frames: int | None
    seconds: float | None
    metadata: dict[str, Any]
    shard: int
    number: int
    offset: int
    bytes: int
    source: SourceFacts = field(default_factory=SourceFacts)


def table(rows: Iterable[Row], columns: Columns) -> pa.Table:
    """Returns rows as a table with the schema of an index.

    Text that is not UTF-8 is escaped, see `escaped`. Such an id is exact in `record.id`.

    Args:
        rows: The rows.
        columns: The metadata columns.

    Raises:
        ArgumentError: If the metadata does not fit the columns.

    Example:
        >>> columns = Columns(types={"label": "int"}, classes={"label": ["cat", "dog"]}, fill_values={"label": -1})
        >>> facts = dict(n_frames=98, valid_frames=98, seconds=1.0, shard=0, number=0, offset=0, bytes=31_500)
        >>> table([Row(id="rex", metadata={"label": "dog"}, **facts)], columns).column("label").to_pylist()
        [1]
    """
    rows = list(rows)
    layout = Layout(columns)
    metadata: dict[str, list[Any]] = {column: [] for column in columns.types}
    for row in rows:
        present = columns.present(row.metadata)
        for column, values in metadata.items():
            missing = column in columns.lengths and row.metadata.get(column) is None
            values.append(None if missing else present.get(column))
    arrays = {
        **{name: [getattr(row, name) for row in rows] for name in ("id", "n_frames", "valid_frames", "seconds")},
        "record": _structs(rows, RECORD_TYPE),
        "source": _structs([row.source for row in rows], SOURCE_TYPE),
    }
    named = {layout.own[name]: values for name, values in arrays.items()}
    named |= {layout.metadata[column]: values for column, values in metadata.items()}
    typed = [_array(named[item.name], item.type) for item in layout.schema]
    return pa.Table.from_arrays(typed, schema=layout.schema)


def rows(table: pa.Table, columns: Columns) -> Iterator[Row]:
    """Yields the rows of a table with the schema of an index.

    It is the inverse of `table`, except that classes are positions, and that text other than ids stays escaped.

    Args:
        table: A table from `table` or from an index.
        columns: The metadata columns.
    """
    layout = Layout(columns)
    for batch in table.to_batches():
        lists = {name: batch.column(layout.own[name]).to_pylist() for name in layout.own}
        metadata = {column: batch.column(name).to_pylist() for column, name in layout.metadata.items()}
        for position, (text, record) in enumerate(zip(lists["id"], lists["record"], strict=True)):
            exact = record.pop("id")
            yield Row(
                id=text if exact is None else exact.decode("utf-8", "surrogateescape"),
                **{name: lists[name][position] for name in ("n_frames", "valid_frames", "seconds")},
                metadata={column: values[position] for column, values in metadata.items()},
                **record,
                source=SourceFacts(**lists["source"][position]),
            )


def _structs(items: Sequence[Any], kind: pa.StructType) -> pa.StructArray:
    arrays = []
    for item in kind:
        if kind is RECORD_TYPE and item.name == "id":
            values: list[Any] = [_exact(row.id) for row in items]
        else:
            values = [getattr(row, item.name) for row in items]
        arrays.append(_array(values, item.type))
    return pa.StructArray.from_arrays(arrays, fields=list(kind))


def _exact(clip_id: str) -> bytes | None:
    """Returns the bytes of an id that is not UTF-8, or None."""
    return None if escaped(clip_id) == clip_id else clip_id.encode("utf-8", "surrogateescape")


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([_escaped(value) for value in values], kind)


def _escaped(value: Any) -> Any:
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return escaped(value) if isinstance(value, str) else value
