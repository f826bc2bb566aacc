"""Records that a shard keeps when only its failed clips are tried again."""

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from audiopipe.feature_sets import records
from audiopipe.feature_sets.description import sha256
from audiopipe.precompute import finished_shards
from audiopipe.precompute.plan import Part
from audiopipe.storage import files
from audiopipe.transform.segments import parse_id, recording_of


class KeptRecords:
    """Records of the clips of a shard that did not fail, in the order of the shard.

    Args:
        path: Local path of the shard. None if there is nothing to keep.
        failed: Ids of the input clips that failed, in whole or in part, or whose recording was repaired.
        segmented: Whether the shard contains segments of recordings.
        samples: Number of samples that each record was computed from.
        max_error: Largest difference between a stored value and the computed one.
        remarks: Remarks about the clips of the shard, by the id of the input clip.
        short_recordings: Ids of the recordings that are too short for a segment.
    """

    def __init__(
        self,
        path: str | None = None,
        failed: Collection[str] = (),
        segmented: bool = False,
        samples: Iterable[int] = (),
        max_error: float = 0.0,
        remarks: Mapping[str, list[dict[str, Any]]] = MappingProxyType({}),
        short_recordings: Iterable[str] = (),
    ):
        self.max_error = max_error
        self.short_recordings = [name for name in short_recordings if name not in failed]
        self._failed = failed
        self._segmented = segmented
        self._has_shard = path is not None
        read = () if path is None else tf.data.TFRecordDataset(path).as_numpy_iterator()
        self._records = zip(read, samples, strict=True)
        self._next: tuple[bytes, int] | None = None
        self._remarks = remarks

    @classmethod
    @contextlib.contextmanager
    def of_shard(cls, part: Part) -> Iterator["KeptRecords"]:
        """Opens the records that a shard can keep.

        There are none unless the failures of the shard are tried again and its file is undamaged.
        """
        before = finished_shards.previous(part.plan, part.shard)
        path = files.join(part.plan.output, part.plan.shard_name(part.shard))
        if before is None or not files.exists(path) or sha256(path) != before["sha256"]:
            yield cls()
            return
        ids = {clip.source.id for clip in part.clips}
        remarks: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for remark in before["remarks"]:
            remarks[recording_of(remark["id"], ids)].append(remark)
        with files.local_copy(path) as local:
            yield cls(
                local,
                frozenset(before[finished_shards.AGAIN]),
                part.plan.segments is not None,
                before["samples"],
                before["max_error"],
                remarks,
                before["short_recordings"],
            )

    def has(self, clip_id: str) -> bool:
        """Returns whether the records of a clip are kept."""
        return self._has_shard and clip_id not in self._failed

    def take(self, clip_id: str) -> Iterator[tuple[bytes, int]]:
        """Yields the records of a clip, each with the number of samples that it was computed from.

        Clips must be requested in the order of the shard.
        """
        found = False
        for record, samples in self._remaining():
            name = records.clip_id(record)
            if (parse_id(name)[0] if self._segmented else name) == clip_id:
                found = True
                yield record, samples
            elif found:
                self._next = (record, samples)
                return

    def remarks(self, clip_id: str) -> list[dict[str, Any]]:
        """Returns the remarks about a clip and its segments."""
        return self._remarks.get(clip_id, [])

    def _remaining(self) -> Iterator[tuple[bytes, int]]:
        if self._next is not None:
            held, self._next = self._next, None
            yield held
        yield from self._records
