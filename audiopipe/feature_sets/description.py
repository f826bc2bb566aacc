"""A feature set on disk, as `dataset.json` describes it.

A feature set is complete if and only if `dataset.json` exists, because that file is written last.
"""

import functools
import json
import os
from dataclasses import dataclass, field
from typing import Any

from audiopipe import configs, registry
from audiopipe.configs.base import Config
from audiopipe.errors import (
    ArgumentError,
    ConfigError,
    CorruptFeatureSetError,
    FeatureSetError,
    IncompleteFeatureSetError,
)
from audiopipe.feature_sets import dataset_json, dtypes, expected_configs, record_schema, set_files
from audiopipe.feature_sets.file_names import DATASET_FILE, FAILURES_FILE, REMARKS_FILE, description_name
from audiopipe.feature_sets.record_heads import old_shard_id
from audiopipe.feature_sets.set_files import sha256
from audiopipe.feature_sets.tfrecords import MAX_RECORD_BYTES
from audiopipe.inputs import InputOptions
from audiopipe.inputs.columns import Columns
from audiopipe.storage import files
from audiopipe.transform.segments import Segments

__all__ = ["DATASET_FILE", "FAILURES_FILE", "REMARKS_FILE", "Description", "sha256"]

FAILURE_FIELDS = {"id", "path", "stage", "error"}
REMARK_FIELDS = {"id", "path", "stage", "remark"}


