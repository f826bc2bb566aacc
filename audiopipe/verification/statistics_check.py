"""Check that the statistics of a feature set are those of its records."""

import contextlib
from collections.abc import Iterator

import numpy as np

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import clip_sums, set_files, stored_statistics
from audiopipe.feature_sets.clip_sums import ClipSums
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.stored_statistics import ShardSums
from audiopipe.signal.feature_sums import FeatureSums
from audiopipe.storage import files

TOLERANCE = 1e-9  # of rounded sums: another release may round them in another order


class StatisticsCheck:
    """Compares the sums of the shards of a feature set with those of their records.

    Args:
        description: The feature set.
        stored: Its file with the statistics.
    """

    def __init__(self, description: Description, stored: ShardSums):
        self._description = description
        self._stored = stored
        self._total = clip_sums.empty(description.config)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, description: Description) -> "Iterator[StatisticsCheck | None]":
        """Opens the statistics of a feature set. Yields None if it has none.

        Raises:
            CorruptFeatureSetError: If the file is missing or damaged.
        """
        with ShardSums.opened(description) as stored:
            yield None if stored is None else cls(description, stored)

    def check_shard(self, position: int, found: ClipSums) -> None:
        """Raises an error unless the sums of a shard are those of its records.

        Args:
            position: Position of the shard.
            found: Sums of its records.

        Raises:
            CorruptFeatureSetError: If they differ. The message names the file and the shard.
        """
        expected = self._stored.of_shard(position)
        self._total.merge(expected)
        if found.sums is None or not _agree(expected, found.sums):
            raise self._wrong(
                f"its sums of {self._description.shards[position]['name']!r} are not those of the records"
            )

    def check_total(self) -> None:
        """Raises an error unless the last line is about all shards, which `check_shard` must have had.

        Raises:
            CorruptFeatureSetError: If it is not.
        """
        if self._stored.summary() != stored_statistics.summary(self._total, self._description.fingerprint):
            raise self._wrong("its last line does not have the sums of all shards")

    def _wrong(self, fault: str) -> CorruptFeatureSetError:
        facts = self._description.statistics_file
        assert facts is not None
        return set_files.corrupt("file", files.join(self._description.path, facts["name"]), f"is wrong: {fault}")


def _agree(expected: FeatureSums, found: FeatureSums) -> bool:
    if expected == found or expected.count != found.count:
        return expected == found
    one, two = expected.statistics(), found.statistics()
    numbers = [(getattr(one, name), getattr(two, name)) for name in ("min", "max")]
    same = all(np.array_equal(mine, other) for mine, other in numbers)
    distance = np.abs(one.mean - two.mean)
    close = distance <= TOLERANCE * np.maximum(one.std, np.abs(one.mean))
    return bool(same and close.all() and np.allclose(one.std, two.std, rtol=TOLERANCE, atol=0))
