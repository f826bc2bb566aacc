"""The index of a feature set from its records alone, for sets that have none and for checks."""

import os
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import record_layout, records, tfrecords, valid_frames
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.index.layout import schema
from audiopipe.feature_sets.index.row_tables import Row, table
from audiopipe.feature_sets.index.writer import GROUP_ROWS
from audiopipe.storage import files

_FIRST_BYTES = 4096  # usually more than everything of a record but its feature


def of_records(description: Description) -> pa.Table:
    """Returns the index of a feature set from its records. The features in them are not read.

    Args:
        description: The feature set, of any format.

    Returns:
        A table with the schema of an index. The duration and the source of clips are not in records: they are null.

    Raises:
        CorruptFeatureSetError: If a shard is missing, or a record is damaged or belongs to another place.
    """
    tables, waiting = [], []
    for row in _rows(description):
        waiting.append(row)
        if len(waiting) == GROUP_ROWS:
            tables.append(table(waiting, description.columns))
            waiting = []
    tables.append(table(waiting, description.columns))
    return pa.concat_tables(tables, promote_options="none").cast(schema(description.columns))


def _rows(description: Description) -> Iterator[Row]:
    for position, shard in enumerate(description.shards):
        path = files.join(description.path, shard["name"])
        try:
            with files.open_binary(path) as file:
                yield from _rows_of_shard(description, position, file, path)
        except FileNotFoundError as error:
            raise CorruptFeatureSetError(
                f"The shard {path!r} is missing. Copy it again, or recompute the feature set."
            ) from error


def _rows_of_shard(description: Description, position: int, file: BinaryIO, path: str) -> Iterator[Row]:
    offset = 0
    for number in range(description.shards[position]["records"]):
        where = f"Record {number} of the shard {path!r}"
        start = file.read(tfrecords.HEADER_BYTES + _FIRST_BYTES)
        length = tfrecords.length_of(start[: tfrecords.HEADER_BYTES], where)
        start = start[tfrecords.HEADER_BYTES : tfrecords.HEADER_BYTES + length]
        try:
            missing = min(length, record_layout.size_of_head(start)) - len(start)
            if missing > 0:
                start += file.read(missing)
            yield _row(description, position, number, offset, length, start)
        except CorruptFeatureSetError as error:
            raise CorruptFeatureSetError(f"{where}: {error}") from error
        offset += tfrecords.FRAME_BYTES + length
        file.seek(offset, os.SEEK_SET)


def _row(description: Description, position: int, number: int, offset: int, length: int, start: bytes) -> Row:
    clip_id, head, metadata = records.described(start, description.columns)
    place = (description.shards[position]["id"], number)
    if (head.shard_id, head.number) != place:
        raise record_layout.invalid(f"must have the place {place}. Received: {(head.shard_id, head.number)}")
    return Row(
        id=clip_id,
        n_frames=head.n_frames,
        valid_frames=valid_frames.of_record(head.valid_frames, description),
        seconds=None,
        metadata=metadata,
        shard=position,
        number=number,
        offset=offset,
        bytes=length,
    )
