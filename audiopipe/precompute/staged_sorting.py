"""Sorting of staged clips by id, and their division into shards.

A temporary database on disk sorts the rows about the clips, so memory holds 8 bytes per clip, and the rows of one shard
at a time.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audiopipe.errors import FeatureSetError, InputError, OutputError
from audiopipe.inputs import metadata_types
from audiopipe.inputs.column_inference import Inference
from audiopipe.inputs.columns import Columns
from audiopipe.precompute import known_machines, row_files, staging
from audiopipe.precompute.sharding import counts_of_equal_sizes, number_of_shards
from audiopipe.precompute.staged_bundles import MACHINES, SCHEMA
from audiopipe.precompute.staged_plan import PART_SCHEMA, StagedPlan, StagedShard
from audiopipe.precompute.staging import Staging
from audiopipe.precompute.stored_lengths import Lengths
from audiopipe.precompute.writing import writing
from audiopipe.storage import files

FORMAT_VERSION = 1  # of the records, for the ids of shards
ROWS_AT_ONCE = 1 << 14
UNKNOWN_MACHINES = "It is not known which machines computed some of the features."
_COLUMNS = ("id", "file", "offset", "bytes", "n_frames", "valid_frames", "max_error", "digest", "metadata", "remarks")


def sort(run: Staging, names: Iterable[str]) -> StagedPlan:
    """Plans the shards of the clips that arrived, and writes the plan.

    Args:
        run: The run of the pipeline.
        names: Names of the bundles that arrived. Files of other bundles are not read.

    Returns:
        The plan. It depends on the clips alone, and not on the bundles in which they arrived.

    Raises:
        FeatureSetError: If there is no clip.
        InputError: If two clips have one id, or no type represents all values of a metadata column.
        CorruptFeatureSetError: If a staged file is missing.
        FeatureSetLockedError: If another run has taken over.
        OutputError: If a file cannot be written.
    """
    claim = run.check_claim()
    with _Rows.opened() as rows:
        reports = []
        for name in sorted(set(names)):
            table = _read(run, name)
            rows.add(name, table)
            reports.append(json.loads(table.schema.metadata[MACHINES]))
        if not len(rows):
            raise FeatureSetError(
                f"A feature set must have at least one clip. Received: no element to write to {run.output!r}. Look for "
                "the reason in the failures of ComputeFeatures, and in the filters of the pipeline."
            )
        columns, lengths = rows.facts(run)
        sizes = rows.sizes()
        wanted = run.num_shards or number_of_shards(sizes.sum())
        clips = counts_of_equal_sizes(sizes.astype(float), min(len(sizes), wanted)).tolist()
        machines, are_known = known_machines.joined(reports)
        name = staging.new_name()
        shards = list(_parts(run, name, rows, columns, clips, claim.first_shard))
    found = StagedPlan(
        staging=run,
        name=name,
        columns=columns,
        counts={"clips": lengths.n_clips, **lengths.counts()},
        generation=claim.generation,
        machines=machines,
        notes=[] if are_known else [UNKNOWN_MACHINES],
        table=shards,
    )
    found.write()
    return found


def _read(run: Staging, name: str) -> pa.Table:
    """Reads the rows about the clips of a bundle."""
    try:
        return row_files.read(run.clips_file(name))
    except FileNotFoundError as error:
        raise staging.missing(run.clips_file(name)) from error


def _parts(
    run: Staging, name: str, rows: "_Rows", columns: Columns, clips: list[int], first: int
) -> Iterator[StagedShard]:
    """Writes the clips of each shard to a file of its own, and yields the shards."""
    settings = [FORMAT_VERSION, run.config.fingerprint, run.dtype, columns.types, columns.classes]
    ordered = rows.ordered()
    for number, count in enumerate(clips, first):
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        path = run.part_file(name, number)
        with writing(path), files.temporary_file(path) as temporary, pq.ParquetWriter(temporary, PART_SCHEMA) as file:
            for start in range(0, count, ROWS_AT_ONCE):
                part = [next(ordered) for _ in range(start, min(count, start + ROWS_AT_ONCE))]
                for row in part:
                    facts = [row["id"].hex(), row["digest"], row["valid_frames"], row["metadata"], row["remarks"]]
                    digest.update(json.dumps(facts).encode() + b"\n")
                file.write_table(pa.Table.from_pylist(part, PART_SCHEMA))
        yield StagedShard(number=number, id=digest.hexdigest()[:16], digest=digest.hexdigest(), clips=count)


class _Rows:
    """Rows about all clips, in a database on disk.

    Args:
        database: The empty database.
    """

    def __init__(self, database: sqlite3.Connection):
        self._database = database
        self._count = 0
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(f"CREATE TABLE clips ({', '.join(_COLUMNS)})")

    @classmethod
    @contextlib.contextmanager
    def opened(cls) -> "Iterator[_Rows]":
        """Creates a database, which is removed at the end."""
        with tempfile.TemporaryDirectory(prefix="audiopipe-") as folder:
            path = os.path.join(folder, "clips.sqlite")
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
                try:
                    yield cls(database)
                except sqlite3.Error as error:
                    raise OutputError(
                        f"Could not sort the clips in a temporary file in {tempfile.gettempdir()!r}: {error}. Free "
                        "some space, or set the environment variable TMPDIR to another folder."
                    ) from error

    def __len__(self) -> int:
        return self._count

    def add(self, name: str, table: pa.Table) -> None:
        """Adds the rows of a bundle."""
        columns = {**{column: table.column(column).to_pylist() for column in SCHEMA.names}, "file": [name] * len(table)}
        self._database.execute("BEGIN")
        self._database.executemany(
            f"INSERT INTO clips VALUES ({', '.join('?' * len(_COLUMNS))})",
            zip(*(columns[column] for column in _COLUMNS), strict=True),
        )
        self._database.execute("COMMIT")
        self._count += len(table)

    def ordered(self) -> Iterator[dict[str, Any]]:
        """Yields the rows, sorted by the bytes of their ids."""
        for row in self._database.execute("SELECT * FROM clips ORDER BY id"):
            yield dict(zip(_COLUMNS, row, strict=True))

    def sizes(self) -> np.ndarray:
        """Returns the approximate size of each record in bytes, sorted by id: int64 `[clips]`.

        Raises:
            InputError: If two clips have one id.
        """
        sizes, previous = array("q"), None
        for clip_id, size in self._database.execute("SELECT id, bytes + length(metadata) FROM clips ORDER BY id"):
            if clip_id == previous:
                raise self._repeated(clip_id)
            previous = clip_id
            sizes.append(size)
        return np.frombuffer(sizes, np.int64)

    def facts(self, run: Staging) -> tuple[Columns, Lengths]:
        """Returns the metadata columns and the lengths of the clips.

        Raises:
            InputError: If no type represents all values of a column.
        """
        inference, lengths = Inference(run.class_columns), Lengths(run.config)
        for n_frames, valid, text in self._database.execute("SELECT n_frames, valid_frames, metadata FROM clips"):
            lengths.add(n_frames, valid)
            inference.add(json.loads(text))
        try:
            return inference.columns(), lengths
        except InputError as error:
            raise InputError(f"{error}{self._examples(str(error))}") from error

    def _repeated(self, clip_id: bytes) -> InputError:
        """Returns the error for an id of several clips."""
        found = self._database.execute("SELECT file, offset, digest FROM clips WHERE id = ? LIMIT 2", [clip_id])
        (file, offset, digest), (other_file, other_offset, other_digest) = sorted(found)
        features = "equal features" if digest == other_digest else "different features"
        return InputError(
            f"The ids of clips must differ. Received twice: {clip_id.decode('utf-8', 'surrogateescape')!r}, with "
            f"{features}: at byte {offset} of {staging.records_name(file)!r} and at byte {other_offset} of "
            f"{staging.records_name(other_file)!r}, in the folder of the plan. Give each clip an id of its own before "
            "WriteFeatureSet, or leave one of the two out. Look for a collection that is joined with itself, and for "
            "windows that overlap."
        )

    def _examples(self, fault: str) -> str:
        """Returns clips with values of different types in the columns that an error names, as text that ends it."""
        names = {name for (text,) in self._database.execute("SELECT metadata FROM clips") for name in json.loads(text)}
        first: dict[str, dict[str, str]] = {name: {} for name in sorted(names) if repr(name) in fault}
        for clip_id, text in self._database.execute("SELECT id, metadata FROM clips ORDER BY id"):
            metadata = json.loads(text)
            for name, kinds in first.items():
                kinds.setdefault(_kind(metadata.get(name)), clip_id.decode("utf-8", "surrogateescape"))
        return "".join(
            f" Examples for {name!r}: {', '.join(f'{kind} in the clip {clip!r}' for kind, clip in kinds.items())}."
            for name, kinds in first.items()
            if len(kinds) > 1
        )


def _kind(value: Any) -> str:
    """Returns the type of a value of JSON."""
    if isinstance(value, list):
        return f"list<{', '.join(sorted(metadata_types.kinds_of(value)))}>"
    return "missing" if value is None else metadata_types.TYPE_NAMES[type(value)]
