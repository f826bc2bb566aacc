"""What is known about feature sets as wholes, without their clips."""

import functools
import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from audiopipe import registry
from audiopipe.configs import stamping
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError, FeatureSetError
from audiopipe.feature_sets import expected_configs, parted_sets
from audiopipe.feature_sets.description import Description
from audiopipe.inputs import InputOptions
from audiopipe.inputs.columns import Columns
from audiopipe.transform.segments import Segments

if TYPE_CHECKING:
    import keras


class DescribedSets:
    """One or more feature sets with one config and one dtype.

    Args:
        descriptions: What `dataset.json` of each set says.
        prefixes: Text before the ids of each set.
        columns: The metadata columns of all sets.
        is_sharded: Whether any clips are a part from `FeatureSet.shard`, or a view of one.
        normalized_config: Config whose normalization is applied to the features on reading. None means that they are
            read as they are stored.
    """

    def __init__(
        self,
        descriptions: Sequence[Description],
        prefixes: Sequence[str],
        columns: Columns,
        *,
        is_sharded: bool = False,
        normalized_config: Config | None = None,
    ):
        self.is_sharded = is_sharded
        self.normalized_config = normalized_config
        self.descriptions = tuple(descriptions)
        self.prefixes = tuple(prefixes)
        self.columns = columns

    @property
    def paths(self) -> list[str]:
        """Folder of each set."""
        return [description.path for description in self.descriptions]

    @property
    def path(self) -> str:
        """Folder of the set. Several sets have `paths`."""
        return self.whole or self._only().path

    @property
    def whole(self) -> str | None:
        """Folder of the set if it is in parts, each of which has an item of `paths`. None for other sets."""
        return parted_sets.whole_of(self.descriptions)

    @property
    def config(self) -> Config:
        """Config of the features as they are read. A view from `normalized` has the normalized config."""
        return self.normalized_config or self.descriptions[0].config

    @property
    def kernel_version(self) -> int:
        """Kernel version that computed the features."""
        return self.descriptions[0].kernel_version

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the features as they are read."""
        return self.config.fingerprint_at(self.kernel_version)

    @property
    def dtype(self) -> str:
        """Storage dtype of the values. They are read as float32."""
        return self.descriptions[0].dtype

    @property
    def max_error(self) -> float:
        """Largest absolute difference between a stored and a computed value, over all clips, before a normalization."""
        return max(description.max_error for description in self.descriptions)

    @property
    def counts(self) -> dict[str, Any]:
        """Number of `clips`, `failures`, `remarks` and `frames`, `hours` of audio and more, of the whole sets."""
        total: Counter[str] = Counter()
        for description in self.descriptions:
            total.update(description.counts)
        return dict(total)

    @property
    def schema(self) -> dict[str, str]:
        """Type of each metadata column."""
        return self.columns.types

    @property
    def classes(self) -> dict[str, list[str]]:
        """Names of the classes of each metadata column that has classes."""
        return self.columns.classes

    @property
    def fill_values(self) -> dict[str, int]:
        """Value that `load` returns for a missing integer, by metadata column. Here, it is None.

        The fill value of one of several sets may be a real value in another one. So the columns are read where it is
        needed to choose another value.
        """
        return self.tensor_columns.fill_values

    @functools.cached_property
    def tensor_columns(self) -> Columns:
        """The metadata columns of all sets with the fill values of `load`."""
        if len(self.descriptions) == 1:
            return self.columns
        from audiopipe.feature_sets.joined_fill_values import with_fill_values  # imports pyarrow

        return with_fill_values(self.columns, self.descriptions)

    def class_names(self, column: str) -> list[str]:
        """Returns the names of the classes of a column. Values of the column are positions in this list.

        Args:
            column: Name of the column.

        Raises:
            ArgumentError: If the column has no classes.
        """
        if column not in self.classes:
            raise ArgumentError(
                f"column must be a column with classes, one of {sorted(self.classes)}. Received: column={column!r}."
            )
        return list(self.classes[column])

    @property
    def machines(self) -> list[dict[str, Any]]:
        """Each kind of machine that computed features."""
        machines: list[dict[str, Any]] = []
        for description in self.descriptions:
            machines.extend(machine for machine in description.machines if machine not in machines)
        return machines

    @property
    def segments(self) -> Segments | None:
        """How recordings were cut into clips. None if every clip is a whole recording.

        Raises:
            FeatureSetError: If several sets were cut in different ways.
        """
        first = self.descriptions[0].segments
        if any(description.segments != first for description in self.descriptions):
            raise FeatureSetError(
                f"The recordings of the sets were cut into segments in different ways. Received: {self.paths}. Use "
                "descriptions, which describes each of them."
            )
        return first

    @property
    def options(self) -> InputOptions:
        """Options that decided what was read from the input of the set. Several sets have `descriptions`."""
        return (self.descriptions[0] if self.whole else self._only()).options

    @property
    def accept_truncated(self) -> bool:
        """Whether truncated recordings of the input of any set were read as far as they go."""
        return any(description.accept_truncated for description in self.descriptions)

    @property
    def shards(self) -> list[dict[str, Any]]:
        """Facts about each file of records of the set. Several sets have `descriptions`.

        If the set is in parts, each name begins with the folder of the part.
        """
        return parted_sets.shards_of(self.descriptions) if self.whole else self._only().shards

    @property
    def notes(self) -> list[str]:
        """Sentences about the input, such as how many files were left out."""
        notes = [note for description in self.descriptions for note in description.notes]
        return list(dict.fromkeys(notes)) if self.whole else notes

    def failures(self) -> list[dict[str, Any]]:
        """Returns the `id`, `path`, `stage` and `error` of each clip that failed, in the whole sets.

        Raises:
            CorruptFeatureSetError: If the file of the failures is missing or invalid.
        """
        return self._prefixed([description.failures() for description in self.descriptions])

    def remarks(self) -> list[dict[str, Any]]:
        """Returns the `id`, `path`, `stage` and `remark` of each remark about a clip, in the whole sets.

        Raises:
            CorruptFeatureSetError: If the file of the remarks is missing or invalid.
        """
        return self._prefixed([description.remarks() for description in self.descriptions])

    def expect(self, config: "Config | str | os.PathLike[str]", kernel_version: int | None = None) -> None:
        """Raises an error unless the features have an expected config.

        Args:
            config: A config, a registered name, or the path of a JSON file.
            kernel_version: Kernel version that the features must have. None means that of this release.

        Raises:
            ConfigMismatchError: If the config or the kernel version differs. The message lists the differences. This
                also holds if features lack the normalization of the expected config: `normalized` applies it.
        """
        expected = registry.resolve(config)
        expected_configs.check(
            repr(self.descriptions[0].path),
            self.config,
            self.kernel_version,
            expected,
            kernel_version or expected.kernel_version,
            on_reading=self.normalized_config is not None,
        )

    def stamp_model(self, model: "keras.Model", input_name: str | None = None) -> "keras.Model":
        """Returns a copy of a model that records that the model takes the features of this set.

        Works like `Config.stamp_model`, which describes stamps, the arguments and the errors. It records the kernel
        version of the set and the machines that computed the set, instead of this release and this machine.

        Example:
            >>> import audiopipe, keras
            >>> sets = audiopipe.FeatureSet("tests/data/v0.1/features")
            >>> model = keras.Sequential([keras.Input((None, 20, 1)), keras.layers.GlobalAveragePooling2D()])
            >>> audiopipe.fingerprint_of(sets.stamp_model(model)).fingerprint == sets.fingerprint
            True
        """
        stamp = stamping.stamp_text(self.config, self.kernel_version, self.machines)
        return stamping.stamped(self.config, model, stamp, input_name)

    def check_files(self) -> None:
        """Raises an error unless every file exists and has its size.

        Raises:
            CorruptFeatureSetError: If a file is missing or has another size. The message names the file.
        """
        for description in self.descriptions:
            description.check_files()

    def verify_checksums(self) -> None:
        """Reads every file of the sets and raises an error unless it has its checksum.

        Raises:
            CorruptFeatureSetError: If a file is missing or damaged. The message names the file.
        """
        for description in self.descriptions:
            description.check_files(checksums=True)

    def _only(self) -> Description:
        if len(self.descriptions) > 1:
            raise FeatureSetError(f"Several sets have no common value. Received: {self.paths}. Use descriptions.")
        return self.descriptions[0]

    def _prefixed(self, lists: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
        return [
            {**line, **{name: prefix + line[name] for name in ("id", "recording") if name in line}}
            for prefix, lines in zip(self.prefixes, lists, strict=True)
            for line in lines
        ]
