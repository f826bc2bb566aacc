"""Conversion of a feature set to a dataset of `datasets`."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import tensorflow as tf

from audiopipe.errors import ArgumentError, CorruptFeatureSetError, FeatureSetError
from audiopipe.feature_sets import element_streams, loading, row_digests, valid_frames
from audiopipe.feature_sets.arrow_features import to_arrow
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.feature_set import FeatureSet, Source, clips_of
from audiopipe.hf import machine_notes
from audiopipe.hf.count_columns import valid_frames_type
from audiopipe.hf.types import digest_type, feature_type
from audiopipe.inputs.columns import Columns, is_list, item_type
from audiopipe.precompute.writing import writing
from audiopipe.storage import files

BLOCK_BYTES = 16_000_000  # of features in memory at once
BLOCK_ROWS = 1000
LAYOUT = 5  # version of the cached files, part of their name

_TYPES = {"string": "string", "int": "int64", "float": "float64", "bool": "bool"}


def from_feature_set(
    path: Source,
    config: Any = None,
    *,
    feature: str = "feature",
    check: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
) -> datasets.Dataset:
    """Loads feature sets or views of them as a dataset.

    Writes the records to an Arrow file in the cache of `datasets`, a few megabytes at a time, and memory-maps that
    file. A feature set or view is converted only once, even if it is moved: the path of the Arrow file has a hash of
    the checksums of the shards and of the clips of a view.

    Args:
        path: Folder of the feature set, local or remote; an `audiopipe.FeatureSet`, which may be a view; or a list of
            these, as for `audiopipe.load`.
        config: The expected config, as for `audiopipe.load`. Features of another config raise an error, with one
            exception: features of `config.without_normalization` are normalized while the Arrow file is written.
        feature: Name of the feature column.
        check: Whether to verify the checksum of every shard first.
        cache_dir: Folder for the Arrow file. None means the cache of `datasets`.

    Returns:
        A dataset with these columns, in the order of the records.

        - `id`.
        - `feature`: float32, whatever the storage dtype is; see `feature_type`.
        - `n_frames`, and `valid_frames` if the feature or its segments pad clips, as in `audiopipe.load`.
        - `feature_digest`, as in `map`.
        - The metadata. Missing integers, classes and lists are null, missing text is empty, and a missing
          floating-point number is NaN. A column with class names is a `ClassLabel`, or a list of them.

        `audiopipe.fingerprint_of` returns the fingerprint of the feature set. `info.description` has one line for each
        machine that computed the features, and `to_feature_set` reads these lines.

    Raises:
        IncompleteFeatureSetError: If there is no `dataset.json`.
        ConfigMismatchError: If the features have another config than expected, or several sets have different ones.
        FeatureSetError: If several sets cannot be joined, as for `audiopipe.load`.
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
    columns = loading.columns_of(feature_set)
    valid = _valid_frames(feature_set, columns)
    others = {"id", "n_frames", *columns.types, *([valid] if valid else [])}
    digest = row_digests.name_of(feature)
    if {feature, digest} & others:
        raise ArgumentError(
            f"The columns of the feature, {feature!r} and {digest!r}, must not have the names of other columns: "
            f"{', '.join(sorted(others))}. Received: feature={feature!r}. Choose another name."
        )
    types = datasets.Features(
        {
            "id": datasets.Value("string"),
            feature: feature_type(feature_set.config, feature_set.kernel_version),
            "n_frames": datasets.Value("int64"),
            **({valid: valid_frames_type(feature_set.fingerprint)} if valid else {}),
            digest: digest_type(feature_set.fingerprint),
            **{name: _type(name, columns) for name in columns.types},
        }
    )
    folder = os.path.join(
        cache_dir or datasets.config.HF_DATASETS_CACHE, "audiopipe", _identity(feature_set, feature, columns)
    )
    file = os.path.join(folder, "features.arrow")
    if not os.path.exists(file):
        with writing(file):
            os.makedirs(folder, exist_ok=True)
            with files.temporary_file(file) as temporary:
                _write(temporary, feature_set, feature, types)
    return datasets.Dataset.from_file(file, info=machine_notes.info(feature_set.machines, feature_set.fingerprint))


