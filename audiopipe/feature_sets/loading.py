"""`load`: a feature set as a `tf.data.Dataset`."""

import os
import re
import tempfile
import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.errors import ArgumentError, AudioError, MachineWarning
from audiopipe.feature_sets import fingerprints
from audiopipe.feature_sets.feature_set import FeatureSet
from audiopipe.feature_sets.records import short_fingerprint
from audiopipe.runtime import machine_facts
from audiopipe.storage import files

PLACES_OF_SHARD = 2**31  # a record's place as one number: this times that of its shard, and its own in the shard
SHUFFLED_SHARDS = 8
ADVICE = "Find what else is wrong with 'audiopipe verify', then copy the file again, or make the feature set anew."
_warned: set[str] = set()  # feature sets whose machines this process has been warned of


def load(
    path: str | os.PathLike[str],
    config: Any = None,
    *,
    shuffle: bool = False,
    seed: int | None = None,
    buffer_size: int = 1024,
    check: bool = False,
) -> tf.data.Dataset:
    """Read a feature set.

    Whatever dtype the features are stored in, they come as float32.

    Args:
        path: Folder of the feature set, local or remote.
        config: The config that you expect: a config, a registered name, the path of a JSON file, or whatever carries
            one, see `audiopipe.fingerprint_of`: a Keras model with a composed layer, the path of its `.keras` file or
            SavedModel, another feature set, a mapped dataset. Features of any other are refused. None takes what is
            there.
        shuffle: Whether to shuffle the shards, to read several at once, and to shuffle the records in a buffer, anew in
            every iteration. By default the records come in the order of the input.
        seed: Seed of the shuffling. With one the order is reproducible.
        buffer_size: Records in the buffer that is drawn from when shuffling.
        check: Whether to compute the checksum of every shard before anything is read.

    Returns:
        A dataset of dicts: `id` (string), `feature` (float32 `[frames, bins, channels]`), `n_frames` (int64) and the
        metadata (string, int64, float64 or bool).

    Raises:
        IncompleteFeatureSetError: If there is no `dataset.json`.
        ConfigMismatchError: If the features are of another config than expected.
        FingerprintError: If a model does not say which config it was built for.
        CorruptFeatureSetError: If a shard is missing, has another size, or, with `check`, another checksum. A damaged
            or missing record, or one of another config, shard or storage dtype, that is found while reading raises
            `tf.errors.InvalidArgumentError` with the shard's file name.

    Warns:
        MachineWarning: Once for each feature set, if its features were computed under another TensorFlow, libsndfile
            or soxr, another oneDNN setting, or another CPU family or instruction sets than are here.
    """
    if buffer_size < 1:
        raise ArgumentError(f"buffer_size must be at least 1. Received: buffer_size={buffer_size}.")
    return elements(opened(path, config, check=check), shuffle=shuffle, seed=seed, buffer_size=buffer_size)


def opened(path: str | os.PathLike[str], config: Any = None, *, check: bool = False) -> FeatureSet:
    """Open a feature set with all that `load` looks at before it reads; arguments and errors are those of `load`."""
    feature_set = FeatureSet.open(os.fspath(path))
    if config is not None:
        feature_set.expect(*fingerprints.expected(config))
    feature_set.check_files(checksums=check)
    _warn_of_machines(feature_set)
    return feature_set


def elements(
    feature_set: FeatureSet, *, shuffle: bool = False, seed: int | None = None, buffer_size: int = 1024
) -> tf.data.Dataset:
    """Read the records of an opened feature set; arguments and result are those of `load`."""
    decoder = _Decoder(feature_set)
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
    """The message of an exception, without what a graph adds to it: where it stands, or a Python traceback."""
    line = str(getattr(error, "message", error)).splitlines()[0]
    asserted = re.search(r"assertion failed: \[(.*)\]", line)
    return asserted[1] if asserted else line


