"""The file with the statistics of a feature set.

It has one line of JSON for each shard, in their order, with its `name` and its `sums`. The last line has the sums of
all shards and their `statistics`, for people and other programs. Sums are exact, so an update needs no record of a
shard that it keeps. They are those of the stored values, after rounding to the storage dtype, in the frames that hold
audio. If the number of these is not known, all frames of the clip count, see `valid_frames`.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from audiopipe.errors import ArgumentError, CorruptFeatureSetError
from audiopipe.feature_sets import clip_sums, dataset_json, file_names, set_files
from audiopipe.feature_sets.description import DATASET_FILE, Description
from audiopipe.signal.feature_sums import FeatureSums
from audiopipe.storage import files

FORMAT_VERSION = 1
MAX_LINE_BYTES = 1 << 26  # of the sums of more than 100,000 bins and channels


def write(description: Description, sums: Iterable[dict[str, Any] | None]) -> dict[str, Any] | None:
    """Writes the statistics of a feature set, whose `dataset.json` need not be written yet.

    Args:
        description: The feature set.
        sums: What `FeatureSums.to_dict` returns for each shard, in the order of the shards. None if the sums of a shard
            are not known, because an older release wrote it.

    Returns:
        Name, size and checksum of the file, as `dataset.json` has them. None if there is no file, because the sums of
        some shard are not known.
    """
    name = file_names.statistics_name(description.generation)
    total = clip_sums.empty(description.config)
    with contextlib.suppress(_UnknownSumsError), files.temporary_file(files.join(description.path, name)) as temporary:
        with open(temporary, "wb") as file:
            for shard, content in zip(description.shards, sums, strict=True):
                if content is None:
                    raise _UnknownSumsError
                total.merge(FeatureSums.from_dict(content))
                file.write(_line({"name": shard["name"], "sums": content}))
            file.write(_line(summary(total, description.fingerprint)))
        return set_files.facts_of(name, temporary)
    return None


def read(description: Description) -> FeatureSums | None:
    """Returns the sums of all shards of a feature set. None if it has no statistics, because an older release wrote it.

    Raises:
        CorruptFeatureSetError: If the file is missing or damaged.
    """
    with ShardSums.opened(description) as found:
        return None if found is None else found.total()


class ShardSums:
    """Sums of the shards of a feature set, read from its file when they are needed.

    Args:
        description: The feature set.
        file: The file, on this machine.
    """

    def __init__(self, description: Description, file: BinaryIO):
        self._description = description
        self._file = file
        self._starts: list[int] = []
        digest, start = hashlib.sha256(), 0
        while line := file.readline(MAX_LINE_BYTES):
            digest.update(line)
            self._starts.append(start)
            start += len(line)
        facts = description.statistics_file
        assert facts is not None
        if digest.hexdigest() != facts["sha256"]:
            raise self._corrupt(f"does not have the checksum in {DATASET_FILE}")
        if len(self._starts) != len(description.shards) + 1:
            raise self._corrupt(f"must have {len(description.shards) + 1} lines. Received: {len(self._starts)}")

    @classmethod
    @contextlib.contextmanager
    def opened(cls, description: Description) -> "Iterator[ShardSums | None]":
        """Opens the file of a feature set and checks it. Yields None if the feature set has none.

        Raises:
            CorruptFeatureSetError: If the file is missing or damaged.
        """
        facts = description.statistics_file
        if facts is None:
            yield None
            return
        set_files.check(description.path, facts, "file")
        with files.local_copy(files.join(description.path, facts["name"])) as path, open(path, "rb") as file:
            yield cls(description, file)

    def total(self) -> FeatureSums:
        """Returns the sums of all shards.

        Raises:
            CorruptFeatureSetError: If the file is not valid.
        """
        content = self.summary()
        expected = {"fingerprint": self._description.fingerprint, "format_version": FORMAT_VERSION}
        if found := {name: content.get(name) for name in expected if content.get(name) != expected[name]}:
            raise self._corrupt(f"must have {expected} in its last line. Received: {found}")
        return self._sums(content)

    def summary(self) -> dict[str, Any]:
        """Returns the content of the last line.

        Raises:
            CorruptFeatureSetError: If it is not valid.
        """
        return self._content(len(self._starts) - 1)

    def of_shard(self, position: int) -> FeatureSums:
        """Returns the sums of a shard, counted from 0.

        Raises:
            CorruptFeatureSetError: If the file is not valid.
        """
        content, name = self._content(position), self._description.shards[position]["name"]
        if content.get("name") != name:
            raise self._corrupt(f"must be about {name!r} in line {position + 1}. Received: {content.get('name')!r}")
        return self._sums(content)

    def _content(self, number: int) -> dict[str, Any]:
        self._file.seek(self._starts[number])
        try:
            content = dataset_json.loads(self._file.readline(MAX_LINE_BYTES))
        except (ValueError, RecursionError) as error:
            raise self._corrupt(f"is not valid: {error}") from error
        if not isinstance(content, dict) or not isinstance(content.get("sums"), dict):
            raise self._corrupt(f"must have an object with 'sums' in line {number + 1}. Received: another value")
        return content

    def _sums(self, content: dict[str, Any]) -> FeatureSums:
        shape, sums = clip_sums.empty(self._description.config).shape, content["sums"]
        try:
            if sums.get("shape") != list(shape):
                raise ArgumentError(f"The shape must be {list(shape)}. Received: {sums.get('shape')!r:.200}.")
            return FeatureSums.from_dict(sums)
        except ArgumentError as error:
            raise self._corrupt(f"is not valid: {str(error).rstrip('.')}") from error

    def _corrupt(self, fault: str) -> CorruptFeatureSetError:
        facts = self._description.statistics_file
        assert facts is not None
        return set_files.corrupt("file", files.join(self._description.path, facts["name"]), fault)


class _UnknownSumsError(Exception):
    """The sums of a shard are not known."""


def summary(total: FeatureSums, fingerprint: str) -> dict[str, Any]:
    """Returns the content of the last line. A set without any frame that holds audio has no statistics.

    Args:
        total: Sums of all shards.
        fingerprint: Fingerprint of the features.
    """
    statistics = total.statistics().to_dict() if total.count else None
    return {
        "fingerprint": fingerprint,
        "format_version": FORMAT_VERSION,
        "statistics": statistics and {name: value for name, value in statistics.items() if name != "fingerprint"},
        "sums": total.to_dict(),
    }


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode() + b"\n"
