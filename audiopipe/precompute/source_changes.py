"""What the index says about where the audio of clips is, and how an update changes that for clips that it keeps."""

from dataclasses import asdict, dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audiopipe.feature_sets import index
from audiopipe.feature_sets.index.layout import SOURCE_TYPE
from audiopipe.inputs.changes import StoredAudio
from audiopipe.inputs.listings import Listed
from audiopipe.precompute import row_files
from audiopipe.storage import files

CHANGING = ("path", "row", "start", "end", "size", "time", "version")


def source_facts(listed: Listed, clip_id: str, digest: bytes | None) -> index.SourceFacts:
    """Returns what the index says about the audio of a record.

    Args:
        listed: The clip of the input.
        clip_id: Id of the record.
        digest: Digest of the audio.
    """
    audio = StoredAudio.of(listed, digest)
    return index.SourceFacts(
        id=None if listed.source.id == clip_id else index.escaped(listed.source.id),
        path=audio.path,
        row=audio.row,
        start=audio.start,
        end=audio.end,
        size=audio.size,
        time=audio.time_ns,
        version=audio.version,
        digest=audio.digest,
    )


@dataclass
class SourceChanges:
    """Changes to what the index says about where the audio of records is.

    Args:
        shards: Name of the shard of each record.
        numbers: Number of the record in the shard.
        facts: The new facts.
    """

    shards: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    facts: list[dict[str, object]] = field(default_factory=list)

    def add(self, shard: str, first: int, count: int, listed: Listed) -> None:
        """Adds a clip that has `count` records in a shard, from number `first` on."""
        facts = asdict(source_facts(listed, listed.source.id, None))
        now = {name: facts[name] for name in CHANGING}
        for number in range(first, first + count):
            self.shards.append(shard)
            self.numbers.append(number)
            self.facts.append(now)

    def write(self, path: str) -> None:
        """Writes the changes to a Parquet file."""
        kinds = {name: SOURCE_TYPE.field(name).type for name in CHANGING}
        columns = {name: pa.array([fact[name] for fact in self.facts], kind) for name, kind in kinds.items()}
        table = pa.table({"shard": self.shards, "number": self.numbers, **columns})
        with files.temporary_file(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")


class Refreshed:
    """Rows of the index with the changes that `SourceChanges` wrote.

    Args:
        path: Path of the changes. There are none if the file does not exist.
        layout: Layout of the index.
    """

    def __init__(self, path: str, layout: index.Layout):
        self._layout = layout
        self._changes: pa.Table | None = None
        if files.exists(path):
            self._changes = row_files.read(path)

    def rows(self, shard: str, rows: pa.Table) -> pa.Table:
        """Returns the rows of a shard with their changes."""
        if self._changes is None:
            return rows
        changes = self._changes.filter(pc.equal(self._changes["shard"], shard))
        if not len(changes):
            return rows
        # Row of the changes for each row of the shard, or that of the shard itself after them.
        take = np.arange(len(rows)) + len(changes)
        take[changes["number"].to_numpy()] = np.arange(len(changes))
        name = self._layout.own["source"]
        source = rows.column(name).combine_chunks()
        children = []
        for child in source.type:
            values = pc.struct_field(source, child.name)
            if child.name in CHANGING:
                new = changes[child.name].combine_chunks().cast(child.type)
                values = pa.concat_arrays([new, values]).take(pa.array(take))
            children.append(values)
        changed = pa.StructArray.from_arrays(children, fields=list(source.type))
        return rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), changed)
