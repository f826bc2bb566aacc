"""Features as records of TFRecord files, and `load`, which reads a feature set.

A record is a `tf.train.Example` with `id` (UTF-8), `feature` (the values, little-endian, in C order), `shape`,
`n_frames`, `fingerprint` (its first 8 bytes), `set_id` (of the feature set), `record` (the number of its shard, and its
number in that), `dtype` where the values are not float32, and the metadata: text as bytes, integers and booleans as
int64, floats as 8 little-endian bytes, because an Example's own floats have 32 bits.
"""

import os
import re
import struct
import tempfile
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe import environment, files, fingerprints, schema, storage
from audiopipe.config import Config
from audiopipe.errors import ArgumentError, AudioError, MachineWarning
from audiopipe.featureset import FeatureSet

FINGERPRINT_BYTES = 8
MAX_RECORD_BYTES = 2**31 - 1  # of a protobuf message, https://protobuf.dev/programming-guides/proto-limits/
PLACES_OF_SHARD = 2**31  # a record's place as one number: this times that of its shard, and its own in the shard
SHUFFLED_SHARDS = 8
ADVICE = "Find what else is wrong with 'audiopipe verify', then copy the file again, or make the feature set anew."

_warned: set[str] = set()  # feature sets whose machines this process has been warned of


def encode(
    clip_id: str,
    feature: np.ndarray,
    config: Config,
    metadata: dict[str, Any],
    types: dict[str, str],
    place: tuple[int, int],
    dtype: str = "float32",
    set_id: str = "",
) -> bytes:
    """Make a record; arguments and errors are those of `encode_as`.

    Returns:
        A serialized `tf.train.Example`, with equal bytes for equal arguments.
    """
    return encode_as(dtype, clip_id, feature, config, metadata, types, place, set_id)[0]


def encode_as(
    dtype: str,
    clip_id: str,
    feature: np.ndarray,
    config: Config,
    metadata: dict[str, Any],
    types: dict[str, str],
    place: tuple[int, int],
    set_id: str = "",
    fingerprint: str | None = None,
) -> tuple[bytes, float]:
    """Make a record, and measure what storing its values costs.

    Args:
        dtype: What to store the values as: `"float32"`, `"float16"` or `"bfloat16"`.
        clip_id: The clip's id.
        feature: float32 array of rank 3.
        config: The feature's config.
        metadata: What else is known of the clip.
        types: Type of each metadata column, see `audiopipe.schema`.
        place: Number of the record's shard, and of the record in it, both from 0.
        set_id: What the records of one feature set have in common, in hexadecimal.
        fingerprint: That of the feature. None means that of the config in this release.

    Returns:
        A serialized `tf.train.Example`, and the greatest absolute difference between a stored value and the computed
        one.

    Raises:
        AudioError: If the record would be greater than protobuf allows, or a value is beyond the range of the dtype.
    """
    storage.check(dtype)
    frame_axis = config.feature_shape(None, 0).index(None)
    entries = {
        "id": _bytes(clip_id.encode("utf-8", "surrogateescape")),
        "shape": _integers(feature.shape),
        "n_frames": _integers([feature.shape[frame_axis]]),
        "fingerprint": _bytes(_short(fingerprint or config.fingerprint)),
        "record": _integers(place),
        "set_id": _bytes(bytes.fromhex(set_id)),
    }
    if dtype != "float32":
        entries["dtype"] = _bytes(dtype.encode())
    for name, kind in types.items():
        value = schema.fill(metadata.get(name), kind)
        if kind == "string":
            entries[name] = _bytes(value.encode("utf-8", "surrogateescape"))
        elif kind == "float":
            entries[name] = _bytes(np.float64(value).astype("<f8").tobytes())
        else:
            entries[name] = _integers([int(value)])
    head = _head(entries)
    n_bytes = feature.size * storage.DTYPES[dtype].itemsize
    tags = _tags_of_feature(n_bytes)
    size = len(head) + len(tags) + n_bytes
    if size > MAX_RECORD_BYTES:
        raise AudioError(
            f"A record can have {MAX_RECORD_BYTES} bytes, which is protobuf's limit. Received: a feature of shape "
            f"{feature.shape}, for which it would have {size}. Cut the recording into segments: --segment-seconds.",
            stage="feature",
        )
    stored, error = storage.store(feature, dtype)
    # Messages that stand one after the other are read as one, https://protobuf.dev/programming-guides/encoding/#last-one.
    # So written, the feature of a long recording is copied once, where protobuf would copy it four times.
    return b"".join([head, tags, stored.view(np.uint8).data]), error


def moved(record: bytes, place: tuple[int, int]) -> tuple[bytes, int]:
    """Put a record in another place.

    Args:
        record: What `encode` gave.
        place: Number of the shard, and of the record in it, both from 0.

    Returns:
        What `encode` would have given for that place, and the record's frames.
    """
    entries, end = _entries(record)
    entries["record"].CopyFrom(_integers(place))
    return b"".join([_head(entries), memoryview(record)[end:]]), entries["n_frames"].int64_list.value[0]


def clip_id(record: bytes) -> str:
    """The id of the clip of a record that `encode` gave."""
    entries, _ = _entries(record)
    return entries["id"].bytes_list.value[0].decode("utf-8", "surrogateescape")


def _head(entries: Mapping[str, tf.train.Feature]) -> bytes:
    """All of a record but its feature."""
    return tf.train.Example(features=tf.train.Features(feature=entries)).SerializeToString(deterministic=True)


def _entries(record: bytes) -> tuple[Mapping[str, tf.train.Feature], int]:
    """The entries of a record but its feature, which is not copied, and where they end."""
    size, start = 0, 1  # behind the tag of Example.features
    while record[start] & 0x80:
        size |= (record[start] & 0x7F) << 7 * (start - 1)
        start += 1
    end = start + 1 + (size | record[start] << 7 * (start - 1))
    return tf.train.Example.FromString(record[:end]).features.feature, end


def _tags_of_feature(size: int) -> bytes:
    """What stands before the values in an Example that has nothing but a feature of `size` bytes."""
    tags = b""
    # From the inside: BytesList.value, Feature.bytes_list, then key and value of the map Features.feature.
    for before in (b"\x0a", b"\x0a", b"\x0a\x07feature\x12", b"\x0a", b"\x0a"):
        tags = before + _varint(size + len(tags)) + tags
    return tags


def _varint(number: int) -> bytes:
    """An integer as protobuf writes it: 7 bits a byte, the lowest first."""
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])


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


def count(path: str) -> int:
    """Number of records in an undamaged shard, local or remote, found without reading them."""
    found = 0
    with files.open_binary(path) as file:
        while header := file.read(12):  # length and its checksum; behind the record stands that of the record
            file.seek(struct.unpack("<Q4x", header)[0] + 4, os.SEEK_CUR)
            found += 1
    return found


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
        self._fingerprint = _short(feature_set.fingerprint)
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
    different = environment.differences(feature_set.machines)
    path = files.absolute(feature_set.path)
    if different and path not in _warned:
        _warned.add(path)
        warnings.warn(f"The feature set {path!r} was computed elsewhere. {different}", MachineWarning, stacklevel=4)


def _short(fingerprint: str) -> bytes:
    return bytes.fromhex(fingerprint)[:FINGERPRINT_BYTES]


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _integers(values: Any) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
