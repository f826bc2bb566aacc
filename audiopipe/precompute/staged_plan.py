"""Plan of the shards of a feature set whose records are staged: which of them go into which shard, sorted by id."""

import dataclasses
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from audiopipe.inputs.columns import Columns
from audiopipe.precompute import plan
from audiopipe.precompute.staging import Staging
from audiopipe.precompute.writing import writing
from audiopipe.storage import files

PART_SCHEMA = pa.schema(
    {
        "id": pa.binary(),
        "file": pa.string(),  # name of the bundle
        "offset": pa.int64(),
        "bytes": pa.int64(),
        "n_frames": pa.int64(),
        "valid_frames": pa.int64(),
        "max_error": pa.float64(),
        "metadata": pa.string(),
        "remarks": pa.string(),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedShard:
    """Plan of one shard.

    Args:
        number: Number of the shard, which no other shard of the folder has or ever had.
        id: Id that its records contain, 16 hexadecimal digits. Equal clips give equal ids.
        digest: SHA-256 over everything that determines its bytes.
        clips: Number of its clips.
    """

    number: int
    id: str
    digest: str
    clips: int


@dataclass(frozen=True, kw_only=True, eq=False)
class StagedPlan:
    """Plan of all shards.

    Args:
        staging: The run of the pipeline.
        name: Name of its files, see `Staging.plan_file`.
        columns: Metadata columns.
        counts: Entries of the counts in `dataset.json` about clips and their lengths.
        generation: Generation of the feature set.
        machines: Machines that computed features, as far as they are known.
        notes: Sentences for `dataset.json`.
        table: The shards.
    """

    staging: Staging
    name: str
    columns: Columns
    counts: dict[str, Any]
    generation: int
    machines: list[dict[str, Any]]
    notes: list[str]
    table: Sequence[StagedShard]

    @property
    def output(self) -> str:
        """Folder of the feature set."""
        return self.staging.output

    def path(self, *parts: str) -> str:
        """Returns the path of a file of the plan."""
        return self.staging.path(*parts)

    def rows_file(self, shard: int) -> str:
        """Returns the path of the rows that a shard gets in the index."""
        return self.path(f"rows-{shard:05d}.parquet")

    def shards(self) -> Sequence[StagedShard]:
        """Returns the shards to write, in the order of their records."""
        return self.table

    def write(self) -> None:
        """Writes the plan.

        Raises:
            OutputError: If the file cannot be written.
        """
        facts = {
            "columns": dataclasses.asdict(self.columns),
            "counts": self.counts,
            "generation": self.generation,
            "machines": self.machines,
            "notes": self.notes,
            "shards": [dataclasses.asdict(shard) for shard in self.table],
        }
        path = self.staging.plan_file(self.name)
        with writing(path):
            files.write_bytes(path, plan.to_line(facts))


def read(staging: Staging, name: str) -> StagedPlan:
    """Reads a plan.

    Args:
        staging: The run of the pipeline.
        name: Name of the plan.

    Raises:
        CorruptFeatureSetError: If the plan is damaged.
    """
    path = staging.plan_file(name)
    with plan.undamaged(path):
        facts = _content(path)
        return StagedPlan(
            staging=staging,
            name=name,
            columns=Columns(**facts["columns"]),
            counts=facts["counts"],
            generation=facts["generation"],
            machines=facts["machines"],
            notes=facts["notes"],
            table=[StagedShard(**shard) for shard in facts["shards"]],
        )


@functools.lru_cache(maxsize=4)
def _content(path: str) -> Any:
    """Returns the content of a plan, whose name is never used again."""
    return json.loads(files.read_bytes(path))