@dataclass(frozen=True, kw_only=True)
class Description:
    """Description of a complete feature set: what its `dataset.json` says.

    Args:
        path: Folder of the feature set.
        config: Config of the features.
        kernel_version: Kernel version that computed the features.
        counts: Number of `clips`, `failures`, `remarks` and `frames`, and `hours` of audio, in total. Segments
            that overlap or are padded count with their full length. `left_out` is the number of files of the input that
            look like audio and were not taken. If recordings were cut into segments, `short_recordings` is the number
            of those that were too short for a segment. Feature sets of version 0.1 lack these two and `remarks`.
            Some counts are there only if they are not 0: `cut_clips` (clips and recordings whose end was left out),
            `dropped_seconds` (seconds of audio that were left out), `padded_seconds` (padding of last segments), and
            `unknown_valid_frames` (clips without a number of valid frames).
        schema: Type of each metadata column, see `audiopipe.inputs.metadata_types`.
        shards: `name`, `id`, `records`, `bytes`, `sha256` and `max_error` of each shard, in the order of the records.
            Every record contains the `id` of its shard. In format 1, `id` is made of `set_id` and the position of the
            shard, and there is no `max_error`.
        machines: Each kind of machine that computed features, as `audiopipe.runtime.machine_facts.machine` describes
            it: `versions` of libraries, `cpu_family`, whether `onednn` was on, and more.
        segments: How recordings were cut into clips. None if every clip is a whole recording.
        dtype: Storage dtype of the values: `"float32"`, `"float16"` or `"bfloat16"`.
        max_error: Largest absolute difference between a stored and a computed value, over all clips.
        options: Options that decided what was read from the input.
        accept_truncated: Whether truncated recordings were read as far as they go.
        notes: Sentences about the input, such as how many files were left out.
        classes: Names of the classes of metadata columns, see `audiopipe.inputs.columns.Columns`. Empty for feature
            sets of older releases.
        fill_values: Values that stand for missing integers in metadata columns, likewise.
        generation: Number of this state of the folder, from 1. Each update makes the next one. Format 1 is 0.
        next_shard: First number that no shard of this folder has ever had. None means the one after the shards.
        index: `name`, `bytes` and `sha256` of the index. None if there is none, as in format 1.
        failures_file: The same of the file with the failures. Format 1 may lack the size and the checksum.
        remarks_file: The same of the file with the remarks.
        statistics_file: The same of the file with the statistics. None if there is none, as in feature sets of older
            releases.
        obsolete: Files of earlier generations that readers of these may still use: the `files`, and when they were
            `replaced`, in seconds since 1970.
        format_version: Format of the records and of `dataset.json`.
        set_id: Id that every record of a feature set of format 1 contains, in hexadecimal.
        whole: Folder of the feature set that was opened and has this one as a part, see
            `audiopipe.feature_sets.parted_sets`. Empty text if this one was opened itself.
    """

    path: str
    config: Config
    kernel_version: int
    counts: dict[str, Any]
    schema: dict[str, str]
    shards: list[dict[str, Any]]
    machines: list[dict[str, Any]]
    segments: Segments | None = None
    dtype: str = "float32"
    max_error: float = 0.0
    options: InputOptions = field(default_factory=InputOptions)
    accept_truncated: bool = False
    notes: list[str] = field(default_factory=list)
    classes: dict[str, list[str]] = field(default_factory=dict)
    fill_values: dict[str, int] = field(default_factory=dict)
    generation: int = 1
    next_shard: int | None = None
    index: dict[str, Any] | None = None
    failures_file: dict[str, Any] | None = None
    remarks_file: dict[str, Any] | None = None
    statistics_file: dict[str, Any] | None = None
    obsolete: list[dict[str, Any]] = field(default_factory=list)
    format_version: int = dataset_json.FORMAT_VERSION
    set_id: str = ""
    whole: str = ""

    def __post_init__(self):
        if self.next_shard is None:
            object.__setattr__(self, "next_shard", len(self.shards))
        dtypes.check(self.dtype)
        _ = self.columns  # raises the errors of wrong types, classes and fill values
        if self.config.n_bins > MAX_RECORD_BYTES:
            raise ArgumentError(f"A frame must fit into a record. Received: a config with {self.config.n_bins} bins.")

    @functools.cached_property
    def columns(self) -> Columns:
        """Types, classes and fill values of the metadata columns."""
        return Columns(types=self.schema, classes=self.classes, fill_values=self.fill_values)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the features."""
        return self.config.fingerprint_at(self.kernel_version)

    @property
    def file_names(self) -> list[str]:
        """Names of the files that this state of the feature set consists of, besides `dataset.json`."""
        return [facts["name"] for facts in (*self.shards, *self._listed())]

    def _listed(self) -> list[dict[str, Any]]:
        """Returns the facts about all files besides the shards."""
        listed = (self.index, self.failures_file, self.remarks_file, self.statistics_file)
        return [facts for facts in listed if facts is not None]

    @classmethod
    def open(cls, path: str | os.PathLike[str], generation: int | None = None) -> "Description":
        """Opens a feature set by reading its `dataset.json`.

        Args:
            path: Folder of the feature set, local or remote.
            generation: The state of the feature set to open. None means the current one. An earlier one can be opened
                as long as its files are kept.

        Returns:
            The feature set.

        Raises:
            IncompleteFeatureSetError: If there is no `dataset.json`, or the files of the generation are gone.
            CorruptFeatureSetError: If `dataset.json` is invalid, was edited, or has another format version, or if one
                of the files is a link that leaves the folder.
            FeatureSetError: If the config in `dataset.json` cannot be read.
        """
        path = os.fspath(path)
        name = files.join(path, DATASET_FILE)
        set_files.check_links(path, [DATASET_FILE])
        if not files.exists(name):
            raise IncompleteFeatureSetError(
                f"There is no {DATASET_FILE} in {path!r}. The folder is not a feature set, or its job has not "
                "finished. Run 'audiopipe precompute' with this folder as OUTPUT first."
            )
        found = cls._read(path, name)
        if generation in (None, found.generation):
            return found
        earlier = files.join(path, description_name(generation))
        set_files.check_links(path, [description_name(generation)])
        if files.exists(earlier):
            kept = cls._read(path, earlier)
            if kept.generation == generation:
                return kept
        raise IncompleteFeatureSetError(
            f"{path!r} no longer has generation {generation} of the feature set, which was updated since it was "
            f"opened. Received: generation {found.generation}. Open the feature set again."
        )

    @classmethod
    def _read(cls, path: str, name: str) -> "Description":
        content = dataset_json.parse(dataset_json.read(name), name)
        try:
            feature_set = cls(
                path=path,
                config=configs.from_dict(content["config"]),
                kernel_version=content["kernel_version"],
                counts=content["counts"],
                schema=content["metadata"],
                machines=content["machines"],
                segments=Segments(**content["segments"]) if content.get("segments") else None,
                **content.get("storage", {}),
                **_input(content.get("input", {})),
                classes=content.get("classes", {}),
                fill_values=content.get("fill_values", {}),
                **(_old_files(content) if content["format_version"] == 1 else _files(content)),
            )
        except ConfigError as error:
            raise FeatureSetError(f"The config in {name!r} cannot be read: {error}") from error
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise dataset_json.foreign(name, error) from error
        if feature_set.fingerprint != content["fingerprint"]:
            # `parse` has compared every field of the fingerprinted text, so the edited field is not in that text.
            raise CorruptFeatureSetError(
                f"{name!r} was edited: its config {feature_set.config!r} has the fingerprint "
                f"{feature_set.fingerprint}, but its features have the fingerprint {content['fingerprint']}. "
                "Recompute the feature set."
            )
        set_files.check_links(path, feature_set.file_names)
        return feature_set

    def write(self) -> None:
        """Writes `dataset.json` atomically, which completes the feature set.

        Raises:
            FeatureSetError: If the records have format 1, or there are too many shards.
        """
        if self.format_version != dataset_json.FORMAT_VERSION:
            raise FeatureSetError(
                f"Only feature sets of format {dataset_json.FORMAT_VERSION} are written. Received: {self.path!r} of "
                f"format {self.format_version}. Update it with 'audiopipe precompute --update'."
            )
        content = {
            "format_version": self.format_version,
            "generation": self.generation,
            "next_shard": self.next_shard,
            "config": self.config.to_dict(),
            "fingerprint": self.fingerprint,
            "fingerprinted": self.config.fingerprinted(self.kernel_version),
            "kernel_version": self.kernel_version,
            "counts": self.counts,
            "metadata": self.schema,
            "schema": record_schema.describe(self.dtype, self.columns),
            "classes": self.classes,
            "fill_values": self.fill_values,
            "shards": self.shards,
            "index": self.index,
            "failures": self.failures_file,
            "remarks": self.remarks_file,
            "statistics": self.statistics_file,
            "machines": self.machines,
            "segments": self.segments.to_dict() if self.segments else None,
            "storage": {"dtype": self.dtype, "max_error": self.max_error},
            "input": {
                "options": self.options.to_dict(),
                "accept_truncated": self.accept_truncated,
                "notes": self.notes,
            },
            "obsolete": self.obsolete,
        }
        files.write_bytes(files.join(self.path, DATASET_FILE), dataset_json.dump(content))

    def expect(self, config: "Config | str | os.PathLike[str]", kernel_version: int | None = None) -> None:
        """Raises an error unless the features have an expected config.

        Args:
            config: A config, a registered name, or the path of a JSON file.
            kernel_version: Kernel version that the features must have. None means that of this release.

        Raises:
            ConfigMismatchError: If the config or the kernel version differs. The message lists the differences. This
                also holds if features lack the normalization of the expected config.
        """
        expected = registry.resolve(config)
        version = kernel_version or expected.kernel_version
        expected_configs.check(repr(self.path), self.config, self.kernel_version, expected, version)

    def failures(self) -> list[dict[str, Any]]:
        """Returns the `id`, `path`, `stage` and `error` of each clip that failed.

        Raises:
            CorruptFeatureSetError: If the file with the failures is missing or invalid.
        """
        return self._lines(self.failures_file, FAILURE_FIELDS, self.counts["failures"])

    def remarks(self) -> list[dict[str, Any]]:
        """Returns the `id`, `path`, `stage` and `remark` of each remark about a clip.

        Raises:
            CorruptFeatureSetError: If the file with the remarks is missing or invalid.
        """
        return self._lines(self.remarks_file, REMARK_FIELDS, self.counts.get("remarks", 0))

    def _lines(self, listed: dict[str, Any] | None, fields: set[str], count: int) -> list[dict[str, Any]]:
        if listed is None:
            return []
        set_files.check(self.path, listed, "file")
        name = files.join(self.path, listed["name"])
        try:
            lines = [json.loads(line) for line in files.read_bytes(name).splitlines()]
            lacking = [line for line in lines if not line.keys() >= fields]
        except (ValueError, AttributeError, RecursionError) as error:
            raise set_files.corrupt("file", name, f"is not valid: {error}") from error
        if lacking:
            expected = ", ".join(sorted(fields))
            fault = f"must have the fields {expected} in each line. Received: {lacking[0]!r:.500}"
            raise set_files.corrupt("file", name, fault)
        if len(lines) != count:
            raise set_files.corrupt("file", name, f"must have {count} lines. Received: {len(lines)}")
        return lines

    def check_files(self, checksums: bool = False) -> None:
        """Raises an error unless every shard exists and has the size in `dataset.json`.

        Args:
            checksums: Whether to compare the checksums of the shards, and to check all other files as well.

        Raises:
            CorruptFeatureSetError: If a file is missing or differs. The message names the file.
        """
        for shard in self.shards:
            set_files.check(self.path, shard, "shard", checksums)
        for listed in self._listed() if checksums else ():
            set_files.check(self.path, listed, "file", checksums)


def _input(facts: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields that the entry `input` of `dataset.json` gives. Version 0.1 wrote no such entry."""
    return {**facts, "options": InputOptions.from_dict(facts.get("options", {}))}


def _files(content: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields about the files of a feature set."""
    return {
        "format_version": content["format_version"],
        "generation": content["generation"],
        "next_shard": content["next_shard"],
        "shards": content["shards"],
        "index": content.get("index"),
        "failures_file": content.get("failures"),
        "remarks_file": content.get("remarks"),
        "statistics_file": content.get("statistics"),
        "obsolete": content.get("obsolete", []),
    }


def _old_files(content: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields about the files of a feature set of format 1."""
    set_id = content["set_id"]
    listed = {"failures_file": (FAILURES_FILE, "failures_sha256"), "remarks_file": (REMARKS_FILE, "remarks_sha256")}
    facts = {
        field: {"name": name, **({"sha256": content[entry]} if entry in content else {})}
        for field, (name, entry) in listed.items()
        if entry in content or name == FAILURES_FILE
    }
    return {
        "format_version": 1,
        "generation": 0,
        "next_shard": 0,
        "shards": [{**shard, "id": old_shard_id(set_id, place)} for place, shard in enumerate(content["shards"])],
        "set_id": set_id,
        **facts,
    }
