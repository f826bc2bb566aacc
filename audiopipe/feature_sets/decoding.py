"""Decoding of records to tensors."""

import numpy as np
import tensorflow as tf

from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.records import short_fingerprint
from audiopipe.inputs.columns import is_list, item_type
from audiopipe.storage import files

PLACES_OF_SHARD = 2**31  # place of a record = this * number of its shard + its number in the shard
ADVICE = "Run 'audiopipe verify' to check the whole set, then copy the file again or recompute the feature set."


class Decoder:
    """Callable that decodes the serialized record at a place into a dict of tensors.

    Args:
        feature_set: The feature set of the records.

    Attributes:
        paths: Paths of the shards.
    """

    def __init__(self, feature_set: Description):
        self.paths = tf.constant([files.join(feature_set.path, shard["name"]) for shard in feature_set.shards])
        self._config = feature_set.config
        self._types = feature_set.columns.entries
        self._dtype = tf.as_dtype(feature_set.dtype)
        self._fingerprint = short_fingerprint(feature_set.fingerprint)
        self._set_id = bytes.fromhex(feature_set.set_id)
        strings = ["id", "feature", "fingerprint", "set_id"]
        integers: dict[str, list[int]] = {"shape": [3], "n_frames": [], "record": [2]}
        if feature_set.dtype != "float32":
            strings.append("dtype")
        lists = {}
        for name, kind in self._types.items():
            if is_list(kind) and kind != "list<float>":
                dtype = tf.string if kind == "list<string>" else tf.int64
                lists[name] = tf.io.FixedLenSequenceFeature([], dtype, allow_missing=True)
            elif item_type(kind) in ("string", "float"):
                strings.append(name)
            else:
                integers[name] = []
        # With defaults, an empty record can be parsed too, so `_check` tests for all faults in a single condition.
        # Separate conditions would be slower, because an operation costs more than the comparison that it makes.
        self._spec = {
            **{name: tf.io.FixedLenFeature([], tf.string, "") for name in strings},
            **{name: tf.io.FixedLenFeature(shape, tf.int64, np.zeros(shape, int)) for name, shape in integers.items()},
            **lists,
        }

    def __call__(self, place: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_single_example(record, self._spec)
        with tf.control_dependencies([self._check(place, record, parsed)]):
            values = tf.io.decode_raw(parsed["feature"], self._dtype)
            floats = {
                name: tf.io.decode_raw(parsed[name], tf.float64)
                for name, kind in self._types.items()
                if item_type(kind) == "float"
            }
        feature = tf.reshape(tf.cast(values, tf.float32), parsed["shape"])
        element = {
            "id": parsed["id"],
            "feature": tf.ensure_shape(feature, self._config.feature_shape(None, self._config.channels)),
            "n_frames": parsed["n_frames"],
        }
        for name, kind in self._types.items():
            value = floats[name] if name in floats else parsed[name]
            value = value[0] if kind == "float" else value
            element[name] = tf.cast(value, tf.bool) if item_type(kind) == "bool" else value
        return element

    def _check(self, place: tf.Tensor, record: tf.Tensor, parsed: dict[str, tf.Tensor]) -> tf.Operation:
        """Returns an operation that fails, naming the shard, unless the record belongs to the place."""
        same_config = parsed["fingerprint"] == self._fingerprint
        same_set = parsed["set_id"] == self._set_id
        same_place = tf.reduce_sum(parsed["record"] * [PLACES_OF_SHARD, 1]) == place
        size = tf.cast(tf.strings.length(parsed["feature"]), tf.int64)
        stored = size == self._dtype.size * tf.reduce_prod(parsed["shape"])
        if "dtype" in self._spec:
            stored = tf.logical_and(stored, parsed["dtype"] == self._dtype.name)

        def fail() -> tf.Operation:
            # `load` replaces each record that it cannot read by an empty one.
            found = tf.strings.length(record) > 0
            fault = f"is not stored as {self._dtype.name}: files were mixed up, or dataset.json was edited"
            fault = tf.where(same_place, fault, "belongs to another place: files were renamed or mixed up")
            fault = tf.where(same_set, fault, "belongs to another feature set: files were renamed or mixed up")
            fault = tf.where(same_config, fault, "belongs to another config: files were renamed or mixed up")
            fault = tf.where(found, fault, "is damaged or missing")
            number = tf.strings.as_string(place % PLACES_OF_SHARD)
            path = tf.gather(self.paths, place // PLACES_OF_SHARD)
            message = tf.strings.join(["Record ", number, " of the shard ", path, " ", fault, f". {ADVICE}"])
            return tf.debugging.Assert(False, [message])

        return tf.cond(same_config & same_set & same_place & stored, tf.no_op, fail)
