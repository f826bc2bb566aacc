"""Records of a shard that are kept when only the clips that failed are tried again."""

import contextlib
from collections.abc import Collection, Iterable, Iterator

import tensorflow as tf

from audiopipe.feature_sets import records
from audiopipe.feature_sets.feature_set import sha256
from audiopipe.precompute import finished_shards
from audiopipe.precompute.plan import Part
from audiopipe.storage import files
from audiopipe.transform.segments import parse_id


class KeptRecords:
    """The records of the clips of a shard that did not fail, in their order.

    Args:
        path: Local path of the shard, None where there is nothing to keep.
        failed: Ids of the clips of the input that failed, in whole or in part.
        segmented: Whether the shard holds segments of recordings.
        samples: Samples that each record was computed from.
        max_error: Greatest error of their storage.
    """

    def __init__(
        self,
        path: str | None = None,
        failed: Collection[str] = (),
        segmented: bool = False,
        samples: Iterable[int] = (),
        max_error: float = 0.0,
    ):
        self.max_error = max_error
        self._failed = failed
        self._segmented = segmented
        self._there = path is not None
        read = () if path is None else tf.data.TFRecordDataset(path).as_numpy_iterator()
        self._records = zip(read, samples, strict=True)
        self._next: tuple[bytes, int] | None = None

    @classmethod
    @contextlib.contextmanager
    def of_shard(cls, part: Part) -> Iterator["KeptRecords"]:
        """What can be kept of a shard: nothing, unless its failures are tried again and it is there undamaged."""
        before = finished_shards.previous(part.plan, part.shard)
        path = files.join(part.plan.output, part.plan.shard_name(part.shard))
        if before is None or not files.exists(path) or sha256(path) != before["sha256"]:
            yield cls()
            return
        ids = {clip.source.id for clip in part.clips}
        failed = {failure["id"] for failure in before["failures"]}
        failed = {name if name in ids else parse_id(name)[0] for name in failed}
        with files.local_copy(path) as local:
            yield cls(local, failed, part.plan.segments is not None, before["samples"], before["max_error"])

    def has(self, clip_id: str) -> bool:
        """Whether the records of a clip are kept."""
        return self._there and clip_id not in self._failed

    def take(self, clip_id: str) -> Iterator[tuple[bytes, int]]:
        """The records of a clip, with the samples that each was computed from.

        Clips must be asked for in the order of the shard.
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

    def _remaining(self) -> Iterator[tuple[bytes, int]]:
        if self._next is not None:
            held, self._next = self._next, None
            yield held
        yield from self._records
