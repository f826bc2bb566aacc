"""Writer of one shard of a staged feature set: it copies records and gives them their metadata and their place."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from audiopipe.feature_sets import index, records, tfrecords
from audiopipe.feature_sets.clip_sums import ClipSums
from audiopipe.feature_sets.records import Place
from audiopipe.precompute import shard_files, staged_plan, staging, stored_lengths
from audiopipe.precompute.staged_plan import StagedPlan, StagedShard
from audiopipe.precompute.staging import Staging
from audiopipe.storage import files
from audiopipe.storage.ranges import RangedFolder

READ_BYTES = 1 << 23  # of records that are read together
READ_ROWS = 256


def write(run: Staging, name: str, number: int) -> StagedShard:
    """Writes a shard, its rows of the index, and its sidecar.

    Each attempt writes to temporary files of its own and publishes them whole, and all attempts write the same bytes.

    Args:
        run: The run of the pipeline.
        name: Name of the plan.
        number: Number of the shard.

    Returns:
        The shard.

    Raises:
        CorruptFeatureSetError: If a staged file is missing or damaged.
        FeatureSetLockedError: If another run has taken over.
        OutputError: If a file cannot be written.
    """
    run.check_claim()
    plan = staged_plan.read(run, name)
    shard = plan.table[number - plan.table[0].number]
    sums = ClipSums(run.config)
    part = _Part(plan, shard, sums)

    def facts() -> dict[str, Any]:
        found = {"max_error": part.max_error, "seconds": part.seconds, "remarks": part.remarks}
        return {**found, "sums": sums.to_dict()}

    shard_files.write(plan, shard, part.records(), facts)
    return shard


class _Part:
    """Records of one shard.

    Args:
        plan: The plan.
        shard: The shard.
        sums: Receives the sums of the features.

    Attributes:
        max_error: Largest difference between a stored and a computed value so far.
        seconds: Length of the clips so far.
        remarks: Remarks about the clips so far.
    """

    def __init__(self, plan: StagedPlan, shard: StagedShard, sums: ClipSums):
        self._plan = plan
        self._shard = shard
        self._sums = sums
        self._folder = RangedFolder(plan.path())
        self.max_error = 0.0
        self.seconds = 0.0
        self.remarks: list[dict[str, Any]] = []

    def records(self) -> Iterator[tuple[index.Row, bytes]]:
        """Yields each record with its row of the index, but for its place in the shard."""
        config, columns = self._plan.staging.config, self._plan.columns
        for count, (row, staged) in enumerate(self._staged()):
            metadata = columns.normalized(json.loads(row["metadata"]))
            record = records.rewritten(staged, metadata, columns, Place(self._shard.id, count))
            self._sums.add_record(record, row["valid_frames"])
            samples = stored_lengths.fewest_samples(config, row["n_frames"], row["valid_frames"])
            self.max_error = max(self.max_error, row["max_error"])
            self.seconds += samples / config.sample_rate
            self.remarks += json.loads(row["remarks"] or "[]")
            yield (
                index.Row(
                    id=row["id"].decode("utf-8", "surrogateescape"),
                    n_frames=row["n_frames"],
                    valid_frames=row["valid_frames"],
                    seconds=samples / config.sample_rate,
                    metadata=metadata,
                    shard=0,  # its place in dataset.json is known when the feature set is complete
                    number=count,
                    offset=0,
                    bytes=0,
                ),
                record,
            )

    def _staged(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yields the row about each clip and its staged record."""
        waiting: list[dict[str, Any]] = []
        size = 0
        for row in self._rows():
            if waiting and (len(waiting) == READ_ROWS or size + row["bytes"] > READ_BYTES):
                yield from self._read(waiting)
                waiting, size = [], 0
            waiting.append(row)
            size += row["bytes"]
        yield from self._read(waiting)

    def _rows(self) -> Iterator[dict[str, Any]]:
        path = self._plan.staging.part_file(self._plan.name, self._shard.number)
        with files.open_binary(path) as file:
            for batch in pq.ParquetFile(file).iter_batches(READ_ROWS, use_threads=False):
                yield from batch.to_pylist()

    def _read(self, rows: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bytes]]:
        names = [staging.records_name(row["file"]) for row in rows]
        frames = [np.empty(row["bytes"], np.uint8) for row in rows]
        ranges = [(name, row["offset"], frame) for name, row, frame in zip(names, rows, frames, strict=True)]
        try:
            sizes = self._folder.read_into(*ranges)
        except FileNotFoundError as error:
            raise staging.missing(error.filename or self._plan.path(names[0])) from error
        for name, row, frame, size in zip(names, rows, frames, sizes, strict=True):
            where = f"The record at byte {row['offset']} of {self._plan.path(name)!r}"
            yield row, tfrecords.parse(frame[:size].tobytes(), where)
