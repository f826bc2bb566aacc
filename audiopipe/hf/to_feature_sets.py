"""Conversion of a dataset of `datasets` to a feature set."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
import pyarrow as pa

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError, AudioError, FeatureSetError, InputError, MetadataRemark
from audiopipe.feature_sets import digest_checks, dtypes, file_names, index, publication, records, tfrecords
from audiopipe.feature_sets.arrow_features import to_numpy
from audiopipe.feature_sets.clip_sums import ClipSums
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.feature_set import FeatureSet
from audiopipe.feature_sets.fingerprints import Identity
from audiopipe.feature_sets.records import Place
from audiopipe.hf import count_columns, machine_notes
from audiopipe.hf.types import digests_of, feature_column, is_digest
from audiopipe.inputs import column_inference, declared_columns, metadata_types
from audiopipe.inputs.columns import Columns
from audiopipe.inputs.duplicate_ids import Names
from audiopipe.precompute import estimate, output_folder, plan, stored_lengths
from audiopipe.precompute.output_folder import OutputFolder
from audiopipe.precompute.sharding import counts_of_equal_sizes, number_of_shards
from audiopipe.precompute.stored_lengths import Lengths
from audiopipe.precompute.writing import writing
from audiopipe.storage import files
from audiopipe.wording import count_of

ROWS_AT_ONCE = 64
STAGE = "map"  # stage of every failure, as the column `error` of hf.map does not say at which stage a row failed


def to_feature_set(
    dataset: datasets.Dataset,
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    dtype: str = "float32",
    overwrite: bool = False,
) -> FeatureSet:
    """Writes the result of `map` as a feature set, which `audiopipe.load` and `FeatureSet` read.

    The records have the bits of the rows and the fingerprint of the column. Before anything is written, the values of
    every row are compared with its digest.

    - A row without a feature becomes a failure with the stage `map`. The reason comes from the column `error`, which
      `map(..., on_error="null")` adds.
    - The numbers of valid frames come from the column of `map` or `from_feature_set`.
    - The hours of audio in the counts are computed from the frames, so they are a lower bound.
    - `machines` is empty, because a dataset does not say where it was computed. If the dataset comes from
      `from_feature_set`, and was not read from a Parquet file, the machines of that feature set are kept.
    - `audiopipe.verification.verify` can compare the features with the audio, if the input is a table of the same rows,
      or if the rows have the ids of its clips.

    Args:
        dataset: The dataset. A column `id` names the clips. Without it, the clips are named by their row numbers,
            `00000000` and so on.
        path: Folder to write to, local or remote. It must be new or empty.
        columns: The columns that become metadata: text, numbers, booleans, or lists of these. The names of a
            `ClassLabel` go into `dataset.json`. None takes all but `id`, `error`, and the digests and numbers of frames
            of features.
        dtype: Dtype of the stored features: `"float32"`, `"float16"` or `"bfloat16"`.
        overwrite: Whether to replace a feature set in the folder.

    Returns:
        The finished feature set.

    Raises:
        FingerprintError: If no column, or more than one, says which feature it holds, or if the values of a row were
            changed or have no digest. See `with_digests`.
        InputError: If a column cannot be metadata, or two rows have one id.
        FeatureSetError: If the folder cannot be used, or no row has a feature.
        FeatureSetLockedError: If a job is writing to the folder.
        OutputError: If a file cannot be written.
        ArgumentError: If an argument is wrong.

    Warns:
        MetadataRemark: If a column has missing integers or classes. The message says which number marks them.

    Example:
        >>> from audiopipe import Transform, hf, load
        >>> rows = datasets.Dataset.from_dict({"audio": ["examples/audio/speech.flac"], "id": ["speech"]})
        >>> made = hf.to_feature_set(hf.map(rows, Transform("speech-mel-80")), "memory://speech/features")
        >>> made.counts["clips"]
        1
        >>> [clip["id"] for clip in load("memory://speech/features", "speech-mel-80").as_numpy_iterator()]
        [b'speech']
    """
    if not isinstance(dataset, datasets.Dataset):
        raise ArgumentError(
            f"dataset must be a datasets.Dataset. Received: {type(dataset).__name__}. Select one split of a dict of "
            "splits. Save a streaming dataset first."
        )
    dtypes.check(dtype)
    rows = _Rows(dataset, columns)
    listing = rows.listing()
    for note in listing.columns.notes:
        warnings.warn(note, MetadataRemark, stacklevel=2)
    output = files.absolute(os.fspath(path))
    output_folder.check_new(output, overwrite)
    with output_folder.locked(output) as lock:
        output_folder.check_new(output, overwrite)
        folder = OutputFolder.look(output, overwrite=True)
        plan.remove(output)
        output_folder.remove_temporaries(output)
        shards = _Shards(output, rows.identity.config, folder.next_shard)
        try:
            shards.write(rows, listing, dtype)
            lock.check()
            published = shards.publish(rows, listing, dtype, folder)
        except BaseException:
            output_folder.remove_unpublished(output)
            raise
    return FeatureSet.open(published.path)


@dataclass(frozen=True)
class _Listing:
    """Facts about the rows that have to be known before the first one is written.

    Args:
        columns: Types, classes and fill values of the metadata columns.
        sizes: Number of values in the feature of each row.
        digest: SHA-256 of the rows. Equal rows give equal digests.
    """

    columns: Columns
    sizes: list[int]
    digest: str


@dataclass(frozen=True)
class _Row:
    """One row of the dataset.

    Args:
        number: Row number.
        clip_id: Id of the clip.
        feature: Feature with a channel axis, as in a record. None if the row has no feature.
        n_frames: Number of frames, 0 if the row has no feature.
        valid_frames: Number of frames that hold audio. None if it is not known.
        metadata: Value of each metadata column.
        error: Reason why the row has no feature, if known.
    """

    number: int
    clip_id: str
    feature: np.ndarray | None
    n_frames: int
    valid_frames: int | None
    metadata: dict[str, Any]
    error: str | None


class _Rows:
    """Rows of a dataset, which can be read more than once.

    Attributes:
        identity: Identity of the feature that the rows hold.
        machines: Machines that computed the features, as far as they are known.
    """

    def __init__(self, dataset: datasets.Dataset, columns: Sequence[str] | None):
        unknown = sorted(set(columns or ()) - set(dataset.column_names))
        if isinstance(columns, str) or unknown:
            raise ArgumentError(
                f"columns must be names of {', '.join(dataset.column_names)}. Received: columns={columns!r}."
            )
        self._feature, self.identity = feature_column(dataset.features, columns)
        self.machines = machine_notes.of_dataset(dataset.info, self.identity.fingerprint)
        digest_checks.check_stored(dataset)
        self._digests = digests_of(dataset.features, self._feature)
        if columns is None:
            counts = count_columns.counts_of_frames(dataset.features)
            columns = [
                name
                for name, kind in dataset.features.items()
                if name not in ("error", *counts) and not is_digest(kind)
            ]
        self._valid_frames = count_columns.valid_frames_column(dataset.features, self.identity)
        n_frames = count_columns.frames_column(dataset.features, self.identity)
        own = (self._feature, "n_frames", n_frames, "id", self._valid_frames, self._digests.column)
        self._metadata = [name for name in columns if name not in own]
        reserved = [name for name in ("id", "error", self._valid_frames) if name and name in dataset.column_names]
        names = list(dict.fromkeys([self._feature, self._digests.column, *self._metadata, *reserved]))
        self._rows = dataset.select_columns(names).with_format("arrow")
        self._declared = declared_columns.of_schema(dataset.features.arrow_schema, "The dataset")

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, start: int, stop: int) -> Iterator[_Row]:
        """Yields the rows from `start` to before `stop`, and compares each with its digest."""
        config = self.identity.config
        for first in range(start, stop, ROWS_AT_ONCE):
            table: pa.Table = self._rows[first : min(stop, first + ROWS_AT_ONCE)]
            others = table.drop_columns([self._feature]).to_pylist()
            for place, (array, row) in enumerate(zip(to_numpy(table[self._feature]), others, strict=True)):
                self._digests.check(first + place, array, row[self._digests.column])
                if array is not None and array.ndim == 2:
                    array = np.expand_dims(array, config.channel_axis)
                n_frames = 0 if array is None else array.shape[config.frame_axis]
                valid = row[self._valid_frames] if self._valid_frames and n_frames else None
                yield _Row(
                    number=first + place,
                    clip_id=_clip_id(row.get("id"), first + place),
                    feature=array if n_frames else None,
                    n_frames=n_frames,
                    valid_frames=_valid_frames(valid, n_frames, config, first + place),
                    metadata={name: row[name] for name in self._metadata},
                    error=row.get("error"),
                )

    def listing(self) -> _Listing:
        """Reads all rows once and returns the facts about them.

        Raises:
            FingerprintError: If the values of a row were changed or have no digest.
            InputError: If a column cannot be metadata, or two rows have the same id.
            FeatureSetError: If no row has a feature.
        """
        digest, names, sizes = hashlib.sha256(), Names(), []

        def metadata() -> Iterator[dict[str, Any]]:
            for row in self.read(0, len(self)):
                metadata_types.check_columns(row.metadata, f"Row {row.number}")
                names.add(row.clip_id)
                facts = {name: metadata_types.plain(value) for name, value in row.metadata.items()}
                digest.update(json.dumps([row.clip_id, facts], sort_keys=True).encode())
                if row.feature is not None:
                    digest.update(np.ascontiguousarray(row.feature).data.cast("B"))
                if row.valid_frames != row.n_frames:
                    digest.update(json.dumps(row.valid_frames).encode())
                sizes.append(0 if row.feature is None else row.feature.size)
                yield row.metadata

        columns = column_inference.infer(metadata(), self._declared)
        twice = names.repeated(lambda: (row.clip_id for row in self.read(0, len(self))))
        if twice is not None:
            raise InputError(
                f"The ids of the rows must differ. Received twice: {twice!r}. Fix the column id, or remove it."
            )
        if not any(sizes):
            received = f"{count_of(len(self), 'row')} without one"
            raise FeatureSetError(f"At least one row must have a feature. Received: {received}.")
        return _Listing(columns, sizes, digest.hexdigest())


def _valid_frames(stored: int | None, n_frames: int, config: Config, row: int) -> int | None:
    """Returns the number of valid frames of a row. If nothing says it, they are all frames, unless clips are padded."""
    if stored is None:
        return None if config.pads_clips else n_frames
    if not 0 <= stored <= n_frames:
        raise InputError(
            f"Row {row}: the number of valid frames must be one of 0 .. {n_frames}. Received: {stored}. Make the "
            "column with audiopipe.hf.map, or remove it."
        )
    return stored


def _clip_id(value: Any, row: int) -> str:
    if value is None:
        return f"{row:08d}"
    if not str(value):
        raise InputError(f"Row {row}: the id must not be empty. Give the clip an id, or remove the column id.")
    metadata_types.check_text(str(value), f"Row {row}")
    return str(value)


class _Shards:
    """Shards that are written from rows.

    Args:
        output: Folder of the feature set.
        config: Config of the features.
        first: Number of the first shard.
    """

    def __init__(self, output: str, config: Config, first: int):
        self._output = output
        self._next = first
        self._shards: list[dict[str, Any]] = []
        self._tables: list[pa.Table] = []
        self._lengths = Lengths(config)
        self._sums: list[dict[str, Any] | None] = []
        self._failures: list[dict[str, Any]] = []

    def write(self, rows: _Rows, listing: _Listing, dtype: str) -> None:
        """Writes all shards.

        Raises:
            FeatureSetError: If no row has a feature that can be stored.
            OutputError: If a file cannot be written.
        """
        sizes = np.array(listing.sizes) * dtypes.DTYPES[dtype].itemsize + estimate.RECORD_OVERHEAD
        n_shards = min(len(rows), number_of_shards(sizes.sum()))
        ends = np.cumsum(counts_of_equal_sizes(sizes, n_shards)).tolist()
        for start, stop in zip([0, *ends], ends, strict=False):
            self._write_shard(rows, listing, dtype, start, stop)
        if not self._shards:
            raise FeatureSetError(
                f"At least one of the {len(rows)} rows must have a feature that can be stored. The first failure: "
                f"{self._failures[0]['error']}"
            )

    def publish(self, rows: _Rows, listing: _Listing, dtype: str, folder: OutputFolder) -> Description:
        """Publishes the shards as a feature set."""
        config = rows.identity.config
        description = Description(
            path=self._output,
            config=config,
            kernel_version=rows.identity.kernel_version,
            counts={"clips": self._lengths.n_clips, "failures": len(self._failures), "remarks": 0}
            | self._lengths.counts(),
            schema=listing.columns.types,
            classes=listing.columns.classes,
            fill_values=listing.columns.fill_values,
            shards=self._shards,
            machines=rows.machines,
            dtype=dtype,
            max_error=max(shard["max_error"] for shard in self._shards),
            generation=folder.generation + 1,
            next_shard=self._next,
        )
        previous = output_folder.replaceable(self._output)
        return publication.publish(description, self._tables, self._failures, [], self._sums, previous=previous)

    def _write_shard(self, rows: _Rows, listing: _Listing, dtype: str, start: int, stop: int) -> None:
        name = file_names.shard_name(self._next)
        path = files.join(self._output, name)
        facts = [rows.identity.fingerprint, dtype, listing.digest, self._next]
        shard_id = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
        found: list[index.Row] = []
        sums, max_error = ClipSums(rows.identity.config), 0.0
        with writing(path), files.temporary_file(path) as temporary:
            with tfrecords.Writer(temporary) as file:
                for row in rows.read(start, stop):
                    try:
                        record, error = _record(row, rows.identity, listing, dtype, Place(shard_id, len(found)), sums)
                    except AudioError as failure:
                        self._failures.append(_failure(row, failure))
                        continue
                    place = (len(self._shards), len(found), file.write(record), len(record))
                    found.append(_index_row(row, rows.identity.config, place))
                    self._lengths.add(row.n_frames, row.valid_frames)
                    max_error = max(max_error, error)
            written = file.facts(name)
        if found:  # a shard without records is removed when the feature set is published
            self._next += 1
            self._shards.append({**written, "id": shard_id, "records": len(found), "max_error": max_error})
            self._tables.append(index.table(found, listing.columns))
            self._sums.append(sums.to_dict())


def _index_row(row: _Row, config: Config, place: tuple[int, int, int, int]) -> index.Row:
    """Returns the row of a record in the index. Its seconds are the least that give as many frames."""
    shard, number, offset, size = place
    return index.Row(
        id=row.clip_id,
        n_frames=row.n_frames,
        valid_frames=row.valid_frames,
        seconds=stored_lengths.fewest_samples(config, row.n_frames, row.valid_frames) / config.sample_rate,
        metadata=row.metadata,
        shard=shard,
        number=number,
        offset=offset,
        bytes=size,
    )


def _record(
    row: _Row, identity: Identity, listing: _Listing, dtype: str, place: Place, sums: ClipSums
) -> tuple[bytes, float]:
    if row.feature is None:
        raise AudioError(row.error or "The row has no feature.", STAGE)
    encoded = records.encode(
        row.clip_id,
        row.feature,
        identity.config,
        row.metadata,
        listing.columns,
        place,
        dtype,
        valid_frames=records.UNKNOWN if row.valid_frames is None else row.valid_frames,
        fingerprint=identity.fingerprint,
    )
    sums.add(row.feature, row.valid_frames, dtype)
    return encoded


def _failure(row: _Row, error: AudioError) -> dict[str, Any]:
    return {"id": row.clip_id, "path": "", "row": row.number, "stage": error.stage, "error": str(error)}
