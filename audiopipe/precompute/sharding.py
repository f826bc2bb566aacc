"""Assignment of clips to shards of about equal size."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from audiopipe.inputs import Source

SHARDS = 64
MIN_SHARD = 1_000_000  # bytes
MAX_SHARD = 128_000_000
SCATTERED = 2  # stretches are scattered if their recordings recur more often than this, on average


@dataclass(frozen=True)
class Neighbours:
    """Groups of clips whose records stay in one shard: neighbouring stretches of one recording.

    Args:
        sizes: Number of clips in each group. A whole recording is a group of its own.
        n_cut: Number of recordings that are cut into stretches.
        n_groups_of_stretches: Number of groups of stretches.
    """

    sizes: np.ndarray
    n_cut: int
    n_groups_of_stretches: int

    @classmethod
    def of(cls, sources: Iterable[Source]) -> "Neighbours":
        """Finds the groups of clips in their order."""
        sizes, cut = array("q"), array("q")
        previous = None
        for source in sources:
            recording = source.recording() if source.is_stretch else None
            if recording is not None and recording == previous:
                sizes[-1] += 1
            else:
                sizes.append(1)
                if recording is not None:
                    cut.append(hash(recording))
            previous = recording
        return cls(np.array(sizes, np.int64), len(np.unique(np.array(cut, np.int64))), len(cut))

    @classmethod
    def of_whole_recordings(cls, count: int) -> "Neighbours":
        """Returns the groups of clips of which none is a stretch."""
        return cls(np.ones(count, np.int64), 0, 0)

    @property
    def scattered(self) -> bool:
        """Whether the stretches of recordings are scattered, so that every shard decodes the recordings again."""
        return self.n_groups_of_stretches > SCATTERED * self.n_cut

    def clips_of_shards(self, sizes: np.ndarray, num_shards: int | None) -> np.ndarray:
        """Returns the number of clips in each shard.

        Args:
            sizes: Size of the records of each clip in bytes.
            num_shards: Number of shards, at most one per group. None chooses it by the size.
        """
        starts = np.cumsum(self.sizes) - self.sizes
        wanted = num_shards or number_of_shards(sizes.sum(), SHARDS if not self.scattered else 1)
        groups = counts_of_equal_sizes(np.add.reduceat(sizes, starts), min(len(self.sizes), wanted))
        ends = np.append(starts, len(sizes))[np.cumsum(groups)]
        return np.diff(ends, prepend=0)


def counts_of_equal_sizes(sizes: np.ndarray, n_shards: int) -> np.ndarray:
    """Returns the number of clips in each shard.

    Neighbouring clips stay together, no shard is empty, and the sizes of the shards are as equal as possible.

    Args:
        sizes: Size of each clip.
        n_shards: Number of shards, at most one per clip.

    Example:
        >>> counts_of_equal_sizes(np.array([1.0, 1.0, 1.0, 1.0, 4.0]), 2).tolist()
        [4, 1]
    """
    ends = np.cumsum(np.maximum(sizes, 1e-9))
    numbers = np.arange(1, n_shards)
    # A clip goes into the shard that contains its middle.
    bounds = np.searchsorted(ends - np.diff(ends, prepend=0) / 2, ends[-1] * numbers / n_shards)
    bounds = np.maximum.accumulate(np.maximum(bounds, numbers) - numbers) + numbers  # at least one clip in each
    bounds = np.minimum(bounds, len(sizes) - n_shards + numbers)
    return np.diff(bounds, prepend=0, append=len(sizes))


def number_of_shards(size: float, wanted: int = SHARDS) -> int:
    """Returns the number of shards for records of `size` bytes in total.

    It is `wanted`, unless the shards were smaller than `MIN_SHARD` or larger than `MAX_SHARD`.
    """
    shard = min(max(size / wanted, MIN_SHARD), MAX_SHARD)
    return max(1, int(np.ceil(size / shard)))