def _identity(feature_set: Description | FeatureSet, feature: str, columns: Columns) -> str:
    """Returns a hash of everything that determines the Arrow file."""
    prefixes = feature_set.prefixes if isinstance(feature_set, FeatureSet) else ("",)
    facts: list[Any] = [LAYOUT, feature, feature_set.fingerprint, dataclasses.asdict(columns), prefixes]
    for description in loading.descriptions_of(feature_set):
        facts.append([dataclasses.asdict(description.columns), description.shards])
    content = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    if isinstance(feature_set, FeatureSet):
        sets, rows = clips_of(feature_set)
        if not (isinstance(rows, range) and rows == range(len(sets))):
            content.update(np.asarray(rows, np.int64).tobytes())
    return content.hexdigest()


def _type(name: str, columns: Columns) -> Any:
    """Returns the type of a metadata column in `datasets`."""
    kind = columns.types[name]
    if name in columns.classes:
        for item in columns.classes[name]:
            _text(item.encode("utf-8", "surrogateescape"), f"the class of the column {name!r}")
        one = datasets.ClassLabel(names=columns.classes[name])
    else:
        one = datasets.Value(_TYPES[item_type(kind)])
    return datasets.List(one) if is_list(kind) else one


def _write(file: str, feature_set: Description | FeatureSet, feature: str, types: datasets.Features) -> None:
    schema, metadata, fingerprint = types.arrow_schema, loading.columns_of(feature_set), feature_set.fingerprint
    valid = _valid_frames(feature_set, metadata)
    counts = ["n_frames", *([valid] if valid else [])]
    with pa.OSFile(file, "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
        for block in _blocks(feature_set):
            arrays = _without_channel_axis([element["feature"] for element in block], feature_set)
            values = [_row(element, metadata, counts) for element in block]
            columns = {name: pa.array([row[name] for row in values], schema.field(name).type) for name in values[0]}
            columns[feature] = to_arrow(arrays, schema.field(feature).type)
            columns[row_digests.name_of(feature)] = pa.array(
                [row_digests.digest(array, fingerprint) for array in arrays]
            )
            stream.write_batch(pa.record_batch([columns[name] for name in schema.names], schema=schema))


def _valid_frames(feature_set: Description | FeatureSet, columns: Columns) -> str | None:
    """Returns the name of the column with the numbers of valid frames, or None if there is none."""
    return valid_frames.entry(loading.descriptions_of(feature_set), columns)


def _row(element: dict[str, Any], columns: Columns, counts: list[str]) -> dict[str, Any]:
    """Returns the columns of a row besides its feature. `counts` are those with numbers of frames."""
    row = columns.metadata(element)
    for name, kind in columns.types.items():
        if kind == "string":
            row[name] = _text(row[name], f"the column {name!r}")
        elif kind == "list<string>" and row[name] is not None:
            row[name] = [_text(item, f"the column {name!r}") for item in row[name]]
    return {"id": _text(element["id"], "the id"), **{name: element[name] for name in counts}, **row}


def _blocks(feature_set: Description | FeatureSet) -> Iterator[list[dict[str, Any]]]:
    """Yields the records in blocks of a few megabytes."""
    block: list[dict[str, Any]] = []
    size = 0
    try:
        for element in element_streams.elements(feature_set).as_numpy_iterator():
            block.append(element)
            size += element["feature"].nbytes
            if size >= BLOCK_BYTES or len(block) == BLOCK_ROWS:
                yield block
                block, size = [], 0
    except tf.errors.OpError as error:
        reason = loading.cause(error)
        paths = ", ".join(repr(description.path) for description in loading.descriptions_of(feature_set))
        raise CorruptFeatureSetError(f"The records of {paths} cannot be read: {reason}") from error
    if block:
        yield block


def _without_channel_axis(features: list[np.ndarray], feature_set: Description | FeatureSet) -> list[np.ndarray]:
    """Removes the channel axis from features with one channel, as rows do not have it."""
    if feature_set.config.feature_channels != 1:
        return features
    axis = feature_set.config.channel_axis
    return [np.squeeze(array, axis) for array in features]


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise FeatureSetError(
            f"A text column of datasets must be UTF-8. Received: {what} {value!r}. Rename the file or fix the text, "
            "then make the feature set again."
        ) from error
