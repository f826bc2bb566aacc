"""Clips of feature sets in the order of their shards, each once, however often and in whichever order they are used."""

import bisect
import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from audiopipe.feature_sets.index import Rows
from audiopipe.feature_sets.stored_set import StoredSet


@dataclass(frozen=True, eq=False)
class ShardPart:
    """Some clips of a shard.

    Args:
        stored: The feature set of the shard.
        shard: Position of the shard in it.
        first_row: Number of the first clip of the shard in the set.
        rows: Numbers of the clips in the set, in ascending order, each once.
        repeats: How often each clip is used: int64 `[rows]`. None means once.
    """

    stored: StoredSet
    shard: int
    first_row: int
    rows: Rows
    repeats: np.ndarray | None

    @functools.cached_property
    def times(self) -> int | None:
        """How often each clip of the whole shard is used. None if not all are used, or not all as often."""
        if len(self.rows) != self.stored.description.shards[self.shard]["records"]:
            return None
        if self.repeats is None:
            return 1
        return int(self.repeats[0]) if (self.repeats == self.repeats[0]).all() else None

    @property
    def digest(self) -> bytes:
        """SHA-256 over the checksum of the shard, and which of its clips are used how often."""
        digest = hashlib.sha256(self.stored.description.shards[self.shard]["sha256"].encode())
        digest.update((np.asarray(self.rows, "<i8") - self.first_row).tobytes())
        if self.repeats is not None and (self.repeats > 1).any():
            digest.update(b"repeats")
            digest.update(self.repeats.astype("<i8").tobytes())
        return digest.digest()


def of_rows(sets: Sequence[StoredSet], starts: Sequence[int], rows: Rows) -> Iterator[ShardPart]:
    """Yields the shards of which some clips are used.

    Args:
        sets: Feature sets.
        starts: Number of the first clip of each set.
        rows: Numbers of the clips, in any order. Clips may be repeated.
    """
    repeats = None
    if isinstance(rows, range):
        ordered: Rows = rows if rows.step > 0 else rows[::-1]
    else:
        ordered, counts = np.unique(rows, return_counts=True)
        repeats = counts if len(ordered) < len(rows) else None
    for stored, start in zip(sets, starts, strict=False):
        first = 0
        for shard, facts in enumerate(stored.description.shards):
            low = bisect.bisect_left(ordered, start + first)
            high = bisect.bisect_left(ordered, start + first + facts["records"], low)
            if low < high:
                inner = np.asarray(ordered[low:high], np.int64) - start
                yield ShardPart(stored, shard, first, inner, None if repeats is None else repeats[low:high])
            first += facts["records"]
