"""Shards of records that exist already, such as those of a merge: their files, rows of the index, and sidecars."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from audiopipe.feature_sets import file_names, index, tfrecords
from audiopipe.inputs.columns import Columns
from audiopipe.precompute import completion, finished_shards, row_files
from audiopipe.precompute.finished_shards import Planned, Work
from audiopipe.precompute.writing import writing
from audiopipe.storage import files


class NewShard(Planned, Protocol):
    """Shard to write."""

    @property
    def id(self) -> str:
        """Id that its records contain."""


class NewShards(Work, Protocol):
    """Plan of shards with certain metadata columns."""

    @property
    def columns(self) -> Columns:
        """The metadata columns."""


def write(
    work: NewShards,
    shard: NewShard,
    records: Iterable[tuple[index.Row, bytes]],
    facts: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Writes a shard, then its rows of the index, and then its sidecar.

    Args:
        work: The plan.
        shard: The shard.
        records: Each record with its row of the index, whose place in the shard is filled in.
        facts: Returns the rest of the sidecar. It is called after the last record.

    Returns:
        The sidecar.

    Raises:
        OutputError: If a file cannot be written.
    """
    name = file_names.shard_name(shard.number)
    path = files.join(work.output, name)
    rows: list[index.Row] = []
    with writing(path):
        with files.temporary_file(path) as temporary:
            with tfrecords.Writer(temporary) as file:
                for row, record in records:
                    rows.append(replace(row, number=len(rows), offset=file.write(record), bytes=len(record)))
            written = file.facts(name)
        with files.temporary_file(work.rows_file(shard.number)) as temporary:
            pq.write_table(index.table(rows, work.columns), temporary, compression="zstd")
        sidecar = {
            **written,
            "shard": shard.number,
            "digest": shard.digest,
            "id": shard.id,
            "records": len(rows),
            "failures": [],
            "remarks": [],
            **facts(),
        }
        finished_shards.publish(work, sidecar)
    return sidecar


def rows(work: NewShards) -> Iterable[pa.Table]:
    """Yields the rows of the index of each shard, for its publication."""
    layout = index.Layout(work.columns)
    for position, shard in enumerate(work.shards()):
        table = row_files.read(work.rows_file(shard.number))
        yield completion.numbered(table.cast(layout.schema), layout, position)
