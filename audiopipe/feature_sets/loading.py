"""`load`: a feature set as a `tf.data.Dataset`."""

import os
import re
import warnings
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import AudioError, FeatureSetError, MachineWarning
from audiopipe.feature_sets import fingerprints, record_streams
from audiopipe.feature_sets.decoding import Decoder
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.feature_set import FeatureSet, Source, clips_of
from audiopipe.inputs.columns import Columns
from audiopipe.runtime import machine_facts
from audiopipe.storage import files

_warned: set[str] = set()  # feature sets whose machines this process has already warned about


def load(
    path: Source,
    config: Any = None,
    *,
    shuffle: bool = False,
    seed: int | None = None,
    buffer_size: int = 1024,
    check: bool = False,
) -> tf.data.Dataset:
    """Loads feature sets or views of them as a `tf.data.Dataset`.

    The features are float32, whatever their storage dtype is.

    Args:
        path: Folder of the feature set, local or remote; an `audiopipe.FeatureSet`; or a list of these. A `FeatureSet`
            is read in the generation that it was opened in. Of a view, only its records are read, in its order. The
            items of a list are joined as by `FeatureSet`, which also puts prefixes before equal ids.
        config: Expected config: a config, a registered name, the path of a JSON file, or anything that carries a
            config, see `audiopipe.fingerprint_of`: a Keras model with a composed layer, the path of its `.keras` file
            or SavedModel, another feature set, or a mapped dataset. Features of any other config raise an error. None
            accepts every config.
        shuffle: Whether to shuffle. If True, the shards are shuffled, several shards are read at once, and the records
            are shuffled in a buffer. A view is read in parts of a few megabytes instead of shards. The order differs in
            every iteration. By default, the records have the order of the input, or that of the view.
        seed: Seed of the shuffling. With a seed, the order is reproducible.
        buffer_size: Number of records in the shuffle buffer.
        check: Whether to verify the checksum of every file before reading.

    Returns:
        A dataset of dicts: `id` (string), `feature` (float32 `[frames, bins, channels]`, or `[channels, frames, bins]`
        for `channels_first`), `n_frames` (int64) and the metadata (string, int64, float64 or bool). If the feature or
        its segments pad clips, `valid_frames` (int64) is the number of frames that hold audio, as in `FeatureSet`.
        Missing text is empty, a missing floating-point number is NaN, a missing integer is the value in
        `FeatureSet.fill_values`, a missing class is -1. A missing boolean, which only merged feature sets have, is an
        error. `FeatureSet.classes` has the names of classes. A list is a tensor of rank 1, and an entry beside it,
        `<column>_length` (int64), has its length. A missing list is empty and has the length -1. If several sets are
        joined, the columns are those of all sets, and what a set lacks is missing.

    Raises:
        ArgumentError: If `buffer_size` is not an integer of at least 1, or `path` is neither of these.
        IncompleteFeatureSetError: If there is no `dataset.json`.
        ConfigMismatchError: If the features have another config than the expected one, or sets that are joined have
            different fingerprints. The message lists the differences.
        FeatureSetError: If sets that are joined have different dtypes, types of a column, or equal ids, or lack a
            boolean column of another set.
        FingerprintError: If a model does not carry the config that it was built for.
        CorruptFeatureSetError: If a shard is missing or has the wrong size or, with `check`, if a file has the wrong
            checksum.
        tf.errors.InvalidArgumentError: While reading, if a record is damaged or missing, or belongs to another config,
            feature set or shard, or has another storage dtype. The message names the shard.

    Warns:
        MachineWarning: Once per feature set, if its features were computed with another version of TensorFlow,
            libsndfile or soxr, with another oneDNN setting, or on another CPU family or other instruction sets.

    Example:
        >>> from audiopipe import FeatureSet
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> dataset = load(sets.where(clean=True))
        >>> [(element["id"], element["feature"].shape) for element in dataset.as_numpy_iterator()]
        [(b'mono', (38, 20, 1)), (b'resampled', (28, 20, 1))]
    """
    buffer_size = checks.integer("buffer_size", buffer_size, minimum=1)
    return elements(opened(path, config, check=check), shuffle=shuffle, seed=seed, buffer_size=buffer_size)


