"""Several feature sets as one sequence of clips. One feature set is the simplest case."""

import bisect
import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audiopipe.errors import FeatureSetError
from audiopipe.feature_sets import hashes, index, joined_columns, parted_sets, shard_parts, valid_frames
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.index import Layout, Rows
from audiopipe.feature_sets.joined_columns import JoinedColumns
from audiopipe.feature_sets.records import Record
from audiopipe.feature_sets.shard_parts import ShardPart
from audiopipe.feature_sets.stored_set import Place, StoredSet

OWN_COLUMNS = {"id": "string", "n_frames": "int", "valid_frames": "int", "seconds": "float"}
SHOWN_IDS = 3  # equal ids in an error
KEPT_BYTES = 1 << 27  # of ids, which are kept in memory once all have been read
_SEGMENT_MARK = b"#"  # between the id of a recording and the number of a segment


class JoinedSets:
    """Feature sets as one sequence of clips, those of the first set first.

    Args:
        descriptions: The feature sets.
        prefixes: Text before the ids of each set.
        rows: Numbers of the clips that are used, whose ids must differ.

    Attributes:
        descriptions: The feature sets.
        prefixes: The prefixes.
        columns: The metadata columns.
        layout: Layout of the columns of the index.

    Raises:
        ConfigMismatchError: If the sets have different fingerprints.
        FeatureSetError: If the sets have different dtypes, a column has different types, or two clips have one id.
        CorruptFeatureSetError: If an index is missing or damaged.
    """

    def __init__(self, descriptions: Sequence[Description], prefixes: Sequence[str], rows: Rows):
        joined_columns.check_features(descriptions)
        self.descriptions = tuple(descriptions)
        self.prefixes = tuple(prefixes)
        self._columns = JoinedColumns(descriptions)
        self.columns = self._columns.columns
        self.layout = Layout(self.columns)
        self._valid_frames = valid_frames.entry(descriptions, self.columns)
        self._sets = [StoredSet(description) for description in descriptions]
        self._starts = np.cumsum([0, *(len(stored.index) for stored in self._sets)], dtype=np.int64)
        self._first_rows = self._starts.tolist()  # faster than an array for single numbers
        if not _are_distinct(_prefixes_of_wholes(self.descriptions, self.prefixes)):
            self._check_ids(rows)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def element(self, row: int) -> dict[str, Any]:
        """Returns a clip: its id, feature, number of frames and metadata."""
        number, row = self._of(row)
        return self._element(number, self._sets[number].read_record(row))

    def elements(self, rows: Rows) -> Iterator[dict[str, Any]]:
        """Yields clips. Records that are next to each other are read together."""
        for number, inner in self._parts(rows):
            for record in self._sets[number].read_records(inner):
                yield self._element(number, record)

    def place(self, row: int) -> tuple[int, StoredSet, Place]:
        """Returns the number of the set of a clip, the set, and where the record is in it."""
        number = bisect.bisect_right(self._first_rows, row) - 1
        stored = self._sets[number]
        return number, stored, stored.place(row - self._first_rows[number])

    def shard_parts(self, rows: Rows) -> Iterator[ShardPart]:
        """Yields the shards of which there are clips, with these, each once, see `shard_parts.of_rows`."""
        return shard_parts.of_rows(self._sets, self._first_rows, rows)

    def sizes(self, rows: Rows) -> np.ndarray:
        """Returns the sizes of the records of clips in bytes, as the indexes have them: int64 `[rows]`."""
        found = index.gather(rows, self._starts, lambda number, inner: self._sets[number].sizes(inner), pa.int64())
        return found.fill_null(0).to_numpy()

    def numbers(self, rows: Rows) -> list[int]:
        """Returns the numbers of the sets of which rows there are, in ascending order."""
        present = np.zeros(len(self._sets), bool)
        for chunk in chunks(rows):
            present[self._numbers(chunk)] = True
        return np.flatnonzero(present).tolist()

    def frames(self, row: int, start: int, stop: int) -> np.ndarray:
        """Reads some frames of a feature, see `StoredSet.frames`."""
        number, row = self._of(row)
        return self._sets[number].frames(row, start, stop)

    def n_frames(self, row: int) -> int:
        """Returns the number of frames of a feature."""
        number, row = self._of(row)
        return self._sets[number].n_frames(row)

    @functools.cached_property
    def kinds(self) -> dict[str, str]:
        """Type of each column: `OWN_COLUMNS`, with underscores if a metadata column has this name, and metadata."""
        own = {self.layout.own[name]: kind for name, kind in OWN_COLUMNS.items()}
        return {**own, **self.columns.types}

    def column(self, name: str, rows: Rows) -> pa.ChunkedArray:
        """Returns a column of `kinds` for some rows, with null where a set lacks the column.

        Text that is not UTF-8 is escaped.
        """
        is_metadata = name in self.columns.types
        own = {self.layout.own[own]: own for own in OWN_COLUMNS}
        kind = self.layout.schema.field(self.layout.metadata[name] if is_metadata else name).type

        def read(number: int, inner: Rows) -> pa.ChunkedArray:
            stored = self._sets[number].index
            if not is_metadata:
                values = stored.take(inner, stored.layout.own[own[name]])
                prefix = index.escaped(self.prefixes[number]) if own[name] == "id" else ""
                return pc.binary_join_element_wise(prefix, values, "") if prefix else values
            if name not in stored.layout.metadata:
                return pa.chunked_array([pa.nulls(len(inner), kind)])
            return self._columns.values(number, name, stored.take(inner, stored.layout.metadata[name]))

        return index.gather(rows, self._starts, read, kind)

    def table(self, rows: Rows) -> pa.Table:
        """Returns all columns for some rows."""
        fields = [self.layout.schema.field(self.layout.metadata.get(name, name)) for name in self.kinds]
        return pa.Table.from_arrays([self.column(name, rows) for name in self.kinds], schema=pa.schema(fields))

    def clips(self, rows: Rows) -> Iterator[dict[str, Any]]:
        """Yields the columns of each row as a dict."""
        for chunk in chunks(rows):
            columns = [self.column(name, chunk).to_pylist() for name in self.kinds]
            for values in zip(*columns, strict=True):
                yield dict(zip(self.kinds, values, strict=True))

    def ids(self, rows: Rows) -> pa.ChunkedArray:
        """Returns the ids of some rows as bytes, exactly."""

        def read(number: int, inner: Rows) -> pa.ChunkedArray:
            stored, prefix = self._sets[number].index, self.prefixes[number].encode("utf-8", "surrogateescape")
            own = stored.layout.own
            texts = stored.take(inner, own["id"]).cast(pa.binary())
            values = pc.coalesce(stored.take(inner, own["record"], "id"), texts)
            return pc.binary_join_element_wise(prefix, values, b"") if prefix else values

        return index.gather(rows, self._starts, read, pa.binary())

    def find(self, clip_id: str) -> Iterator[int]:
        """Yields the numbers of the rows with an id. The first call reads all ids.

        Ids are unique, unless views with different clips of sets that share ids were joined.
        """
        sought = clip_id.encode("utf-8", "surrogateescape")
        ordered, order, ids = self._lookup
        [value] = hashes.of_texts([sought])
        for position in range(*(int(np.searchsorted(ordered, value, side=side)) for side in ("left", "right"))):
            row = int(order[position])
            found = self.ids(range(row, row + 1))[0] if ids is None else ids[row]
            if found.as_py() == sought:
                yield row

    def recordings(self, rows: Rows) -> Iterator[bytes]:
        """Yields the id of the recording of each row. That of a segment is its id without the number."""
        segmented = [description.segments is not None for description in self.descriptions]
        for chunk in chunks(rows):
            for clip_id, number in zip(self.ids(chunk).to_pylist(), self._numbers(chunk), strict=True):
                yield clip_id.rpartition(_SEGMENT_MARK)[0] if segmented[number] else clip_id

    @functools.cached_property
    def _lookup(self) -> tuple[np.ndarray, np.ndarray, pa.ChunkedArray | None]:
        """The hashes of all ids in ascending order, the row of each, and the ids in the order of the rows if few."""
        found, size = [np.zeros(0, np.uint64)], 0
        kept: list[pa.Array] = []
        for chunk in chunks(range(len(self))):
            ids = self.ids(chunk)
            found.append(hashes.of_texts(ids.to_pylist()))
            size += ids.nbytes
            kept = [*kept, *ids.chunks] if size <= KEPT_BYTES else []
        values = np.concatenate(found)
        order = np.argsort(values, kind="stable")
        ids = pa.chunked_array(kept, type=pa.binary()) if size <= KEPT_BYTES else None
        return values[order], order.astype(np.min_scalar_type(len(order))), ids

    def _check_ids(self, rows: Rows) -> None:
        if isinstance(rows, range) and len(rows) == len(self):
            ordered, order, _ = self._lookup
        else:
            found = [hashes.of_texts(self.ids(chunk).to_pylist()) for chunk in chunks(rows)]
            values = np.concatenate([np.zeros(0, np.uint64), *found])
            positions = np.argsort(values, kind="stable")
            ordered, order = values[positions], np.asarray(rows)[positions]
        examples: list[str] = []
        for position in np.flatnonzero(ordered[1:] == ordered[:-1]):
            pair = [int(order[position]), int(order[position + 1])]
            first, second = self.ids(np.array(pair)).to_pylist()
            if first == second and pair[0] != pair[1]:
                paths = [self.descriptions[self._of(row)[0]].path for row in pair]
                examples.append(
                    f"the id {first.decode('utf-8', 'surrogateescape')!r} in {paths[0]!r} and in {paths[1]!r}"
                )
            if len(examples) == SHOWN_IDS:
                break
        if examples:
            prefixes = [f"{number}/" for number in range(sum(map(parted_sets.begins_set, self.descriptions)))]
            raise FeatureSetError(
                f"Feature sets must have different ids to be joined. Received: {', '.join(examples)}. Pass a prefix "
                "for the ids of each set, such as "
                f"FeatureSet([...], prefix={prefixes})."
            )

    def _of(self, row: int) -> tuple[int, int]:
        """Returns the number of the set of a row, and the number of the row in it."""
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        return number, row - int(self._starts[number])

    def _numbers(self, rows: Rows) -> np.ndarray:
        """Returns the number of the set of each row."""
        return np.searchsorted(self._starts, rows, side="right") - 1

    def _parts(self, rows: Rows) -> Iterator[tuple[int, np.ndarray]]:
        """Yields the number of a set and consecutive rows that are all in it, as numbers in the set."""
        for chunk in chunks(rows):
            numbers = self._numbers(chunk)
            ends = [*(np.flatnonzero(np.diff(numbers)) + 1), len(chunk)]
            for start, end in itertools.pairwise([0, *ends]):
                number = int(numbers[start])
                yield number, np.asarray(chunk[start:end]) - self._starts[number]

    def _element(self, number: int, record: Record) -> dict[str, Any]:
        return {
            "id": self.prefixes[number] + record.id,
            "feature": record.feature,
            "n_frames": record.n_frames,
            **({} if self._valid_frames is None else {self._valid_frames: record.valid_frames}),
            **self._columns.metadata(number, record.metadata),
        }


def chunks(rows: Rows) -> Iterator[Rows]:
    """Divides rows into parts of which each takes little memory.

    Rows in ascending order are read row group by row group. Each part of other rows may need all row groups again, so
    these parts are larger.
    """
    ascending = isinstance(rows, range) or not (np.diff(rows) < 0).any()
    size = 1 << 16 if ascending else 1 << 20
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _prefixes_of_wholes(descriptions: Sequence[Description], prefixes: Sequence[str]) -> list[str]:
    """Returns the prefix of each set, and once that of all parts of one set: the job checked that their ids differ."""
    parts: dict[tuple[str, str], set[str]] = {}
    found: list[str] = []
    for description, prefix in zip(descriptions, prefixes, strict=True):
        known = parts.setdefault((description.whole or description.path, prefix), set())
        if not known or description.path in known:
            found.append(prefix)
        known.add(description.path)
    return found


def _are_distinct(prefixes: Sequence[str]) -> bool:
    """Returns whether ids with different prefixes always differ, because no prefix starts with another one."""
    ordered = sorted(prefixes)
    return not any(later.startswith(earlier) for earlier, later in itertools.pairwise(ordered))
