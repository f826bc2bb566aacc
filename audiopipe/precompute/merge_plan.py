"""Plan of a merge: which shards of the feature sets go into which new shard.

The plan follows from the feature sets, so the folder only has `plan/merge.json`, which says for which merge its
finished shards are.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.joined_columns import JoinedColumns
from audiopipe.inputs import InputOptions
from audiopipe.inputs.columns import Columns
from audiopipe.precompute import plan
from audiopipe.precompute.sharding import MIN_SHARD
from audiopipe.storage import files

FORMAT_VERSION = 1
_FIELDS = {"digest": str, "generation": int, "first_shard": int}


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedShard:
    """Plan of one new shard.

    Args:
        number: Number of the shard, which no other shard of the folder has or ever had.
        id: Id that its records contain, 16 hexadecimal digits. Equal merges give equal ids.
        digest: SHA-256 over everything that determines its bytes.
        parts: Number of the feature set and position of the shard in it, for each shard whose records it gets.
        clips: Number of its clips.
        n_bytes: Size of the shards of `parts` in bytes.
    """

    number: int
    id: str
    digest: str
    parts: tuple[tuple[int, int], ...]
    clips: int
    n_bytes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class MergePlan:
    """Plan of a merge.

    Args:
        output: Folder of the new feature set.
        descriptions: The feature sets.
        prefixes: Text before the ids of each set.
        columns: Metadata columns of the new feature set.
        generation: Generation of the new feature set.
        first_shard: Number of its first shard.
    """

    output: str
    descriptions: Sequence[Description]
    prefixes: Sequence[str]
    columns: Columns
    generation: int
    first_shard: int

    @functools.cached_property
    def joined(self) -> JoinedColumns:
        """How metadata of each set becomes metadata of the new one."""
        return JoinedColumns(self.descriptions)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over everything that determines the new feature set, but not over the paths of the sets."""
        facts = [FORMAT_VERSION, list(self.prefixes), dataclasses.asdict(self.columns)]
        facts += [_content(description) for description in self.descriptions]
        return _sha256(facts)

    @functools.cached_property
    def _shards(self) -> list[MergedShard]:
        shards = []
        for position, parts in enumerate(self._groups()):
            facts = [self.descriptions[number].shards[place] for number, place in parts]
            digest = _sha256([self.digest, position])
            shards.append(
                MergedShard(
                    number=self.first_shard + position,
                    id=digest[:16],
                    digest=digest,
                    parts=tuple(parts),
                    clips=sum(shard["records"] for shard in facts),
                    n_bytes=sum(shard["bytes"] for shard in facts),
                )
            )
        return shards

    def shards(self) -> Sequence[MergedShard]:
        """Returns the shards to write, in the order of their records."""
        return self._shards

    def path(self, *parts: str) -> str:
        """Returns the path of a file of the plan."""
        return files.join(self.output, plan.FOLDER, *parts)

    def rows_file(self, shard: int) -> str:
        """Returns the path of the rows that a shard gets in the index."""
        return self.path(f"rows-{shard:05d}.parquet")

    @property
    def options(self) -> InputOptions:
        """The options of the inputs that all sets share."""
        first, *others = [description.options.to_dict() for description in self.descriptions]
        shared = {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
        return InputOptions.from_dict(shared)

    def write(self) -> None:
        """Writes `plan/merge.json`, which replaces the plan of a job or of another merge."""
        files.make_folder(self.path())
        facts = {
            "format_version": FORMAT_VERSION,
            "digest": self.digest,
            "generation": self.generation,
            "first_shard": self.first_shard,
        }
        files.write_bytes(self.path(plan.MERGE), plan.to_line(facts))
        files.remove(self.path(plan.HEADER))

    def _groups(self) -> list[list[tuple[int, int]]]:
        """Returns the shards that go into each new one. Small ones are joined, as sets of a day may have."""
        groups: list[list[tuple[int, int]]] = []
        size = MIN_SHARD
        for number, description in enumerate(self.descriptions):
            for position, shard in enumerate(description.shards):
                if not shard["records"]:
                    continue
                if size + shard["bytes"] > MIN_SHARD:
                    groups.append([])
                    size = 0
                groups[-1].append((number, position))
                size += shard["bytes"]
        return groups


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """A merge that is not finished, as `plan/merge.json` describes it.

    Args:
        digest: As in `MergePlan`.
        generation: As in `MergePlan`.
        first_shard: As in `MergePlan`.
    """

    digest: str
    generation: int
    first_shard: int


def started(output: str) -> Started | None:
    """Returns the merge into a folder that is not finished, or None if there is none.

    Raises:
        CorruptFeatureSetError: If the file is damaged.
    """
    name = files.join(output, plan.FOLDER, plan.MERGE)
    if not files.exists(name):
        return None
    try:
        facts = json.loads(files.read_bytes(name))
        if facts.pop("format_version", None) != FORMAT_VERSION:
            raise ValueError("another version of audiopipe wrote it")
        if {field: type(value) for field, value in facts.items()} != _FIELDS:
            raise ValueError(f"it must have the fields {', '.join(_FIELDS)}")
    except (ValueError, AttributeError) as error:
        raise CorruptFeatureSetError(
            f"{name!r} is damaged: {error}. Choose another folder, or pass --overwrite to start from scratch."
        ) from error
    return Started(**facts)


def _content(description: Description) -> list[Any]:
    """Returns what identifies the content of a feature set, wherever it is."""
    listed = (description.index, description.failures_file, description.remarks_file)
    return [
        description.fingerprint,
        description.shards,
        [None if facts is None else facts.get("sha256") for facts in listed],
        [description.schema, description.classes, description.fill_values],
        [description.counts, description.machines, description.notes, description.dtype, description.max_error],
        [description.options.to_dict(), description.accept_truncated],
        description.segments.to_dict() if description.segments else None,
    ]


def _sha256(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
