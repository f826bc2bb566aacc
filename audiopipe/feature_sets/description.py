"""A feature set on disk, as `dataset.json` describes it.

A feature set is complete if and only if `dataset.json` exists, because that file is written last.
"""

import functools
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from audiopipe import configs, registry
from audiopipe.configs.base import Config
from audiopipe.errors import (
    ConfigError,
    ConfigMismatchError,
    CorruptFeatureSetError,
    FeatureSetError,
    IncompleteFeatureSetError,
)
from audiopipe.feature_sets import dataset_json, dtypes, record_schema
from audiopipe.inputs import InputOptions
from audiopipe.inputs.columns import Columns
from audiopipe.storage import files
from audiopipe.transform.segments import Segments

DATASET_FILE = "dataset.json"
FAILURES_FILE = "failures.jsonl"
REMARKS_FILE = "remarks.jsonl"
FAILURE_FIELDS = {"id", "path", "stage", "error"}
REMARK_FIELDS = {"id", "path", "stage", "remark"}
BLOCK_BYTES = 1 << 20


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
        schema: Type of each metadata column, see `audiopipe.inputs.metadata_types`.
        shards: `name`, `records`, `bytes` and `sha256` of each shard, in the order of the records.
        machines: Each kind of machine that computed features, as `audiopipe.runtime.machine_facts.machine` describes
            it: `versions` of libraries, `cpu_family`, whether `onednn` was on, and more.
        segments: How recordings were cut into clips. None if every clip is a whole recording.
        dtype: Storage dtype of the values: `"float32"`, `"float16"` or `"bfloat16"`.
        max_error: Largest absolute difference between a stored and a computed value, over all clips.
        options: Options that decided what was read from the input.
        accept_truncated: Whether truncated recordings were read as far as they go.
        notes: Sentences about the input, such as how many files were left out.
        set_id: Id that every record of a feature set of format 1 contains, in hexadecimal. Empty for later formats.
        classes: Names of the classes of metadata columns, see `audiopipe.inputs.columns.Columns`. Empty for feature
            sets of older releases.
        fill_values: Values that stand for missing integers in metadata columns, likewise.
        failures_sha256: Checksum of `failures.jsonl` that was read from `dataset.json`, if there is one.
        remarks_sha256: Checksum of `remarks.jsonl` that was read from `dataset.json`, if there is one.
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
    set_id: str = ""
    classes: dict[str, list[str]] = field(default_factory=dict)
    fill_values: dict[str, int] = field(default_factory=dict)
    failures_sha256: str | None = field(default=None, compare=False)
    remarks_sha256: str | None = field(default=None, compare=False)

    def __post_init__(self):
        dtypes.check(self.dtype)
        _ = self.columns  # raises the errors of wrong types, classes and fill values

    @functools.cached_property
    def columns(self) -> Columns:
        """Types, classes and fill values of the metadata columns."""
        return Columns(types=self.schema, classes=self.classes, fill_values=self.fill_values)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the features."""
        return self.config.fingerprint_at(self.kernel_version)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Description":
        """Opens a feature set by reading its `dataset.json`.

        Args:
            path: Folder of the feature set, local or remote.

        Returns:
            The feature set.

        Raises:
            IncompleteFeatureSetError: If there is no `dataset.json`.
            CorruptFeatureSetError: If `dataset.json` is invalid, was edited, or has another format version.
            FeatureSetError: If the config in `dataset.json` cannot be read.
        """
        path = os.fspath(path)
        name = files.join(path, DATASET_FILE)
        if not files.exists(name):
            raise IncompleteFeatureSetError(
                f"There is no {DATASET_FILE} in {path!r}. The folder is not a feature set, or its job has not "
                "finished. Run 'audiopipe precompute' with this folder as OUTPUT first."
            )
        content = dataset_json.parse(files.read_bytes(name), name)
        try:
            feature_set = cls(
                path=path,
                config=configs.from_dict(content["config"]),
                kernel_version=content["kernel_version"],
                counts=content["counts"],
                schema=content["metadata"],
                shards=content["shards"],
                machines=content["machines"],
                segments=Segments(**content["segments"]) if content.get("segments") else None,
                **content.get("storage", {}),
                **_input(content.get("input", {})),
                set_id=content.get("set_id", ""),
                classes=content.get("classes", {}),
                fill_values=content.get("fill_values", {}),
                failures_sha256=content.get("failures_sha256"),
                remarks_sha256=content.get("remarks_sha256"),
            )
        except ConfigError as error:
            raise FeatureSetError(f"The config in {name!r} cannot be read: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise dataset_json.foreign(name, error) from error
        if feature_set.fingerprint != content["fingerprint"]:
            # `parse` has compared every field of the fingerprinted text, so the edited field is not in that text.
            raise CorruptFeatureSetError(
                f"{name!r} was edited: its config {feature_set.config!r} has the fingerprint "
                f"{feature_set.fingerprint}, but its features have the fingerprint {content['fingerprint']}. "
                "Recompute the feature set."
            )
        return feature_set

    def write(self) -> None:
        """Writes `dataset.json` atomically, which completes the feature set."""
        content = {
            "format_version": dataset_json.FORMAT_VERSION,
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
            "machines": self.machines,
            "segments": self.segments.to_dict() if self.segments else None,
            "storage": {"dtype": self.dtype, "max_error": self.max_error},
            "input": {
                "options": self.options.to_dict(),
                "accept_truncated": self.accept_truncated,
                "notes": self.notes,
            },
        }
        if self.set_id:
            content["set_id"] = self.set_id
        for entry, name in (("failures_sha256", FAILURES_FILE), ("remarks_sha256", REMARKS_FILE)):
            listed = files.join(self.path, name)
            if files.exists(listed):
                content[entry] = sha256(listed)
        files.write_bytes(files.join(self.path, DATASET_FILE), dataset_json.dump(content))

    def expect(self, config: "Config | str | os.PathLike[str]", kernel_version: int | None = None) -> None:
        """Raises an error unless the features have an expected config.

        Args:
            config: A config, a registered name, or the path of a JSON file.
            kernel_version: Kernel version that the features must have. None means that of this release.

        Raises:
            ConfigMismatchError: If the config or the kernel version differs. The message lists the differences.
        """
        expected = registry.resolve(config)
        fingerprint = expected.fingerprint_at(kernel_version or expected.kernel_version)
        if fingerprint != self.fingerprint:
            difference = expected.diff(self.config, self.kernel_version, kernel_version)
            raise ConfigMismatchError(
                f"{self.path!r} holds features of another config. Expected (left, fingerprint {fingerprint}) and "
                f"found (right, fingerprint {self.fingerprint}):\n{difference}\nUse features of the expected "
                "config, or pass the config of these features."
            )

    def failures(self) -> list[dict[str, Any]]:
        """Returns the `id`, `path`, `stage` and `error` of each clip that failed.

        Raises:
            CorruptFeatureSetError: If `failures.jsonl` is missing or invalid.
        """
        return self._lines(FAILURES_FILE, FAILURE_FIELDS, self.counts["failures"])

    def remarks(self) -> list[dict[str, Any]]:
        """Returns the `id`, `path`, `stage` and `remark` of each remark about a clip.

        Raises:
            CorruptFeatureSetError: If `remarks.jsonl` is missing or invalid.
        """
        if not self.counts.get("remarks"):  # version 0.1 did not count them
            return []
        return self._lines(REMARKS_FILE, REMARK_FIELDS, self.counts["remarks"])

    def _lines(self, file: str, fields: set[str], count: int) -> list[dict[str, Any]]:
        name = files.join(self.path, file)
        _check_exists(name)
        try:
            lines = [json.loads(line) for line in files.read_bytes(name).splitlines()]
            lacking = [line for line in lines if not line.keys() >= fields]
        except (ValueError, AttributeError) as error:
            raise _corrupt(name, f"is not valid: {error}") from error
        if lacking:
            expected = ", ".join(sorted(fields))
            raise _corrupt(name, f"must have the fields {expected} in each line. Received: {lacking[0]!r}")
        if len(lines) != count:
            raise _corrupt(name, f"must have {count} lines. Received: {len(lines)}")
        return lines

    def check_files(self, checksums: bool = False) -> None:
        """Raises an error unless every shard exists and has the size in `dataset.json`.

        Args:
            checksums: Whether to compare the checksums of the shards, `failures.jsonl` and `remarks.jsonl` as well.

        Raises:
            CorruptFeatureSetError: If a file is missing or differs. The message names the file.
        """
        for shard in self.shards:
            name = files.join(self.path, shard["name"])
            if not files.exists(name):
                raise CorruptFeatureSetError(
                    f"The shard {name!r} is missing. Copy it again, or recompute the feature set."
                )
            size = files.size(name)
            if size != shard["bytes"]:
                raise CorruptFeatureSetError(
                    f"The shard {name!r} must have {shard['bytes']} bytes. Received: {size}. Copy it again, or "
                    "recompute the feature set."
                )
            if checksums and sha256(name) != shard["sha256"]:
                raise CorruptFeatureSetError(
                    f"The shard {name!r} does not have the checksum in {DATASET_FILE}. Copy it again, or recompute "
                    "the feature set."
                )
        for file, checksum in ((FAILURES_FILE, self.failures_sha256), (REMARKS_FILE, self.remarks_sha256)):
            name = files.join(self.path, file)
            if checksums and checksum is not None:
                _check_exists(name)
                if sha256(name) != checksum:
                    raise _corrupt(name, f"does not have the checksum in {DATASET_FILE}")


def _input(facts: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields that the entry `input` of `dataset.json` gives. Version 0.1 wrote no such entry."""
    return {**facts, "options": InputOptions.from_dict(facts.get("options", {}))}


def sha256(path: str) -> str:
    """Returns the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with files.open_binary(path) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _check_exists(name: str) -> None:
    if not files.exists(name):
        raise _corrupt(name, "is missing")


def _corrupt(name: str, fault: str) -> CorruptFeatureSetError:
    return CorruptFeatureSetError(f"The file {name!r} {fault}. Copy it again, or recompute the feature set.")