def opened(source: Source, config: Any = None, *, check: bool = False) -> Description | FeatureSet:
    """Opens a feature set and runs the checks that `load` makes before reading.

    The arguments and errors are those of `load`.

    Returns:
        The description of the set if `source` is a path, so that its index is not read.
    """
    if isinstance(source, (list, tuple)) and len(source) == 1:
        [source] = source
    feature_set: Description | FeatureSet
    if isinstance(source, (str, os.PathLike)):
        feature_set = Description.open(source)
    else:
        feature_set = source if isinstance(source, FeatureSet) else FeatureSet(source)
    if config is not None:
        feature_set.expect(*fingerprints.expected(config))
    for description in descriptions_of(feature_set):
        description.check_files(checksums=check)
        _warn_of_machines(description)
    return feature_set


def elements(
    feature_set: Description | FeatureSet, *, shuffle: bool = False, seed: int | None = None, buffer_size: int = 1024
) -> tf.data.Dataset:
    """Returns the records of an opened feature set as a dataset.

    The arguments and the result are those of `load`.
    """
    if isinstance(feature_set, Description):
        count = feature_set.counts["clips"]
        decoder = Decoder([feature_set], [""], columns_of(feature_set))
        records = record_streams.of_shards([feature_set], decoder, shuffle=shuffle, seed=seed)
    else:
        count = len(feature_set)
        sets, rows = clips_of(feature_set)
        _check_booleans([sets.descriptions[number] for number in sets.numbers(rows)])
        decoder = Decoder(sets.descriptions, sets.prefixes, columns_of(feature_set))
        if isinstance(rows, range) and rows == range(len(sets)):
            records = record_streams.of_shards(sets.descriptions, decoder, shuffle=shuffle, seed=seed)
        else:
            records = record_streams.of_view(sets, rows, decoder, shuffle=shuffle, seed=seed)
    if shuffle:
        records = records.shuffle(buffer_size, seed=seed, reshuffle_each_iteration=True)
    decoded = records.map(decoder, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return decoded.apply(tf.data.experimental.assert_cardinality(count)).prefetch(tf.data.AUTOTUNE)


def cause(error: tf.errors.OpError | AudioError) -> str:
    """Returns the message of an exception without the graph location or traceback that TensorFlow adds to it."""
    line = str(getattr(error, "message", error)).splitlines()[0]
    found = re.search(r"assertion failed: \[(.*)\]|ValueError: (.*)", line)
    return found[1] or found[2] if found else line


def descriptions_of(feature_set: Description | FeatureSet) -> tuple[Description, ...]:
    """Returns the description of each set that was opened."""
    return (feature_set,) if isinstance(feature_set, Description) else feature_set.descriptions


def columns_of(feature_set: Description | FeatureSet) -> Columns:
    """Returns the metadata columns of the dataset that `elements` returns, with its fill values."""
    return feature_set.columns if isinstance(feature_set, Description) else feature_set.tensor_columns


def _check_booleans(descriptions: Sequence[Description]) -> None:
    for having in descriptions:
        for name in [name for name, kind in having.schema.items() if kind == "bool"]:
            for lacking in descriptions:
                if name not in lacking.schema:
                    raise FeatureSetError(
                        "A tensor has no missing boolean, so all feature sets must have a boolean column. Received: "
                        f"{name!r} in {having.path!r}, but not in {lacking.path!r}. Add it to the input of the latter "
                        "and run 'audiopipe precompute --update', take only clips that have it, "
                        f"FeatureSet([...]).where({name}=[True, False]), or read the sets with FeatureSet alone, where "
                        "it is None."
                    )


def _warn_of_machines(feature_set: Description) -> None:
    different = machine_facts.differences(feature_set.machines)
    path = files.absolute(feature_set.path)
    if different and path not in _warned:
        _warned.add(path)
        message = f"The feature set {path!r} was computed in another environment. {different}"
        warnings.warn(message, MachineWarning, stacklevel=4)
