"""Features as records of TFRecord files, and `load`, which reads a feature set.

A record is a `tf.train.Example` with `id` (UTF-8), `feature` (the float32 values, little-endian, in C order), `shape`,
`n_frames`, `fingerprint` (its first 8 bytes) and the metadata: text as bytes, integers and booleans as int64, floats as
8 little-endian bytes, because an Example's own floats have 32 bits.
"""

import os
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe import files, schema
from audiopipe.config import Config
from audiopipe.errors import ArgumentError
from audiopipe.featureset import FeatureSet

FINGERPRINT_BYTES = 8
SHUFFLED_SHARDS = 8


def encode(clip_id: str, feature: np.ndarray, config: Config, metadata: dict[str, Any], types: dict[str, str]) -> bytes:
    """Make a record.

    Args:
        clip_id: The clip's id.
        feature: float32 array of rank 3.
        config: The feature's config.
        metadata: What else is known of the clip.
        types: Type of each metadata column, see `audiopipe.schema`.

    Returns:
        A serialized `tf.train.Example`, with equal bytes for equal arguments.
    """
    frame_axis = config.feature_shape(None, 0).index(None)
    entries = {
        "id": _bytes(clip_id.encode("utf-8", "surrogateescape")),
        "feature": _bytes(feature.astype("<f4", copy=False).tobytes()),
        "shape": _integers(feature.shape),
        "n_frames": _integers([feature.shape[frame_axis]]),
        "fingerprint": _bytes(_short(config.fingerprint)),
    }
    for name, kind in types.items():
        value = schema.fill(metadata.get(name), kind)
        if kind == "string":
            entries[name] = _bytes(value.encode("utf-8", "surrogateescape"))
        elif kind == "float":
            entries[name] = _bytes(np.float64(value).astype("<f8").tobytes())
        else:
            entries[name] = _integers([int(value)])
    return tf.train.Example(features=tf.train.Features(feature=entries)).SerializeToString(deterministic=True)


def load(
    path: str | os.PathLike[str],
    config: "Config | str | os.PathLike[str] | None" = None,
    *,
    shuffle: bool = False,
    seed: int | None = None,
    buffer_size: int = 1024,
    check: bool = False,
) -> tf.data.Dataset:
    """Read a feature set.

    Args:
        path: Folder of the feature set, local or remote.
        config: The config that you expect: a config, a registered name, or the path of a JSON file. Features of any
            other are refused. None takes what is there.
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
        CorruptFeatureSetError: If a shard is missing, has another size, or, with `check`, another checksum. A record
            of another config found while reading raises `tf.errors.InvalidArgumentError`.
    """
    feature_set = FeatureSet.open(os.fspath(path))
    if config is not None:
        feature_set.expect(config)
    feature_set.check_files(checksums=check)
    if buffer_size < 1:
        raise ArgumentError(f"buffer_size must be at least 1. Received: buffer_size={buffer_size}.")
    shards = [files.join(feature_set.path, shard["name"]) for shard in feature_set.shards]
    dataset = tf.data.Dataset.from_tensor_slices(shards)
    if shuffle:
        dataset = dataset.shuffle(len(shards), seed=seed, reshuffle_each_iteration=True)
        dataset = dataset.interleave(
            _open_shard(feature_set.path),
            cycle_length=SHUFFLED_SHARDS,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=seed is not None,
        )
        dataset = dataset.shuffle(buffer_size, seed=seed, reshuffle_each_iteration=True)
    else:
        dataset = dataset.flat_map(_open_shard(feature_set.path))
    decoded = dataset.map(_Decoder(feature_set), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    count = tf.data.experimental.assert_cardinality(feature_set.counts["clips"])
    return decoded.apply(count).prefetch(tf.data.AUTOTUNE)


class _Decoder:
    """Turns a serialized record into a dict of tensors."""

    def __init__(self, feature_set: FeatureSet):
        self._config = feature_set.config
        self._types = feature_set.schema
        self._fingerprint = _short(feature_set.fingerprint)
        self._spec: dict[str, Any] = {
            **{name: tf.io.FixedLenFeature([], tf.string) for name in ("id", "feature", "fingerprint")},
            "shape": tf.io.FixedLenFeature([3], tf.int64),
            "n_frames": tf.io.FixedLenFeature([], tf.int64),
        }
        for name, kind in self._types.items():
            self._spec[name] = tf.io.FixedLenFeature([], tf.string if kind in ("string", "float") else tf.int64)

    def __call__(self, record: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_single_example(record, self._spec)
        belongs = tf.debugging.assert_equal(
            parsed["fingerprint"] == self._fingerprint,  # not the bytes themselves, which no message can hold
            True,
            "A record of another config stands in a shard of this feature set: files were renamed or mixed. "
            "Run 'audiopipe verify' to find which.",
        )
        with tf.control_dependencies([belongs] if belongs is not None else []):
            feature = tf.reshape(tf.io.decode_raw(parsed["feature"], tf.float32), parsed["shape"])
        element = {
            "id": parsed["id"],
            "feature": tf.ensure_shape(feature, self._config.feature_shape(None, self._config.channels)),
            "n_frames": parsed["n_frames"],
        }
        for name, kind in self._types.items():
            value = parsed[name]
            if kind == "float":
                value = tf.io.decode_raw(value, tf.float64)[0]
            element[name] = tf.cast(value, tf.bool) if kind == "bool" else value
        return element


def _open_shard(folder: str):
    """A function from the path of a shard to its records.

    A remote shard is fetched first, and stays in a temporary folder for as long as the dataset is there.
    """
    if not files.is_remote(folder):
        return tf.data.TFRecordDataset
    cache = tempfile.TemporaryDirectory(prefix="audiopipe-")

    def fetch(path: bytes) -> bytes:
        return files.fetch(path.decode(), cache.name).encode()  # once, for all iterators and epochs

    return lambda path: tf.data.TFRecordDataset(tf.numpy_function(fetch, [path], tf.string))


def _short(fingerprint: str) -> bytes:
    return bytes.fromhex(fingerprint)[:FINGERPRINT_BYTES]


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _integers(values: Any) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