class _Decoder:
    """Turns a place, see `_open_shard`, and the serialized record that was found there into a dict of tensors."""

    def __init__(self, feature_set: FeatureSet):
        self.paths = tf.constant([files.join(feature_set.path, shard["name"]) for shard in feature_set.shards])
        self._config = feature_set.config
        self._types = feature_set.schema
        self._dtype = tf.as_dtype(feature_set.dtype)
        self._fingerprint = short_fingerprint(feature_set.fingerprint)
        self._set_id = bytes.fromhex(feature_set.set_id)
        strings = ["id", "feature", "fingerprint", "set_id"]
        integers: dict[str, list[int]] = {"shape": [3], "n_frames": [], "record": [2]}
        if feature_set.dtype != "float32":
            strings.append("dtype")
        for name, kind in self._types.items():
            if kind in ("string", "float"):
                strings.append(name)
            else:
                integers[name] = []
        # With defaults even what is lost can be parsed, and all that may be wrong is asked for at once: the operations
        # of a question take longer than its answer.
        self._spec = {
            **{name: tf.io.FixedLenFeature([], tf.string, "") for name in strings},
            **{name: tf.io.FixedLenFeature(shape, tf.int64, np.zeros(shape, int)) for name, shape in integers.items()},
        }

    def __call__(self, place: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_single_example(record, self._spec)
        with tf.control_dependencies([self._check(place, record, parsed)]):
            values = tf.io.decode_raw(parsed["feature"], self._dtype)
            floats = {
                name: tf.io.decode_raw(parsed[name], tf.float64)[0]
                for name, kind in self._types.items()
                if kind == "float"
            }
        feature = tf.reshape(tf.cast(values, tf.float32), parsed["shape"])
        element = {
            "id": parsed["id"],
            "feature": tf.ensure_shape(feature, self._config.feature_shape(None, self._config.channels)),
            "n_frames": parsed["n_frames"],
        }
        for name, kind in self._types.items():
            value = floats[name] if kind == "float" else parsed[name]
            element[name] = tf.cast(value, tf.bool) if kind == "bool" else value
        return element

    def _check(self, place: tf.Tensor, record: tf.Tensor, parsed: dict[str, tf.Tensor]) -> tf.Operation:
        """An operation that fails, with the name of the shard, unless the record is what belongs to the place."""
        mine = parsed["fingerprint"] == self._fingerprint
        ours = parsed["set_id"] == self._set_id
        here = tf.reduce_sum(parsed["record"] * [PLACES_OF_SHARD, 1]) == place
        size = tf.cast(tf.strings.length(parsed["feature"]), tf.int64)
        stored = size == self._dtype.size * tf.reduce_prod(parsed["shape"])
        if "dtype" in self._spec:
            stored = tf.logical_and(stored, parsed["dtype"] == self._dtype.name)

        def fail() -> tf.Operation:
            # What is lost in a damaged file comes as an empty record, see `_open_shard`.
            whole = tf.strings.length(record) > 0
            fault = f"is not stored as {self._dtype.name}: files were mixed, or dataset.json was edited"
            fault = tf.where(here, fault, "belongs to another place: files were renamed or mixed")
            fault = tf.where(ours, fault, "is of another feature set: files were renamed or mixed")
            fault = tf.where(mine, fault, "is of another config: files were renamed or mixed")
            fault = tf.where(whole, fault, "is damaged or missing")
            number = tf.strings.as_string(place % PLACES_OF_SHARD)
            path = tf.gather(self.paths, place // PLACES_OF_SHARD)
            message = tf.strings.join(["Record ", number, " of the shard ", path, " ", fault, f". {ADVICE}"])
            return tf.debugging.Assert(False, [message])

        return tf.cond(mine & ours & here & stored, tf.no_op, fail)


def _open_shard(folder: str):
    """A function from the path, the number and the count of records of a shard to its records.

    It gives `(place, record)` for as many records as there should be; the place holds both numbers. TensorFlow's own
    errors do not name the file, so what cannot be read is left out, and an empty record stands for each that is not
    there.
    """
    local = _fetched() if files.is_remote(folder) else _present

    def records_of(path: tf.Tensor, shard: tf.Tensor, count: tf.Tensor) -> tf.data.Dataset:
        missing = tf.data.Dataset.from_tensors(b"").repeat()
        read = tf.data.TFRecordDataset(local(path)).ignore_errors().concatenate(missing)
        first = shard * PLACES_OF_SHARD
        return tf.data.Dataset.zip((tf.data.Dataset.range(first, first + count), read))

    return records_of


def _fetched():
    """A function that fetches a remote file; it stays in a temporary folder for as long as the dataset is there."""
    cache = tempfile.TemporaryDirectory(prefix="audiopipe-")

    def fetch(path: bytes) -> bytes:
        return files.fetch(path.decode(), cache.name).encode()  # once, for all iterators and epochs

    return lambda path: tf.numpy_function(fetch, [path], tf.string)


def _present(path: tf.Tensor) -> tf.Tensor:
    """The path of a local file, or none at all if it is gone: to open it would be tried for ever."""
    return tf.io.matching_files(tf.strings.regex_replace(path, r"([\\*?\[\]])", r"\\\1"))


def _warn_of_machines(feature_set: FeatureSet) -> None:
    different = machine_facts.differences(feature_set.machines)
    path = files.absolute(feature_set.path)
    if different and path not in _warned:
        _warned.add(path)
        warnings.warn(f"The feature set {path!r} was computed elsewhere. {different}", MachineWarning, stacklevel=4)
