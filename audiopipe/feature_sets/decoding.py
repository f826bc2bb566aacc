"""Decoding of records to tensors."""

import math
import struct
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.feature_sets import record_schema
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.records import short_fingerprint
from audiopipe.inputs.columns import MISSING_CLASS, MISSING_LIST, Columns, is_list, item_type
from audiopipe.storage import files

PLACES_OF_SHARD = 2**31  # place of a record = this * position of its shard + its number in the shard
ADVICE = "Run 'audiopipe verify' to check the whole set, then copy the file again or recompute the feature set."


class Decoder:
    """Callable that decodes the serialized record at a place into a dict of tensors.

    It decodes the records of every format. What is missing gets the value that `load` describes.

    Args:
        feature_set: The feature set of the records.

    Attributes:
        paths: Paths of the shards.
    """

    def __init__(self, feature_set: Description):
        self.paths = tf.constant([files.join(feature_set.path, shard["name"]) for shard in feature_set.shards])
        self._config = feature_set.config
        self._columns = feature_set.columns
        self._dtype = tf.as_dtype(feature_set.dtype)
        self._fingerprint = short_fingerprint(feature_set.fingerprint)
        self._places = _OldPlaces(feature_set) if feature_set.set_id else _Places(feature_set)
        # With defaults, an empty record can be parsed too, so `_check` tests for all faults in a single condition.
        # Separate conditions would be slower, because an operation costs more than the comparison that it makes.
        strings = ["id", "feature", "fingerprint"]
        if feature_set.dtype != "float32":
            strings.append("dtype")
        self._spec = {
            **{name: tf.io.FixedLenFeature([], tf.string, "") for name in strings},
            "shape": tf.io.FixedLenFeature([3], tf.int64, np.zeros(3, int)),
            "n_frames": tf.io.FixedLenFeature([], tf.int64, 0),
            **self._places.spec,
            **_metadata_spec(self._columns),
        }

    def __call__(self, place: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_single_example(record, self._spec)
        types = self._columns.entries
        with tf.control_dependencies([self._check(place, record, parsed)]):
            values = tf.io.decode_raw(parsed["feature"], self._dtype)
            floats = {
                name: tf.io.decode_raw(parsed[name], tf.float64)
                for name, kind in types.items()
                if item_type(kind) == "float"
            }
        feature = tf.reshape(tf.cast(values, tf.float32), parsed["shape"])
        element = {
            "id": parsed["id"],
            "feature": tf.ensure_shape(feature, self._config.feature_shape(None, self._config.channels)),
            "n_frames": parsed["n_frames"],
        }
        for name, kind in types.items():
            value = floats[name] if name in floats else parsed[name]
            value = value[0] if kind == "float" else value
            element[name] = tf.cast(value, tf.bool) if item_type(kind) == "bool" else value
        return element

    def _check(self, place: tf.Tensor, record: tf.Tensor, parsed: dict[str, tf.Tensor]) -> tf.Operation:
        """Returns an operation that fails, naming the shard, unless the record belongs to the place."""
        same_config = parsed["fingerprint"] == self._fingerprint
        same_place = self._places.same_place(place, parsed)
        size = tf.cast(tf.strings.length(parsed["feature"]), tf.int64)
        stored = size == self._dtype.size * tf.reduce_prod(parsed["shape"])
        if "dtype" in self._spec:
            stored = tf.logical_and(stored, parsed["dtype"] == self._dtype.name)

        def fail() -> tf.Operation:
            # `load` replaces each record that it cannot read by an empty one.
            found = tf.strings.length(record) > 0
            fault = f"is not stored as {self._dtype.name}: files were mixed up, or dataset.json was edited"
            fault = tf.where(same_place, fault, "belongs to another place: files were renamed or mixed up")
            same_set = self._places.same_set(parsed)
            fault = tf.where(same_set, fault, "belongs to another feature set: files were renamed or mixed up")
            fault = tf.where(same_config, fault, "belongs to another config: files were renamed or mixed up")
            fault = tf.where(found, fault, "is damaged or missing")
            number = tf.strings.as_string(place % PLACES_OF_SHARD)
            path = tf.gather(self.paths, place // PLACES_OF_SHARD)
            message = tf.strings.join(["Record ", number, " of the shard ", path, " ", fault, f". {ADVICE}"])
            return tf.debugging.Assert(False, [message])

        return tf.cond(same_config & same_place & stored, tf.no_op, fail)


class _Places:
    """Comparison of the places in records with those where they were found."""

    def __init__(self, feature_set: Description):
        self._ids = tf.constant([bytes.fromhex(shard["id"]) for shard in feature_set.shards])
        self._id = record_schema.entry_names(feature_set.columns)["shard_id"]
        self.spec = {
            self._id: tf.io.FixedLenFeature([], tf.string, ""),
            "record": tf.io.FixedLenFeature([], tf.int64, -1),
        }

    def same_place(self, place: tf.Tensor, parsed: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns whether a record belongs to a place."""
        same_shard = parsed[self._id] == tf.gather(self._ids, place // PLACES_OF_SHARD)
        return same_shard & (parsed["record"] == place % PLACES_OF_SHARD)

    def same_set(self, parsed: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns whether a record belongs to any shard of the feature set."""
        return tf.reduce_any(parsed[self._id] == self._ids)


class _OldPlaces:
    """As `_Places`, for records of format 1."""

    def __init__(self, feature_set: Description):
        self._set_id = bytes.fromhex(feature_set.set_id)
        self.spec = {
            "set_id": tf.io.FixedLenFeature([], tf.string, ""),
            "record": tf.io.FixedLenFeature([2], tf.int64, [-1, -1]),
        }

    def same_place(self, place: tf.Tensor, parsed: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns whether a record belongs to a place."""
        return self.same_set(parsed) & (tf.reduce_sum(parsed["record"] * [PLACES_OF_SHARD, 1]) == place)

    def same_set(self, parsed: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns whether a record belongs to the feature set."""
        return parsed["set_id"] == self._set_id


def _metadata_spec(columns: Columns) -> dict[str, Any]:
    """Returns how TensorFlow parses the entries of metadata. The defaults are the values of missing entries."""
    lengths = set(columns.lengths.values())
    spec: dict[str, Any] = {}
    for name, kind in columns.entries.items():
        if is_list(kind) and kind != "list<float>":
            dtype = tf.string if kind == "list<string>" else tf.int64
            spec[name] = tf.io.FixedLenSequenceFeature([], dtype, allow_missing=True)
        elif kind == "float":
            spec[name] = tf.io.FixedLenFeature([], tf.string, struct.pack("<d", math.nan))
        elif item_type(kind) in ("string", "float"):
            spec[name] = tf.io.FixedLenFeature([], tf.string, "")
        elif name in lengths:
            spec[name] = tf.io.FixedLenFeature([], tf.int64, MISSING_LIST)
        else:
            missing = MISSING_CLASS if name in columns.classes else columns.fill_values.get(name, 0)
            spec[name] = tf.io.FixedLenFeature([], tf.int64, missing)
    return spec
