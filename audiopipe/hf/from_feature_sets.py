"""Conversion of a feature set to a dataset of `datasets`."""

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import tensorflow as tf

from audiopipe.errors import ArgumentError, CorruptFeatureSetError, FeatureSetError
from audiopipe.feature_sets import loading
from audiopipe.feature_sets.feature_set import DATASET_FILE, FeatureSet
from audiopipe.hf.arrays import to_arrow
from audiopipe.hf.types import feature_type
from audiopipe.precompute import shard_writer
from audiopipe.storage import files

BLOCK_BYTES = 16_000_000  # of features in memory at once
BLOCK_ROWS = 1000
LAYOUT = 1  # version of the cached files, part of their name

_TYPES = {"string": "string", "int": "int64", "float": "float64", "bool": "bool"}


def from_feature_set(
    path: str | os.PathLike[str],
    config: Any = None,
    *,
    feature: str = "feature",
    check: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
) -> datasets.Dataset:
    """Loads a feature set as a dataset.

    Writes the records to an Arrow file in the cache of `datasets`, a few megabytes at a time, and memory-maps that
    file. Its path contains a hash of `dataset.json`, which includes the checksums of the shards. A feature set is
    therefore converted only once, wherever it is stored.

    Args:
        path: Folder of the feature set, local or remote.
        config: The expected config, as for `audiopipe.load`. Features of any other config are refused.
        feature: Name of the feature column.
        check: Whether to verify the checksum of every shard first.
        cache_dir: Folder for the Arrow file. None means the cache of `datasets`.

    Returns:
        A dataset with the columns `id`, `feature` (see `feature_type`), `n_frames` and the metadata, in the order of
        the records. Features are float32, whatever dtype they are stored as. `audiopipe.fingerprint_of` returns the
        fingerprint of the feature set.

    Raises:
        IncompleteFeatureSetError: If there is no `dataset.json`.
        ConfigMismatchError: If the features have another config than expected.
        CorruptFeatureSetError: If a shard is missing or damaged. The message names it.
        OutputError: If the Arrow file cannot be written.
        ArgumentError: If `feature` is the name of another column.

    Warns:
        MachineWarning: As `audiopipe.load`.

    Example:
        >>> import tempfile
        >>> from audiopipe import beam, hf
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     made = beam.precompute("examples/audio/music", f"{folder}/features", "speech-mel-80")
        ...     rows = hf.from_feature_set(made.path, "speech-mel-80", cache_dir=folder)
        >>> rows["id"][0], rows.features["feature"]
        ('strings-stereo.ogg', Array2D(shape=(None, 80), dtype='float32'))
    """
    feature_set = loading.opened(path, config, check=check)
    others = {"id", "n_frames", *feature_set.schema}
    if feature in others:
        raise ArgumentError(
            f"feature must not be the name of another column: {', '.join(sorted(others))}. Received: "
            f"feature={feature!r}. Choose another name."
        )
    types = datasets.Features(
        {
            "id": datasets.Value("string"),
            feature: feature_type(feature_set.config, feature_set.kernel_version),
            "n_frames": datasets.Value("int64"),
            **{name: datasets.Value(_TYPES[kind]) for name, kind in feature_set.schema.items()},
        }
    )
    dataset_json = files.read_bytes(files.join(feature_set.path, DATASET_FILE))
    identity = hashlib.sha256(b"\0".join([str(LAYOUT).encode(), feature.encode(), dataset_json])).hexdigest()
    folder = os.path.join(cache_dir or datasets.config.HF_DATASETS_CACHE, "audiopipe", identity)
    file = os.path.join(folder, "features.arrow")
    if not os.path.exists(file):
        with shard_writer.writing(file):
            os.makedirs(folder, exist_ok=True)
            with files.temporary_file(file) as temporary:
                _write(temporary, feature_set, feature, types)
    return datasets.Dataset.from_file(file)


def _write(file: str, feature_set: FeatureSet, feature: str, types: datasets.Features) -> None:
    schema = types.arrow_schema
    with pa.OSFile(file, "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
        for block in _blocks(feature_set):
            columns = {name: [element[name] for element in block] for name in block[0]}
            columns["id"] = [_text(value, "the id") for value in columns["id"]]
            for name, kind in feature_set.schema.items():
                if kind == "string":
                    columns[name] = [_text(value, f"the column {name!r}") for value in columns[name]]
            arrays = _without_channel_axis(columns.pop("feature"), feature_set)
            columns[feature] = to_arrow(arrays, schema.field(feature).type)
            stream.write_batch(
                pa.record_batch([_column(columns[name], schema.field(name)) for name in schema.names], schema=schema)
            )


def _blocks(feature_set: FeatureSet) -> Iterator[list[dict[str, Any]]]:
    """Yields the records in blocks of a few megabytes."""
    block: list[dict[str, Any]] = []
    size = 0
    try:
        for element in loading.elements(feature_set).as_numpy_iterator():
            block.append(element)
            size += element["feature"].nbytes
            if size >= BLOCK_BYTES or len(block) == BLOCK_ROWS:
                yield block
                block, size = [], 0
    except tf.errors.OpError as error:
        reason = loading.cause(error)
        raise CorruptFeatureSetError(f"The records of {feature_set.path!r} cannot be read: {reason}") from error
    if block:
        yield block


def _without_channel_axis(features: list[np.ndarray], feature_set: FeatureSet) -> list[np.ndarray]:
    """Removes the channel axis from features with one channel, as rows do not have it."""
    if feature_set.config.feature_channels != 1:
        return features
    axis = feature_set.config.channel_axis
    return [np.squeeze(array, axis) for array in features]


def _column(values: Any, field: pa.Field) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, field.type)


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise FeatureSetError(
            f"A text column of datasets must be UTF-8. Received: {what} {value!r}. Rename the file or fix the text, "
            "then make the feature set again."
        ) from error
