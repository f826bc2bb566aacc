"""Files of the bundles of a pipeline: records of computed clips, rows about them, and failures.

A record is encoded without metadata, because the types of the metadata columns follow from all clips. The rows have the
metadata as JSON. The metadata of the table of rows has JSON under the key `machines`, see `known_machines`.
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from audiopipe import checks
from audiopipe.errors import InputError
from audiopipe.feature_sets import records, tfrecords
from audiopipe.feature_sets.description import FAILURE_FIELDS
from audiopipe.inputs.columns import Columns
from audiopipe.precompute import computed_clips, plan, staging
from audiopipe.precompute.computed_clips import ComputedClips
from audiopipe.precompute.known_machines import Machines
from audiopipe.precompute.staging import Staging
from audiopipe.precompute.writing import writing
from audiopipe.storage import files

FILE_BYTES = 1 << 28  # of records; a bundle with more gets more files, so that a worker needs little disk at once
FILE_ROWS = 1 << 16
MACHINES = b"machines"
UNPLACED = records.Place("0" * 16, 0)
"""Place of records that are in no shard."""

NO_COLUMNS = Columns(types={})
SCHEMA = pa.schema(
    {
        "id": pa.binary(),
        "offset": pa.int64(),
        "bytes": pa.int64(),  # of the frame
        "n_frames": pa.int64(),
        "valid_frames": pa.int64(),
        "max_error": pa.float64(),
        "digest": pa.string(),
        "metadata": pa.string(),
        "remarks": pa.string(),  # JSON, null if there are none
    }
)


class StagedBundle:
    """Writer of the records of one bundle.

    Its files appear only as wholes, under names that nobody else uses. A bundle that is repeated writes other files.

    Args:
        staging: The run of the pipeline.
    """

    def __init__(self, staging: Staging):
        self._staging = staging
        self._clips = ComputedClips(staging.config, staging.feature)
        self._opened = contextlib.ExitStack()
        self._file: tfrecords.Writer | None = None
        self._name = ""
        self._rows: dict[str, list[Any]] = {}
        self._machines = Machines(staging.config, staging.run)

    def add(self, element: Any) -> Iterator[str]:
        """Adds an element. Yields the name of a file that has become full, see `Staging.records_file`.

        Args:
            element: A dict, see `ComputedClips.read`.

        Raises:
            InputError: If the element is no computed clip, or its metadata cannot be stored.
            FingerprintError: If its feature is not one of the config.
            AudioError: If the feature is too large for a record, or for the range of the storage dtype.
            OutputError: If a file cannot be written.
        """
        clip = self._clips.read(element)
        record, error = records.encode(
            clip.id,
            clip.feature,
            self._staging.config,
            {},
            NO_COLUMNS,
            UNPLACED,
            self._staging.dtype,
            valid_frames=records.UNKNOWN if clip.valid_frames is None else clip.valid_frames,
        )
        file = self._file or self._open()
        with writing(self._staging.records_file(self._name)):
            offset = file.write(record)
        row = {
            "id": clip.id.encode("utf-8", "surrogateescape"),
            "offset": offset,
            "bytes": len(record) + tfrecords.FRAME_BYTES,
            "n_frames": clip.n_frames,
            "valid_frames": clip.valid_frames,
            "max_error": error,
            "digest": clip.digest,
            "metadata": json.dumps(clip.metadata, sort_keys=True),
            "remarks": json.dumps(clip.remarks, sort_keys=True) if clip.remarks else None,
        }
        for column, value in row.items():
            self._rows[column].append(value)
        self._machines.add(clip.digest)
        if file.size >= FILE_BYTES or len(self._rows["id"]) >= FILE_ROWS:
            yield from self.finish()

    def finish(self) -> Iterator[str]:
        """Publishes the files. Yields their name, unless nothing was added since the last one.

        Raises:
            OutputError: If a file cannot be written.
            FeatureSetLockedError: If another run has taken over.
        """
        if self._file is None:
            return
        self._staging.check_claim()
        with writing(self._staging.records_file(self._name)):
            self._file = None
            self._opened.close()
            schema = SCHEMA.with_metadata({MACHINES: json.dumps(self._machines.to_dict())})
            with files.temporary_file(self._staging.clips_file(self._name)) as temporary:
                pq.write_table(pa.table(self._rows, schema=schema), temporary, compression="zstd")
        yield self._name

    def discard(self) -> None:
        """Removes what was not published. The bundle has failed, or nobody will use the writer again."""
        self._file = None
        error = InterruptedError("The bundle is not finished.")
        with contextlib.suppress(OSError):  # another error is the reason; closing without one would publish the file
            self._opened.__exit__(type(error), error, None)

    def _open(self) -> tfrecords.Writer:
        """Opens the next file."""
        self._name = staging.new_name()
        self._rows = {column: [] for column in SCHEMA.names}
        self._machines = Machines(self._staging.config, self._staging.run)
        path = self._staging.records_file(self._name)
        with writing(path), contextlib.ExitStack() as opened:
            temporary = opened.enter_context(files.temporary_file(path))
            self._file = opened.enter_context(tfrecords.Writer(temporary))
            self._opened = opened.pop_all()
        return self._file


def write_failures(run: Staging, failures: list[Any]) -> str:
    """Writes the failures of one bundle. Returns their name, see `Staging.failures_file`.

    Args:
        run: The run of the pipeline.
        failures: Dicts with the `id`, `path`, `stage` and `error` of each clip that failed.

    Raises:
        InputError: If one of them is no such dict.
        OutputError: If the file cannot be written.
        FeatureSetLockedError: If another run has taken over.
    """
    lines = []
    for failure in failures:
        if not computed_clips.are_facts(failure, FAILURE_FIELDS, missing={"id", "path"}):
            raise InputError(
                f"Failures must be dicts with texts under the keys {', '.join(sorted(FAILURE_FIELDS))}, and values "
                f"that JSON has under others, as ComputeFeatures gives them. Received: {checks.shown(failure, 200)}."
            )
        known = {name: failure[name] or "" for name in ("id", "path")}  # a clip may have neither
        lines.append(plan.to_line({**failure, **known}))
    name = staging.new_name()
    run.check_claim()
    with writing(run.failures_file(name)):
        files.write_bytes(run.failures_file(name), b"".join(lines))
    return name


def read_failures(run: Staging, names: list[str]) -> list[dict[str, Any]]:
    """Returns all failures in an order that does not depend on the bundles."""
    lines = [line for name in names for line in files.read_bytes(run.failures_file(name)).splitlines()]
    failures = [(json.loads(line), line) for line in lines]
    return [failure for failure, _ in sorted(failures, key=lambda item: (str(item[0]["id"]), item[1]))]
