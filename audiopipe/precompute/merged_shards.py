"""Writer of one shard of a merge: it copies records and gives them their new id, metadata and place."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from audiopipe.errors import CorruptFeatureSetError, FeatureSetError
from audiopipe.feature_sets import index, records, set_files, tfrecords, valid_frames
from audiopipe.feature_sets.clip_sums import ClipSums
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.index import SourceFacts
from audiopipe.feature_sets.record_heads import Head
from audiopipe.feature_sets.records import Place
from audiopipe.feature_sets.stored_statistics import ShardSums
from audiopipe.precompute import shard_files
from audiopipe.precompute.merge_plan import MergedShard, MergePlan
from audiopipe.storage import files
from audiopipe.transform.segments import parse_id


class ShardCopier:
    """Copies the records of feature sets into the shards of a merge. A context manager.

    The values of the features are decoded only for statistics that a feature set lacks.

    Args:
        plan: The plan of the merge.
    """

    def __init__(self, plan: MergePlan):
        self._plan = plan
        self._facts = [_Facts(description) for description in plan.descriptions]
        self._files = contextlib.ExitStack()
        self._known: list[ShardSums | None] = []

    def __enter__(self) -> "ShardCopier":
        self._known = [self._files.enter_context(ShardSums.opened(item)) for item in self._plan.descriptions]
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def write(self, shard: MergedShard) -> None:
        """Writes a shard, then its rows of the index, and then its sidecar.

        Raises:
            CorruptFeatureSetError: If a record is missing or damaged, or belongs to another place or feature.
            OutputError: If the shard cannot be written.
        """
        sums = ClipSums(self._plan.descriptions[0].config)

        def facts() -> dict[str, Any]:
            return {**self._facts_of(shard), "sums": sums.to_dict()}

        shard_files.write(self._plan, shard, self._records(shard, sums), facts)

    def _records(self, shard: MergedShard, sums: ClipSums) -> Iterator[tuple[index.Row, bytes]]:
        """Yields each record of a shard with its row of the index, but for its place in the new shard.

        Args:
            shard: The shard.
            sums: Receives the sums of its features.
        """
        plan, count = self._plan, 0
        for number, position in shard.parts:
            description, prefix = plan.descriptions[number], plan.prefixes[number]
            facts = self._facts[number].of_shard(position)
            known = self._known[number]
            if known is not None:
                sums.merge(known.of_shard(position))
            for (record, clip_id, head, metadata), (seconds, source) in zip(
                _records_of(description, position), facts, strict=True
            ):
                joined = plan.joined.metadata(number, metadata)
                new_id = prefix + clip_id
                n_valid = valid_frames.of_record(head.valid_frames, description)
                if known is None:
                    sums.add_record(record, n_valid)
                copied = records.rewritten(
                    record,
                    joined,
                    plan.columns,
                    Place(shard.id, count),
                    clip_id=new_id,
                    padded=valid_frames.are_padded(description),
                )
                if description.index is None and description.segments is not None:
                    source = SourceFacts(id=parse_id(clip_id)[0])
                if source.id is not None:
                    source = replace(source, id=prefix + source.id)
                row = index.Row(
                    id=new_id,
                    n_frames=head.n_frames,
                    valid_frames=n_valid,
                    seconds=seconds,
                    metadata=joined,
                    shard=0,  # its place in dataset.json is known when the feature set is complete
                    number=count,
                    offset=0,
                    bytes=0,
                    source=source,
                )
                yield row, copied
                count += 1

    def _facts_of(self, shard: MergedShard) -> dict[str, Any]:
        """Returns what the sidecar says about the clips."""
        parts = [(self._plan.descriptions[number], position) for number, position in shard.parts]
        return {
            "max_error": max(
                description.shards[position].get("max_error", description.max_error) for description, position in parts
            ),
            "seconds": sum(_seconds_of(description, position) for description, position in parts),
        }


class _Facts:
    """Duration and source of the clips of a feature set, from its index."""

    def __init__(self, description: Description):
        self._description = description
        self._starts = [0]
        for shard in description.shards:
            self._starts.append(self._starts[-1] + shard["records"])
        self._index = None if description.index is None else index.opened(description)

    def of_shard(self, position: int) -> Iterator[tuple[float | None, SourceFacts]]:
        """Yields the facts about each clip of a shard. Nothing is known about a set without an index."""
        start, stop = self._starts[position], self._starts[position + 1]
        if self._index is None:
            yield from [(None, SourceFacts())] * (stop - start)
            return
        own = self._index.layout.own
        seconds = self._index.take(range(start, stop), own["seconds"]).to_pylist()
        sources = self._index.take(range(start, stop), own["source"]).to_pylist()
        for duration, source in zip(seconds, sources, strict=True):
            yield duration, SourceFacts(**(source or {}))


def _seconds_of(description: Description, position: int) -> float:
    """Returns the length of the clips of a shard in seconds, estimated from that of all clips."""
    clips = description.counts["clips"]
    return description.counts["hours"] * 3600 * description.shards[position]["records"] / clips if clips else 0.0


def _records_of(description: Description, position: int) -> Iterator[tuple[bytes, str, Head, dict[str, Any]]]:
    """Yields each record of a shard with its id, its head and its metadata, after checking it."""
    shard = description.shards[position]
    path = files.join(description.path, shard["name"])
    fingerprint = records.short_fingerprint(description.fingerprint).hex()
    number = 0
    try:
        with files.open_binary(path) as file:
            for _, record in tfrecords.read(file, path):
                where = f"Record {number} of the shard {path!r}"
                try:
                    clip_id, head, metadata = records.described(record, description.columns)
                except CorruptFeatureSetError as error:
                    raise CorruptFeatureSetError(f"{where}: {error}") from error
                expected = (fingerprint, description.dtype, shard["id"], number, len(record) - head.feature_start)
                found = (head.fingerprint, head.dtype, head.shard_id, head.number, head.feature_bytes)
                if found != expected:
                    raise CorruptFeatureSetError(
                        f"{where} must have the fingerprint, dtype, shard, number and size {expected}. Received: "
                        f"{found}. Files were renamed or mixed up: copy the file again, or recompute the feature set."
                    )
                number += 1
                yield record, clip_id, head, metadata
    except FileNotFoundError as error:
        raise set_files.corrupt("shard", path, "is missing") from error
    except OSError as error:
        raise FeatureSetError(f"Could not read {path!r}: {error}. Run the same command again.") from error
    if number != shard["records"]:
        raise set_files.corrupt("shard", path, f"must have {shard['records']} records. Received: {number}")
