"""`FeatureSet`: a feature set as a sequence of NumPy arrays, and views of it."""

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from audiopipe import checks
from audiopipe.errors import ArgumentError, ClipNotFoundError, CorruptFeatureSetError
from audiopipe.feature_sets import generations
from audiopipe.feature_sets.clip_numbers import ClipNumbers
from audiopipe.feature_sets.described_sets import DescribedSets
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.set_members import concatenated, picked, prefixes_of, shifted

if TYPE_CHECKING:
    import pyarrow as pa

    from audiopipe.feature_sets.index import Rows
    from audiopipe.feature_sets.joined_sets import JoinedSets

Source: TypeAlias = "str | os.PathLike[str] | FeatureSet | Sequence[str | os.PathLike[str] | FeatureSet]"


class FeatureSet(DescribedSets):
    """Feature set as a sequence of clips, read by their numbers or their ids. TensorFlow is not needed.

    Features are read when they are asked for. The index is read column by column, so opening is fast. A feature set can
    be read by several threads and processes at once. Its pickle contains paths and numbers of clips, but no data: a
    process that receives it opens the generation that its sender saw, even if the feature set was updated since.

    `where`, `select`, `shard`, `split` and slices return views: feature sets with some of the clips, in which `len`,
    iteration, `find` and `metadata` see only these. Properties such as `counts`, and `failures` and `remarks`, describe
    the whole set. Views of views are possible.

    Args:
        path: Folder of the feature set, local or remote, or a list of folders and feature sets. Several feature sets
            are joined, the clips of the first one first. Of a view, only its clips are. They must have one fingerprint,
            one dtype, and different ids. A metadata column that a set lacks is missing in its clips. Classes of the
            first set keep their positions, and new classes of the others are appended.
        prefix: Text to put before the ids of each set: a text for each item of the list, or a dict by path. None means
            none.

    Raises:
        IncompleteFeatureSetError: If there is no `dataset.json`.
        CorruptFeatureSetError: If `dataset.json` or the index is damaged, missing, or does not fit the shards.
        ConfigMismatchError: If several sets have different fingerprints. The message lists the differences.
        FeatureSetError: If several sets have different dtypes, types of a column, or equal ids.
        ArgumentError: If `path` is neither of these or empty, or `prefix` does not have a text for each item.

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
        rows: list[Rows] = []
        count, is_sharded = 0, False
        for item, text in zip(items, texts, strict=True):
            if isinstance(item, FeatureSet):
                descriptions += item.descriptions
                prefixes += [text + inner for inner in item.prefixes]
                rows.append(shifted(item._rows, count))
                count += len(item._sets)
                is_sharded |= item.is_sharded
            else:
                descriptions.append(Description.open(item))
                prefixes.append(text)
                clips = descriptions[-1].counts["clips"]
                rows.append(range(count, count + clips))
                count += clips
        self._init(descriptions, prefixes, concatenated(rows), is_sharded=is_sharded)

    def _init(
        self, descriptions: Sequence[Description], prefixes: Sequence[str], rows: "Rows", *, is_sharded: bool = False
    ) -> None:
        from audiopipe.feature_sets.joined_sets import JoinedSets  # imports pyarrow

        self._sets = JoinedSets(descriptions, prefixes, rows)
        super().__init__(descriptions, prefixes, self._sets.columns, is_sharded=is_sharded)
        self._rows = rows

    @classmethod
    def open(cls, path: Source) -> "FeatureSet":
        """Opens a feature set, like the constructor."""
        return cls(path)

    def __reduce__(self):
        sets = [generations.of(description) for description in self.descriptions]
        return reopened, (sets, self.prefixes, self._rows, self.is_sharded)

    def __repr__(self) -> str:
        paths = ", ".join(map(repr, self.paths))
        whole = "" if len(self) == len(self._sets) else f" of {len(self._sets)}"
        return f"<FeatureSet {paths}: {len(self)}{whole} clips>"

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> Any:
        """Returns a clip, or a view of a slice.

        Args:
            key: Number of a clip, from 0 or, if it is negative, from the end; its id; or a slice.

        Returns:
            A dict of `id`, `feature` (float32 `[frames, bins, channels]`, or `[channels, frames, bins]` for
            `channels_first`), `n_frames` and the metadata. If the feature or its segments pad clips, `valid_frames` is
            the number of frames that hold audio, named as in `metadata`; a set of release 0.1 does not know it, and
            lacks it then. Missing values are None, and classes are positions in `class_names`. The checksum of the
            record is checked.

        Raises:
            ClipNotFoundError: If there is no such clip. It is an `IndexError` and a `KeyError`.
            CorruptFeatureSetError: If the record is missing or damaged, or belongs to another place or feature.
        """
        if isinstance(key, slice):
            return self._view(self._rows[key])
        clip = self._sets.element(self._row(key))
        if isinstance(key, str) and clip["id"] != key:
            raise CorruptFeatureSetError(
                f"The index of {self!r} does not fit the shards: it says that the record of {clip['id']!r} is that of "
                f"{key!r}. Copy the folder again, or recompute the feature set."
            )
        return clip

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yields the clips in order, see `__getitem__`. Records that are next to each other are read together."""
        return self._sets.elements(self._rows)

    def __contains__(self, clip_id: object) -> bool:
        return isinstance(clip_id, str) and self._numbers.position(clip_id) is not None

    def find(self, clip_id: str) -> int:
        """Returns the number of the clip with an id. The first call reads the ids of the whole set.

        Raises:
            ClipNotFoundError: If there is no such clip in this set or view.

        Example:
            >>> FeatureSet("tests/data/v0.1/features").find("resampled")
            2
        """
        position = self._numbers.position(clip_id)
        if position is None:
            raise ClipNotFoundError(f"There is no clip with the id {clip_id!r} in {self!r}.")
        return position

    def read(self, clip: int | str, start: int | None = None, stop: int | None = None) -> np.ndarray:
        """Reads the feature of a clip, or some of its frames. Other frames are not read from storage.

        Only a whole feature has a checksum. If `start` or `stop` is given, it cannot be checked that the frames are
        undamaged. It is still checked that the shard belongs to this feature set and that the record is at its place.

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
            return self._sets.element(row)["feature"]
        n_frames = self._sets.n_frames(row)
        first = 0 if start is None else checks.integer("start", start, minimum=0)
        last = n_frames if stop is None else checks.integer("stop", stop, minimum=0)
        if not first <= last <= n_frames:
            raise ArgumentError(
                f"start and stop must be frames of the clip, 0 <= start <= stop <= {n_frames}. Received: "
                f"start={start}, stop={stop}."
            )
        return self._sets.frames(row, first, last)

    @property
    def ids(self) -> list[str]:
        """The ids of the clips. Bytes that are not UTF-8 are surrogates, as `os.fsdecode` returns them."""
        return [item.decode("utf-8", "surrogateescape") for item in self._sets.ids(self._rows).to_pylist()]

    @functools.cached_property
    def metadata(self) -> "pa.Table":
        """Table of the clips, read at the first access.

        Its columns are `id`, `n_frames`, `valid_frames` (frames that hold audio), `seconds` (both null if not known)
        and every metadata column. If a metadata column has the name of one of the former, that one has an underscore
        added. The names of classes are in the metadata of a field, under the key `classes`, as a JSON list. Text that
        is not UTF-8 has backslash escapes.

        Example:
            >>> FeatureSet("tests/data/v0.1/features").metadata.select(["id", "n_frames", "gain"]).to_pylist()[0]
            {'id': 'mono', 'n_frames': 38, 'gain': 0.1}
        """
        return self._sets.table(self._rows)

    def where(self, condition: Callable[[dict[str, Any]], Any] | None = None, /, **values: Any) -> "FeatureSet":
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

    def select(self, clips: Iterable[int | str]) -> "FeatureSet":
        """Returns a view of some clips, in a given order. A clip may be repeated.

        Args:
            clips: Numbers or ids of the clips.

        Raises:
            ClipNotFoundError: If there is no such clip.
            ArgumentError: If something is neither a number nor an id.

        Example:
            >>> FeatureSet("tests/data/v0.1/features").select([2, 0]).ids
            ['resampled', 'mono']
        """
        if isinstance(clips, np.ndarray) and clips.dtype.kind in "iu" and clips.ndim == 1:
            wrong = clips[(clips < -len(self)) | (clips >= len(self))]
            if len(wrong):
                self._row(wrong[0])
            return self._view(picked(self._rows, np.where(clips < 0, clips + len(self), clips)))
        return self._view(np.array([self._row(clip) for clip in clips], np.int64))

    def shard(self, index: int, count: int) -> "FeatureSet":
        """Returns a view of one of `count` parts whose sizes differ by at most 1. Each part has consecutive clips.

        `load` tells `tf.distribute` not to divide the part among workers once more.

        Args:
            index: Number of the part, from 0.
            count: Number of parts.

        Raises:
            ArgumentError: Unless `0 <= index < count`.

        Example:
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

    def split(self, fractions: Mapping[str, float], by: str | None = None, *, seed: int = 0) -> "dict[str, FeatureSet]":
        """Divides the clips into parts at random, so that each clip stays in its part when the set grows.

        The part of a clip depends on nothing but its id or group, the fractions and their order, and the seed: its
        xxh3-64 hash with this seed, divided by 2 ** 64, falls into one of the consecutive intervals that have the
        fractions as lengths. The sizes of the parts therefore differ a little from the fractions, and more if there are
        few groups.

        Args:
            fractions: Fraction of each part, by its name. The sum must be 1.
            by: Metadata column of groups, such as the speaker. All clips of a group are in one part. Clips without a
                value are one group, because they may belong together. The text that is hashed is the value as Python
                prints it, and the name of a class. None hashes the id. Segments of one recording are a group of its id.
            seed: Seed of the hash. Another one divides the clips in another way. The parts of a part need another one.

        Returns:
            A view for each part, by its name.

        Raises:
            ArgumentError: If the sum is not 1, or the column does not exist or has lists.

        Example:
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

    def _view(self, rows: "Rows", *, is_sharded: bool = False) -> "FeatureSet":
        view = object.__new__(type(self))
        is_sharded |= self.is_sharded
        DescribedSets.__init__(view, self.descriptions, self.prefixes, self.columns, is_sharded=is_sharded)
        view._sets, view._rows = self._sets, rows
        return view

    @functools.cached_property
    def _numbers(self) -> ClipNumbers:
        return ClipNumbers(self._sets, self._rows)

    def _row(self, clip: Any) -> int:
        """Returns the number of a clip in the joined sets."""
        return self._numbers.row(self.find(clip) if isinstance(clip, str) else clip)


def clips_of(feature_set: FeatureSet) -> "tuple[JoinedSets, Rows]":
    """Returns the whole sets of a feature set, and the numbers of its clips in them."""
    return feature_set._sets, feature_set._rows


def of_description(description: Description) -> FeatureSet:
    """Returns a feature set that is open already, with its index."""
    feature_set = object.__new__(FeatureSet)
    feature_set._init([description], [""], range(description.counts["clips"]))
    return feature_set


def reopened(
    sets: Sequence[generations.Generation], prefixes: Sequence[str], rows: "Rows", is_sharded: bool
) -> FeatureSet:
    """Opens generations of feature sets, such as those that a pickle names, and takes some of their clips."""
    feature_set = object.__new__(FeatureSet)
    feature_set._init([generations.opened(one) for one in sets], prefixes, rows, is_sharded=is_sharded)
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
