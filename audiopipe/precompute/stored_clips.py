"""Clips that an output folder knows: those with records, and those that wait in a pending plan."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audiopipe.feature_sets import index
from audiopipe.inputs.changes import StoredAudio
from audiopipe.inputs.columns import Columns
from audiopipe.inputs.listings import Listed
from audiopipe.transform.segments import START


@dataclass(frozen=True, eq=False)
class Shard:
    """Shard that a folder holds.

    Args:
        facts: `name`, `id`, `records`, `bytes`, `sha256` and `max_error`, as in `dataset.json`.
        rows: Its rows of the index.
        current: Whether its records have the format of this release, so that it can be kept as it is.
    """

    facts: dict[str, Any]
    rows: pa.Table
    current: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Clips:
    """Clips of an input whose records are in shards, in the order of the shards.

    Args:
        ids: Id of each clip, binary.
        shards: Number of its shard, for each clip.
        first: Number of its first record in that shard.
        counts: Number of its records.
        rows: Rows of the index of all their records.
        first_rows: Row of the first record of each clip in `rows`.
        layout: Layout of `rows`.
        is_segmented: Whether the records are segments of the clips.
    """

    ids: pa.Array
    shards: np.ndarray
    first: np.ndarray
    counts: np.ndarray
    rows: pa.Table
    first_rows: np.ndarray
    layout: index.Layout
    is_segmented: bool

    @classmethod
    def of(cls, shards: Sequence[Shard], first_shard: int, columns: Columns, is_segmented: bool) -> "Clips":
        """Finds the clips of shards, which have consecutive numbers from `first_shard` on."""
        rows = pa.concat_tables([shard.rows for shard in shards]).combine_chunks()
        layout = index.Layout(columns)
        ids = record_ids(rows, layout)
        if is_segmented:
            ids = pc.replace_substring_regex(ids, pattern=rb"#\d{5,}$", replacement=b"")
        sizes = np.array([shard.facts["records"] for shard in shards], np.int64)
        of_shard = np.repeat(np.arange(len(shards)), sizes)
        starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
        begins = np.ones(len(rows), bool)
        if len(rows) > 1:
            same = pc.equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
            begins[1:] = ~same | (of_shard[1:] != of_shard[:-1])
        first_rows = np.flatnonzero(begins)
        return cls(
            ids=ids.take(pa.array(first_rows)),
            shards=of_shard[first_rows] + first_shard,
            first=first_rows - starts[first_rows],
            counts=np.diff(first_rows, append=len(rows)),
            rows=rows,
            first_rows=first_rows,
            layout=layout,
            is_segmented=is_segmented,
        )

    def facts(self, clips: np.ndarray) -> Iterator[tuple[StoredAudio, dict[str, Any]]]:
        """Yields what is stored about the audio of clips, and their metadata."""
        taken = self.rows.take(pa.array(self.first_rows[clips]))
        names = {column: name for column, name in self.layout.metadata.items() if self._describes_clips(column)}
        values = {column: taken.column(name).to_pylist() for column, name in names.items()}
        for number, source in enumerate(taken.column(self.layout.own["source"]).to_pylist()):
            yield _audio(source), {column: items[number] for column, items in values.items()}

    def stored(self, clip: int) -> list[tuple[int, int, float]]:
        """Returns the offset, the size in bytes, and the seconds of audio of each record of a clip."""
        records = slice(self.first_rows[clip], self.first_rows[clip] + self.counts[clip])
        return list(zip(*(column[records].tolist() for column in self._places), strict=True))

    def digest(self, clip: int) -> bytes | None:
        """Returns the digest of the audio of a clip, None if it is not known."""
        return self._digests[int(self.first_rows[clip])].as_py()

    @functools.cached_property
    def _places(self) -> list[np.ndarray]:
        record = self.rows.column(self.layout.own["record"])
        seconds = self.rows.column(self.layout.own["seconds"])
        return [
            column.to_numpy() for column in (*(pc.struct_field(record, name) for name in ("offset", "bytes")), seconds)
        ]

    @functools.cached_property
    def _digests(self) -> pa.ChunkedArray:
        return pc.struct_field(self.rows.column(self.layout.own["source"]), "digest")

    def _describes_clips(self, column: str) -> bool:
        return not (self.is_segmented and column == START)


@dataclass(frozen=True, kw_only=True, eq=False)
class Waiting:
    """Clips of a pending plan that are not computed yet.

    Args:
        lines: Line of each clip in the plan.
        columns: Metadata columns of the records.
        is_segmented: Whether the records are segments of the clips.
    """

    lines: list[bytes]
    columns: Columns
    is_segmented: bool

    @functools.cached_property
    def ids(self) -> pa.Array:
        """Id of each clip, binary."""
        return pa.array((as_bytes(Listed.from_json(line).source.id) for line in self.lines), pa.binary())

    def facts(self, clips: np.ndarray) -> Iterator[tuple[StoredAudio, dict[str, Any]]]:
        """Yields what is planned about the audio of clips, and their metadata."""
        for clip in clips:
            listed = Listed.from_json(self.lines[clip])
            metadata = self.columns.normalized(listed.source.metadata)
            if self.is_segmented:
                metadata.pop(START, None)
            yield StoredAudio.of(listed), metadata


def as_bytes(name: str) -> bytes:
    """Returns an id as ids are compared. A file name on Linux need not be valid UTF-8."""
    return name.encode("utf-8", "surrogateescape")


def text(name: bytes) -> str:
    """Returns an id that `as_bytes` encoded."""
    return name.decode("utf-8", "surrogateescape")


def record_ids(rows: pa.Table, layout: index.Layout) -> pa.Array:
    """Returns the exact ids of records, binary."""
    exact = pc.struct_field(rows.column(layout.own["record"]), "id")
    found = pc.coalesce(exact, pc.cast(rows.column(layout.own["id"]), pa.binary()))
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _audio(source: dict[str, Any]) -> StoredAudio:
    names = ("row", "start", "end", "size", "version", "digest")
    return StoredAudio(path=source["path"], time_ns=source["time"], **{name: source[name] for name in names})
