"""`load`: a feature set as a `tf.data.Dataset`."""

import os
import re
import tempfile
import warnings
from typing import Any

import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import AudioError, MachineWarning
from audiopipe.feature_sets import fingerprints
from audiopipe.feature_sets.decoding import PLACES_OF_SHARD, Decoder
from audiopipe.feature_sets.description import Description
from audiopipe.runtime import machine_facts
from audiopipe.storage import files

SHUFFLED_SHARDS = 8
_warned: set[str] = set()  # feature sets whose machines this process has already warned about


def load(
    path: str | os.PathLike[str],
    config: Any = None,
    *,
    shuffle: bool = False,
    seed: int | None = None,
    buffer_size: int = 1024,
    check: bool = False,
) -> tf.data.Dataset:
    """Loads a feature set as a `tf.data.Dataset`.

    The features are float32, whatever their storage dtype is.

    Args:
        path: Folder of the feature set, local or remote.
        config: Expected config: a config, a registered name, the path of a JSON file, or anything that carries a
            config, see `audiopipe.fingerprint_of`: a Keras model with a composed layer, the path of its `.keras` file
            or SavedModel, another feature set, or a mapped dataset. Features of any other config raise an error. None
            accepts every config.
        shuffle: Whether to shuffle. If True, the shards are shuffled, several shards are read at once, and the records
            are shuffled in a buffer. The order differs in every iteration. By default, the records have the order of
            the input.
        seed: Seed of the shuffling. With a seed, the order is reproducible.
        buffer_size: Number of records in the shuffle buffer.
        check: Whether to verify the checksum of every file before reading.

    Returns:
        A dataset of dicts: `id` (string), `feature` (float32 `[frames, bins, channels]`, or `[channels, frames, bins]`
        for `channels_first`), `n_frames` (int64) and the metadata (string, int64, float64 or bool). Missing text is
        empty, a missing floating-point number is NaN, a missing integer is the value in `FeatureSet.fill_values`, a
        missing class is -1, and a missing boolean, which only feature sets of several inputs have, is False.
        `FeatureSet.classes` has the names of classes. A list is a tensor of rank 1, and an entry beside it,
        `<column>_length` (int64), has its length. A missing list is empty and has the length -1.

    Raises:
        ArgumentError: If `buffer_size` is not an integer of at least 1.
        IncompleteFeatureSetError: If there is no `dataset.json`.
        ConfigMismatchError: If the features have another config than the expected one.
        FingerprintError: If a model does not carry the config that it was built for.
        CorruptFeatureSetError: If a shard is missing or has the wrong size or, with `check`, if a file has the wrong
            checksum.
        tf.errors.InvalidArgumentError: While reading, if a record is damaged or missing, or belongs to another config,
            feature set or shard, or has another storage dtype. The message names the shard.

    Warns:
        MachineWarning: Once per feature set, if its features were computed with another version of TensorFlow,
            libsndfile or soxr, with another oneDNN setting, or on another CPU family or other instruction sets.
    """
    buffer_size = checks.integer("buffer_size", buffer_size, minimum=1)
    return elements(opened(path, config, check=check), shuffle=shuffle, seed=seed, buffer_size=buffer_size)


def opened(path: str | os.PathLike[str], config: Any = None, *, check: bool = False) -> Description:
    """Opens a feature set and runs the checks that `load` makes before reading.

    The arguments and errors are those of `load`.
    """
    feature_set = Description.open(os.fspath(path))
    if config is not None:
        feature_set.expect(*fingerprints.expected(config))
    feature_set.check_files(checksums=check)
    _warn_of_machines(feature_set)
    return feature_set


def elements(
    feature_set: Description, *, shuffle: bool = False, seed: int | None = None, buffer_size: int = 1024
) -> tf.data.Dataset:
    """Returns the records of an opened feature set as a dataset.

    The arguments and the result are those of `load`.
    """
    decoder = Decoder(feature_set)
    counts = tf.constant([shard["records"] for shard in feature_set.shards], tf.int64)
    numbers = tf.range(len(feature_set.shards), dtype=tf.int64)
    dataset = tf.data.Dataset.from_tensor_slices((decoder.paths, numbers, counts))
    if shuffle:
        dataset = dataset.shuffle(len(feature_set.shards), seed=seed, reshuffle_each_iteration=True)
        dataset = dataset.interleave(
            _open_shard(feature_set.path),
            cycle_length=SHUFFLED_SHARDS,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=seed is not None,
        )
        dataset = dataset.shuffle(buffer_size, seed=seed, reshuffle_each_iteration=True)
    else:
        dataset = dataset.flat_map(_open_shard(feature_set.path))
    decoded = dataset.map(decoder, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    count = tf.data.experimental.assert_cardinality(feature_set.counts["clips"])
    return decoded.apply(count).prefetch(tf.data.AUTOTUNE)


def cause(error: tf.errors.OpError | AudioError) -> str:
    """Returns the message of an exception without the graph location or traceback that TensorFlow adds to it."""
    line = str(getattr(error, "message", error)).splitlines()[0]
    asserted = re.search(r"assertion failed: \[(.*)\]", line)
    return asserted[1] if asserted else line


def _open_shard(folder: str):
    """Returns a function that reads the records of a shard, given its path, its number and its number of records.

    The function returns a dataset of `(place, record)` with the expected number of records. A place combines the number
    of the shard and the number of the record in it. TensorFlow's own errors do not name the file, so the function skips
    what it cannot read and fills up with empty records.
    """
    local = _fetched() if files.is_remote(folder) else _present

    def records_of(path: tf.Tensor, shard: tf.Tensor, count: tf.Tensor) -> tf.data.Dataset:
        missing = tf.data.Dataset.from_tensors(b"").repeat()
        read = tf.data.TFRecordDataset(local(path)).ignore_errors().concatenate(missing)
        first = shard * PLACES_OF_SHARD
        return tf.data.Dataset.zip((tf.data.Dataset.range(first, first + count), read))

    return records_of


def _fetched():
    """Returns a function that fetches a remote file into a temporary folder that lives as long as the dataset."""
    cache = tempfile.TemporaryDirectory(prefix="audiopipe-")

    def fetch(path: bytes) -> bytes:
        return files.fetch(path.decode(), cache.name).encode()  # downloads it once for all iterators and epochs

    return lambda path: tf.numpy_function(fetch, [path], tf.string)


def _present(path: tf.Tensor) -> tf.Tensor:
    """Returns the path of a local file, or no path if the file is gone: `ignore_errors` would retry it forever."""
    return tf.io.matching_files(tf.strings.regex_replace(path, r"([\\*?\[\]])", r"\\\1"))


def _warn_of_machines(feature_set: Description) -> None:
    different = machine_facts.differences(feature_set.machines)
    path = files.absolute(feature_set.path)
    if different and path not in _warned:
        _warned.add(path)
        message = f"The feature set {path!r} was computed in another environment. {different}"
        warnings.warn(message, MachineWarning, stacklevel=4)
