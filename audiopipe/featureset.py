"""A feature set on disk: what `dataset.json` says of it.

A feature set is complete when `dataset.json` is there, and only then: it is written last.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

from audiopipe import configs, files, registry
from audiopipe.config import Config
from audiopipe.errors import (
    ConfigError,
    ConfigMismatchError,
    CorruptFeatureSetError,
    FeatureSetError,
    IncompleteFeatureSetError,
)
from audiopipe.segments import Segments

DATASET_FILE = "dataset.json"
FAILURES_FILE = "failures.jsonl"
FORMAT_VERSION = 1
BLOCK_BYTES = 1 << 20

# How a record is written, for readers that are not audiopipe.
RECORD_SCHEMA = {
    "id": "bytes: UTF-8",
    "feature": "bytes: float32, little-endian, C order",
    "shape": "int64[3]: of the feature",
    "n_frames": "int64",
    "fingerprint": "bytes: the first 8 of the fingerprint",
    "record": "int64[2]: number of its shard, and its number in the shard, both from 0",
}
METADATA_SCHEMA = {
    "string": "bytes: UTF-8",
    "int": "int64",
    "float": "bytes: float64, little-endian",
    "bool": "int64: 0 or 1",
}


@dataclass(frozen=True, kw_only=True)
class FeatureSet:
    """A complete feature set.

    Args:
        path: Its folder.
        config: The config of its features.
        kernel_version: The kernel version that computed them.
        counts: `clips`, `failures`, `frames` and `hours` of audio.
        schema: Type of each metadata column, see `audiopipe.schema`.
        shards: For each shard its `name`, `records`, `bytes` and `sha256`, in the order of the records.
        machines: `versions` of libraries, `cpu_family`, and whether `onednn` was on, for each kind of machine that
            computed features.
        segments: How recordings were cut into the clips, None where they are whole.
    """

    path: str
    config: Config
    kernel_version: int
    counts: dict[str, Any]
    schema: dict[str, str]
    shards: list[dict[str, Any]]
    machines: list[dict[str, Any]]
    segments: Segments | None = None

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the features."""
        return self.config.fingerprint_at(self.kernel_version)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "FeatureSet":
        """Read `dataset.json`.

        Raises:
            IncompleteFeatureSetError: If it is not there.
            CorruptFeatureSetError: If it is not what audiopipe wrote, or comes from a newer version.
        """
        path = os.fspath(path)
        name = files.join(path, DATASET_FILE)
        if not files.exists(name):
            raise IncompleteFeatureSetError(
                f"There is no {DATASET_FILE} in {path!r}: it is no feature set, or one whose job has not finished. Run "
                f"'audiopipe precompute' with this folder as OUTPUT first."
            )
        try:
            content = json.loads(files.read_bytes(name))
            if content["format_version"] != FORMAT_VERSION:
                raise CorruptFeatureSetError(
                    f"{name!r} must have format_version {FORMAT_VERSION}. Received: {content['format_version']!r}. "
                    "Read it with the version of audiopipe that wrote it: "
                    f"{content.get('machines')}."
                )
            feature_set = cls(
                path=path,
                config=configs.from_dict(content["config"]),
                kernel_version=content["kernel_version"],
                counts=content["counts"],
                schema=content["metadata"],
                shards=content["shards"],
                machines=content["machines"],
                segments=Segments(**content["segments"]) if content.get("segments") else None,
            )
        except ConfigError as error:
            raise FeatureSetError(f"The config in {name!r} cannot be read: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptFeatureSetError(
                f"{name!r} is not what audiopipe writes: {type(error).__name__}: {error}. Make the feature set anew."
            ) from error
        feature_set._check_content(content)
        return feature_set

    def _check_content(self, content: dict[str, Any]) -> None:
        """Raise an error if `dataset.json` was edited."""
        name = files.join(self.path, DATASET_FILE)
        if self.fingerprint != content["fingerprint"]:
            try:
                written = json.loads(content["fingerprinted"])
                found = configs.from_dict(written["config"])
                difference = f":\n{self.config.diff(found, written['kernel_version'], self.kernel_version)}\n"
            except (ConfigError, KeyError, ValueError, TypeError):
                difference = ". "
            raise CorruptFeatureSetError(
                f"{name!r} was edited: its config (left, fingerprint {self.fingerprint}) is not that of its features "
                f"(right, fingerprint {content['fingerprint']}){difference}Make the feature set anew."
            )
        if content.get("checksum") != _checksum(content):
            raise CorruptFeatureSetError(
                f"{name!r} was edited: it has another checksum than it says. Copy it again, or make the feature set "
                "anew."
            )

    def write(self) -> None:
        """Write `dataset.json`, whole, and with it make the feature set complete."""
        content = {
            "format_version": FORMAT_VERSION,
            "config": self.config.to_dict(),
            "fingerprint": self.fingerprint,
            "fingerprinted": self.config.fingerprinted(self.kernel_version),
            "kernel_version": self.kernel_version,
            "counts": self.counts,
            "metadata": self.schema,
            "schema": {**RECORD_SCHEMA, **{name: METADATA_SCHEMA[kind] for name, kind in self.schema.items()}},
            "shards": self.shards,
            "machines": self.machines,
            "segments": self.segments.to_dict() if self.segments else None,
        }
        text = json.dumps({**content, "checksum": _checksum(content)}, indent=2, sort_keys=True) + "\n"
        files.write_bytes(files.join(self.path, DATASET_FILE), text.encode())

    def expect(self, config: "Config | str | os.PathLike[str]", kernel_version: int | None = None) -> None:
        """Raise an error unless the features are those of a config.

        Args:
            config: A config, a registered name, or the path of a JSON file.
            kernel_version: The kernel version that they must have. None means that of this release.

        Raises:
            ConfigMismatchError: If they are of another, with what differs.
        """
        expected = registry.resolve(config)
        fingerprint = expected.fingerprint_at(kernel_version or expected.kernel_version)
        if fingerprint != self.fingerprint:
            difference = expected.diff(self.config, self.kernel_version, kernel_version)
            raise ConfigMismatchError(
                f"{self.path!r} holds features of another config. Expected (left, fingerprint {fingerprint}) and "
                f"found (right, fingerprint {self.fingerprint}):\n{difference}\nUse the features of the expected "
                "config, or expect the config of these features."
            )

    def failures(self) -> list[dict[str, Any]]:
        """The clips that failed: `id`, `path`, `stage` and `error` of each."""
        lines = files.read_bytes(files.join(self.path, FAILURES_FILE)).splitlines()
        return [json.loads(line) for line in lines]

    def check_files(self, checksums: bool = False) -> None:
        """Raise an error unless every shard is there with its size and, if asked, its checksum.

        Raises:
            CorruptFeatureSetError: If one is not. The message names the file.
        """
        for shard in self.shards:
            name = files.join(self.path, shard["name"])
            if not files.exists(name):
                raise CorruptFeatureSetError(
                    f"The shard {name!r} is missing. Copy it again, or make the feature set anew."
                )
            size = files.size(name)
            if size != shard["bytes"]:
                raise CorruptFeatureSetError(
                    f"The shard {name!r} must have {shard['bytes']} bytes. Received: {size}. Copy it again, or make "
                    "the feature set anew."
                )
            if checksums and sha256(name) != shard["sha256"]:
                raise CorruptFeatureSetError(
                    f"The shard {name!r} does not have the checksum that {DATASET_FILE} says. Copy it again, or make "
                    "the feature set anew."
                )


def sha256(path: str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with files.open_binary(path) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _checksum(content: dict[str, Any]) -> str:
    """SHA-256 over all of `dataset.json` but the checksum itself, whatever its spaces and the order of its keys."""
    covered = {name: value for name, value in content.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()
