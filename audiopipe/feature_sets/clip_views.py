"""Views of feature sets: some of their clips, in any order, and their features with a normalization."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from audiopipe import checks
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError, ClipNotFoundError
from audiopipe.feature_sets import expected_configs
from audiopipe.feature_sets.clip_numbers import ClipNumbers
from audiopipe.feature_sets.described_sets import DescribedSets
from audiopipe.feature_sets.set_members import picked
from audiopipe.signal.statistics import Statistics

if TYPE_CHECKING:
    from audiopipe.feature_sets.index import Rows
    from audiopipe.feature_sets.joined_sets import JoinedSets

EPSILON = 1e-5  # the default of `Config.normalized`


class ClipViews(DescribedSets):
    """Some clips of one or more feature sets, without a way to read them. Base class of `FeatureSet`."""

    _sets: "JoinedSets"
    _rows: "Rows"

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, clip_id: str) -> int:
        """Returns the number of the clip with an id. The first call reads the ids of the whole set.

        Raises:
            ClipNotFoundError: If there is no such clip in this set or view.

        Example:
            >>> from audiopipe import FeatureSet
            >>> FeatureSet("tests/data/v0.1/features").find("resampled")
            2
        """
        position = self._numbers.position(clip_id)
        if position is None:
            raise ClipNotFoundError(f"There is no clip with the id {clip_id!r} in {self!r}.")
        return position

    def where(self, condition: Callable[[dict[str, Any]], Any] | None = None, /, **values: Any) -> Self:
        """Returns a view of the clips that meet conditions.

        Args:
            condition: Function of a dict with the columns of `metadata` of one clip. It returns whether to take the
                clip. Classes are positions.
            **values: For each column of `metadata`, a value or a list of values of which the clip must have one. None
                stands for a missing value. A class is given by its name or its position. A clip with a list has a value
                if the list contains it.

        Returns:
            The clips that meet all conditions, in the same order.

        Raises:
            ArgumentError: If there is no such column or class, or a value has another type than its column.

        Example:
            >>> from audiopipe import FeatureSet
            >>> sets = FeatureSet("tests/data/v0.1/features")
            >>> sets.where(speaker=["Zoë", "Bo"]).ids
            ['mono', 'stereo']
            >>> sets.where(lambda clip: clip["n_frames"] < 30, clean=True).ids
            ['resampled']
        """
        from audiopipe.feature_sets import conditions

        rows = self._rows
        for name, wanted in values.items():
            kinds = self._sets.kinds
            if name not in kinds:
                raise ArgumentError(f"There is no column {name!r}. The columns are {', '.join(kinds)}.")
            column = self._sets.column(name, rows)
            found = conditions.matching(name, kinds[name], self.classes.get(name), column, wanted)
            rows = picked(rows, np.flatnonzero(found))
        if condition is not None:
            taken = [bool(condition(clip)) for clip in self._sets.clips(rows)]
            rows = picked(rows, np.flatnonzero(taken))
        return self._view(rows)

    def select(self, clips: Iterable[int | str]) -> Self:
        """Returns a view of some clips, in a given order. A clip may be repeated.

        Args:
            clips: Numbers or ids of the clips.

        Raises:
            ClipNotFoundError: If there is no such clip.
            ArgumentError: If something is neither a number nor an id.

        Example:
            >>> from audiopipe import FeatureSet
            >>> FeatureSet("tests/data/v0.1/features").select([2, 0]).ids
            ['resampled', 'mono']
        """
        if isinstance(clips, np.ndarray) and clips.dtype.kind in "iu" and clips.ndim == 1:
            wrong = clips[(clips < -len(self)) | (clips >= len(self))]
            if len(wrong):
                self._row(wrong[0])
            return self._view(picked(self._rows, np.where(clips < 0, clips + len(self), clips)))
        return self._view(np.array([self._row(clip) for clip in clips], np.int64))

    def shard(self, index: int, count: int) -> Self:
        """Returns a view of one of `count` parts whose sizes differ by at most 1. Each part has consecutive clips.

        `load` tells `tf.distribute` not to divide such a part among workers again.

        Args:
            index: Number of the part, from 0.
            count: Number of parts.

        Raises:
            ArgumentError: Unless `0 <= index < count`.

        Example:
            >>> from audiopipe import FeatureSet
            >>> sets = FeatureSet("tests/data/v0.1/features")
            >>> [sets.shard(index, 2).ids for index in range(2)]
            [['mono'], ['stereo', 'resampled']]
        """
        count = checks.integer("count", count, minimum=1)
        index = checks.integer("index", index, minimum=0)
        if index >= count:
            raise checks.fail("index", f"less than count={count}", index)
        rows = self._rows[index * len(self) // count : (index + 1) * len(self) // count]
        return self._view(rows, is_sharded=True)

    def split(self, fractions: Mapping[str, float], by: str | None = None, *, seed: int = 0) -> dict[str, Self]:
        """Divides the clips into parts at random, so that each clip stays in its part when the set grows.

        The part of a clip depends on nothing but its id or group, the fractions and their order, and the seed: its
        xxh3-64 hash with this seed, divided by 2 ** 64, falls into one of the consecutive intervals that have the
        fractions as lengths. The sizes of the parts therefore differ a little from the fractions, and more if there are
        few groups.

        Args:
            fractions: Fraction of each part, by its name. The sum must be 1.
            by: Metadata column of groups, such as the speaker. All clips of a group are in one part. Clips without a
                value are one group, because they may belong together. The hash is that of the value as Python prints
                it, or of the name of a class. None hashes the id. Segments of one recording are a group of its id.
            seed: Seed of the hash. Another seed divides the clips in another way. To divide a part again, use another
                seed.

        Returns:
            A view for each part, by its name.

        Raises:
            ArgumentError: If the sum is not 1, or the column does not exist or has lists.

        Example:
            >>> from audiopipe import FeatureSet
            >>> parts = FeatureSet("tests/data/v0.1/features").split({"train": 0.5, "test": 0.5}, by="speaker")
            >>> {name: part.ids for name, part in parts.items()}
            {'train': ['mono', 'resampled'], 'test': ['stereo']}
        """
        from audiopipe.feature_sets import splits

        parts = splits.Parts(fractions)
        hashes = splits.hashes_of(self._sets, self._rows, by, checks.integer("seed", seed, minimum=0))
        numbers = parts.of_hashes(hashes)
        return {
            name: self._view(picked(self._rows, np.flatnonzero(numbers == number)))
            for number, name in enumerate(parts.names)
        }

    def normalized(self, statistics: Any, per: str = "bin", eps: float = EPSILON) -> Self:
        """Returns a view with the features of a normalized config: `(x - mean) / std` of the stored ones.

        The step is applied to the float32 values on reading, so one feature set serves any number of normalizations. If
        it is stored as float32, the features have the bits that a `Transform` of the normalized config computes. If it
        is stored as float16 or bfloat16, the step is applied to the rounded values.

        Args:
            statistics: An `audiopipe.Statistics` of the feature, such as that of the clips to train on; or a normalized
                config or anything that carries one, as for `audiopipe.load`.
            per: `"bin"` or `"global"`, as in `Config.normalized`. It belongs to statistics.
            eps: Smallest number to divide by, as in `Config.normalized`. It belongs to statistics.

        Raises:
            ConfigError: If the statistics do not fit the feature, or the feature is normalized already.
            ConfigMismatchError: If the config without its normalization is not that of the features.

        Example:
            >>> from audiopipe import FeatureSet, Statistics
            >>> sets = FeatureSet("tests/data/v0.1/features")
            >>> normalized = sets.normalized(Statistics(mean=[-30.0] * 20, std=[8.0] * 20))
            >>> bool((normalized[0]["feature"] == (sets[0]["feature"] + 30) / 8).all())
            True
            >>> normalized.config.without_normalization == sets.config
            True
        """
        if isinstance(statistics, Statistics):
            if statistics.fingerprint == self.fingerprint:  # also if an earlier release computed the features
                statistics = dataclasses.replace(statistics, fingerprint=None)
            return self._as_expected(self.config.normalized(statistics, per=per, eps=eps), self.kernel_version)
        if per != "bin" or eps != EPSILON:
            raise ArgumentError(
                f"per and eps belong to statistics, and a config has its numbers already. Received: per={per!r}, "
                f"eps={eps!r} with {type(statistics).__name__}. Leave them out."
            )
        if isinstance(statistics, Mapping):
            raise ArgumentError(
                "statistics must be Statistics or a normalized config. Received: a dict. Use "
                "Statistics.from_dict(...) if `Statistics.to_dict` made it."
            )
        from audiopipe.feature_sets import fingerprints  # which imports the base of this class

        config, version = fingerprints.expected(statistics)
        if config.standardization is None:
            raise ArgumentError(
                f"statistics must be Statistics or a normalized config. Received: a {type(config).__name__} that is "
                "not normalized. Use config.normalized(statistics)."
            )
        return self._as_expected(config, version)

    def _as_expected(self, config: Config, kernel_version: int) -> Self:
        """Returns this view if its features have an expected config, or one that normalizes them so that they have.

        Raises:
            ConfigMismatchError: If the features have another config, and normalizing them does not help.
        """
        if expected_configs.lacks_normalization(self.config, self.kernel_version, config, kernel_version):
            return self._view(self._rows, normalized=config)
        self.expect(config, kernel_version)
        return self

    def _view(self, rows: "Rows", *, is_sharded: bool = False, normalized: Config | None = None) -> Self:
        view = object.__new__(type(self))
        is_sharded |= self.is_sharded
        DescribedSets.__init__(
            view,
            self.descriptions,
            self.prefixes,
            self.columns,
            is_sharded=is_sharded,
            normalized_config=normalized or self.normalized_config,
        )
        view._sets, view._rows = self._sets, rows
        return view

    @functools.cached_property
    def _numbers(self) -> ClipNumbers:
        return ClipNumbers(self._sets, self._rows)

    def _row(self, clip: Any) -> int:
        """Returns the number of a clip in the joined sets."""
        return self._numbers.row(self.find(clip) if isinstance(clip, str) else clip)
