"""Comparison of what records say about their places with where they were found, in graphs."""

import tensorflow as tf

from audiopipe.feature_sets import record_schema
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.row_blocks import PLACES_OF_SHARD


class Places:
    """Comparison of the places in records with those where they were found.

    Args:
        feature_set: The feature set of the records.

    Attributes:
        id: Name of the entry of a record that says to which shard or set it belongs.
        ids: The values that this entry has in the feature set.
        spec: How TensorFlow parses the entries with the place.
    """

    def __init__(self, feature_set: Description):
        self.id = record_schema.entry_names(feature_set.columns)["shard_id"]
        self.ids = [bytes.fromhex(shard["id"]) for shard in feature_set.shards]
        self.spec = {
            self.id: tf.io.FixedLenFeature([], tf.string, ""),
            "record": tf.io.FixedLenFeature([], tf.int64, -1),
        }

    def same_place(self, place: tf.Tensor, parsed: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns whether a record belongs to a place."""
        same_shard = parsed[self.id] == tf.gather(tf.constant(self.ids), place // PLACES_OF_SHARD)
        return same_shard & (parsed["record"] == place % PLACES_OF_SHARD)


class OldPlaces:
    """As `Places`, for records of format 1."""

    def __init__(self, feature_set: Description):
        self.id = "set_id"
        self.ids = [bytes.fromhex(feature_set.set_id)]
        self.spec = {
            "set_id": tf.io.FixedLenFeature([], tf.string, ""),
            "record": tf.io.FixedLenFeature([2], tf.int64, [-1, -1]),
        }

    def same_place(self, place: tf.Tensor, parsed: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns whether a record belongs to a place."""
        same_record = tf.reduce_sum(parsed["record"] * [PLACES_OF_SHARD, 1]) == place
        return same_record & (parsed["set_id"] == self.ids[0])
