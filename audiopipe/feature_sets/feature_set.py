"""`FeatureSet`: a feature set as a sequence of NumPy arrays, and views of it."""

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from audiopipe import checks
from audiopipe.configs.base import Config
from audiopipe.configs.standardization import Standardization
from audiopipe.errors import ArgumentError, CorruptFeatureSetError
from audiopipe.feature_sets import generations, parted_sets
from audiopipe.feature_sets.clip_views import ClipViews
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.expected_configs import lacks_normalization
from audiopipe.feature_sets.set_members import common_normalization, concatenated, prefixes_of, shifted
from audiopipe.wording import noun_of

if TYPE_CHECKING:
    import pyarrow as pa

    from audiopipe.feature_sets.index import Rows
    from audiopipe.feature_sets.joined_sets import JoinedSets
    from audiopipe.signal.statistics import Statistics

Source: TypeAlias = "str | os.PathLike[str] | FeatureSet | Sequence[str | os.PathLike[str] | FeatureSet]"


class FeatureSet(ClipViews):
    """Feature set as a sequence of clips, read by number or id. TensorFlow is not needed.

    Opening is fast, because features and columns are read only when they are used. Several threads and processes can
    read a feature set at once. A pickle contains paths and numbers of clips, but no data. The process that receives it
    opens the same generation, even if the feature set was updated since.

    `where`, `select`, `shard`, `split` and slices return views: feature sets with some of the clips. `normalized`
    returns a view that normalizes features on reading. In a view, `len`, iteration, `find`, `metadata` and `statistics`
    cover only its clips. Properties such as `counts`, and `failures` and `remarks`, describe the whole set. Views of
    views are possible.

    Args:
        path: Folder of the feature set, local or remote, or a list of folders and feature sets. Several feature sets
            are joined in their order. They must have the same fingerprint and dtype, and all ids must differ. If a set
            lacks a metadata column, its clips have missing values there. Classes of the first set keep their positions,
            and new classes of the others are appended. A view adds only its own clips.
        prefix: Text to put before the ids of each set: a text for each item of the list, or a dict by path. None means
            none.

    Raises:
        IncompleteFeatureSetError: If there is no `dataset.json`.
        CorruptFeatureSetError: If `dataset.json` or the index is damaged, missing, or does not fit the shards.
        ConfigMismatchError: If several sets have different fingerprints. The message lists the differences.
        FeatureSetError: If several sets have different dtypes, types of a column, or equal ids.
        ArgumentError: If `path` is an empty list or has another type, or `prefix` does not have a text for each item.

    Example:
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> len(sets), sets[0]["id"], sets[0]["feature"].shape
        (3, 'mono', (38, 20, 1))
        >>> sets.read("mono", start=10, stop=12).shape
        (2, 20, 1)
        >>> [clip["id"] for clip in sets.where(clean=True)]
        ['mono', 'resampled']
    """

    def __init__(self, path: Source, prefix: Sequence[str] | Mapping[str, str] | None = None):
        items = items_of("path", path)
        texts = prefixes_of(items, prefix)
        descriptions: list[Description] = []
        prefixes: list[str] = []
        members: list[tuple[str, Config | None]] = []
        rows: list[Rows] = []
        count, is_sharded = 0, False
        for item, text in zip(items, texts, strict=True):
            if isinstance(item, FeatureSet):
                descriptions += item.descriptions
                members += [(path, item.normalized_config) for path in item.paths]
                prefixes += [text + inner for inner in item.prefixes]
                rows.append(shifted(item._rows, count))
                count += len(item._sets)
                is_sharded |= item.is_sharded
            else:
                found = parted_sets.opened(item)
                descriptions += found
                members.append((os.fspath(item), None))
                prefixes += [text] * len(found)
                clips = sum(description.counts["clips"] for description in found)
                rows.append(range(count, count + clips))
                count += clips
        self._init(descriptions, prefixes, concatenated(rows), is_sharded, common_normalization(members))

    def _init(
        self,
        descriptions: Sequence[Description],
        prefixes: Sequence[str],
        rows: "Rows",
        is_sharded: bool = False,
        normalized: Config | None = None,
    ) -> None:
        from audiopipe.feature_sets.joined_sets import JoinedSets  # imports pyarrow

        self._sets = JoinedSets(descriptions, prefixes, rows)
        super().__init__(
            descriptions, prefixes, self._sets.columns, is_sharded=is_sharded, normalized_config=normalized
        )
        self._rows = rows

    @classmethod
    def open(cls, path: Source) -> "FeatureSet":
        """Opens a feature set, like the constructor."""
        return cls(path)

    def __reduce__(self):
        sets = [generations.of(description) for description in self.descriptions]
        return reopened, (sets, self.prefixes, self._rows, self.is_sharded, self.normalized_config)

    def __repr__(self) -> str:
        paths = repr(self.whole) if self.whole else ", ".join(map(repr, self.paths))
        whole = "" if len(self) == len(self._sets) else f" of {len(self._sets)}"
        normalized = "" if self.normalized_config is None else ", normalized"
        return f"<FeatureSet {paths}: {len(self)}{whole} {noun_of(len(self), 'clip')}{normalized}>"

    def __getitem__(self, key: Any) -> Any:
        """Returns a clip, or a view of a slice.

        Args:
            key: Number of a clip, from 0 or, if it is negative, from the end; its id; or a slice.

        Returns:
            A dict with these entries. The checksum of the record is verified.

            - `id`.
            - `feature`: float32 `[frames, bins, channels]`, or `[channels, frames, bins]` for `channels_first`.
            - `n_frames`: the number of frames.
            - `valid_frames`: the number of frames that hold audio. It is there if the feature or its segments pad
              clips, but not in sets of release 0.1. It is named as in `metadata`.
            - The metadata. Missing values are None, and classes are positions in `class_names`.

        Raises:
            ClipNotFoundError: If there is no such clip. It is an `IndexError` and a `KeyError`.
            CorruptFeatureSetError: If the record is missing or damaged, or belongs to another place or feature.
        """
        if isinstance(key, slice):
            return self._view(self._rows[key])
        clip = self._as_read(self._sets.element(self._row(key)))
        if isinstance(key, str) and clip["id"] != key:
            raise CorruptFeatureSetError(
                f"The index of {self!r} does not fit the shards: it says that the record of {clip['id']!r} is that of "
                f"{key!r}. Copy the folder again, or recompute the feature set."
            )
        return clip

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yields the clips in order, see `__getitem__`. Records that are next to each other are read together."""
        return map(self._as_read, self._sets.elements(self._rows))

    def __contains__(self, clip_id: object) -> bool:
        return isinstance(clip_id, str) and self._numbers.position(clip_id) is not None

    def read(self, clip: int | str, start: int | None = None, stop: int | None = None) -> np.ndarray:
        """Reads the feature of a clip, or some of its frames. Other frames are not read from storage.

        Without `start` and `stop`, the checksum of the record is verified. With them, only the identity of the shard
        and the place of the record are verified, because the checksum covers the whole record.

        Args:
            clip: Number or id of the clip.
            start: First frame. None means 0.
            stop: Frame after the last one. None means the number of frames.

        Returns:
            The frames: float32 `[frames, bins, channels]`, or `[channels, frames, bins]` for `channels_first`.

        Raises:
            ClipNotFoundError: If there is no such clip.
            ArgumentError: Unless `0 <= start <= stop <= n_frames`.
            CorruptFeatureSetError: If the record is missing, or found to be damaged.

        Example:
            >>> sets = FeatureSet("tests/data/v0.1/features")
            >>> bool((sets.read(0, start=3, stop=8) == sets[0]["feature"][3:8]).all())
            True
        """
        row = self._row(clip)
        if start is None and stop is None:
            return self._normalized(self._sets.element(row)["feature"])
        n_frames = self._sets.n_frames(row)
        first = 0 if start is None else checks.integer("start", start, minimum=0)
        last = n_frames if stop is None else checks.integer("stop", stop, minimum=0)
        if not first <= last <= n_frames:
            raise ArgumentError(
                f"start and stop must be frames of the clip, 0 <= start <= stop <= {n_frames}. Received: "
                f"start={start}, stop={stop}."
            )
        return self._normalized(self._sets.frames(row, first, last))

    @property
    def ids(self) -> list[str]:
        """The ids of the clips. Bytes that are not UTF-8 are surrogates, as `os.fsdecode` returns them."""
        return [item.decode("utf-8", "surrogateescape") for item in self._sets.ids(self._rows).to_pylist()]

    @functools.cached_property
    def metadata(self) -> "pa.Table":
        """Table of the clips, read at the first access.

        The columns are `id`, `n_frames`, `valid_frames` (frames that hold audio), `seconds`, and all metadata columns.
        `valid_frames` and `seconds` are null if they are not known. If a metadata column has one of these names, the
        column of audiopipe gets an underscore, as in `seconds_`.

        The names of classes are in the metadata of a field, under the key `classes`, as a JSON list. Text that is not
        UTF-8 has backslash escapes.

        Example:
            >>> FeatureSet("tests/data/v0.1/features").metadata.select(["id", "n_frames", "gain"]).to_pylist()[0]
            {'id': 'mono', 'n_frames': 38, 'gain': 0.1}
        """
        return self._sets.table(self._rows)

    @functools.cached_property
    def statistics(self) -> "Statistics":
        """Count, mean, standard deviation, minimum and maximum of each bin and channel, over the frames of the clips.

        Only frames that hold audio count, not the padding of the feature or its segments. The values are those that
        `read` returns: rounded to the storage dtype and, in a view from `normalized`, normalized. If the config keeps
        all channels, the channels of a clip are pooled, so each of its `quantities` has one channel.

        Sums of whole shards are stored with the set. Other clips are read, and the result is kept in the user's cache.
        The bits do not depend on the order of the clips. A repeated clip counts each time.

        Raises:
            FeatureSetError: If the clips have no frames.
            CorruptFeatureSetError: If a file is missing or damaged.

        Example:
            >>> statistics = FeatureSet("tests/data/v0.1/features").where(clean=True).statistics
            >>> int(statistics.count[0, 0]), statistics.mean.shape
            (66, (20, 1))
        """
        from audiopipe.feature_sets import view_statistics

        return view_statistics.of_rows(self._sets, self._rows, self.fingerprint, self._standardization)

    def _as_read(self, clip: dict[str, Any]) -> dict[str, Any]:
        return clip if self.normalized_config is None else {**clip, "feature": self._normalized(clip["feature"])}

    def _normalized(self, feature: np.ndarray) -> np.ndarray:
        """Returns a feature as it is read, given the stored one, or some of its frames."""
        return feature if self._standardization is None else self._standardization.apply(feature, self.config)

    @property
    def _standardization(self) -> Standardization | None:
        """The step that features get on reading."""
        return None if self.normalized_config is None else self.normalized_config.standardization


def clips_of(feature_set: FeatureSet) -> "tuple[JoinedSets, Rows]":
    """Returns the whole sets of a feature set, and the numbers of its clips in them."""
    return feature_set._sets, feature_set._rows


def of_description(description: Description) -> FeatureSet:
    """Returns a feature set that is open already, with its index."""
    return of_descriptions([description])


def of_descriptions(descriptions: Sequence[Description]) -> FeatureSet:
    """Returns a feature set whose parts are open already, with their indexes."""
    feature_set = object.__new__(FeatureSet)
    clips = sum(description.counts["clips"] for description in descriptions)
    feature_set._init(descriptions, [""] * len(descriptions), range(clips))
    return feature_set


def as_expected(feature_set: Description | FeatureSet, config: Config, version: int) -> Description | FeatureSet:
    """Returns a feature set whose features have an expected config: itself, or a view that normalizes its features.

    Raises:
        ConfigMismatchError: If the features have another config, and normalizing them does not help.
    """
    if isinstance(feature_set, FeatureSet):
        return feature_set._as_expected(config, version)
    if lacks_normalization(feature_set.config, feature_set.kernel_version, config, version):
        return of_description(feature_set)._as_expected(config, version)
    feature_set.expect(config, version)
    return feature_set


def reopened(
    sets: Sequence[generations.Generation],
    prefixes: Sequence[str],
    rows: "Rows",
    is_sharded: bool,
    normalized: Config | None = None,  # which pickles of earlier releases lack
) -> FeatureSet:
    """Opens generations of feature sets, such as those that a pickle names, and takes some of their clips."""
    feature_set = object.__new__(FeatureSet)
    opened = [generations.opened(one) for one in sets]
    feature_set._init(opened, prefixes, rows, is_sharded, normalized)
    return feature_set


def items_of(name: str, source: Source) -> "Sequence[str | os.PathLike[str] | FeatureSet]":
    """Returns the folders and feature sets of an argument.

    Args:
        name: Name of the argument, for the error message.
        source: The argument: a folder, a feature set, or a list of these.

    Raises:
        ArgumentError: If it is none of these, or an empty list.
    """
    kinds = (str, os.PathLike, FeatureSet)
    items = [source] if isinstance(source, kinds) else source
    if not isinstance(items, Sequence) or not items or not all(isinstance(item, kinds) for item in items):
        raise checks.fail(name, "a folder, a feature set, or a list of these", source)
    return items
