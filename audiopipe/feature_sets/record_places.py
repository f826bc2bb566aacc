"""Places of records in feature sets, and what records say about them, in graphs."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from audiopipe.feature_sets import record_schema
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.row_blocks import PLACES_OF_SHARD
from audiopipe.storage import files


class Places:
    """Places of the records of feature sets, see `PLACES_OF_SHARD`.

    Args:
        descriptions: The feature sets.

    Attributes:
        paths: Paths of the shards of all sets.
        first_places: Place of the first record of each set.
    """

    def __init__(self, descriptions: Sequence[Description]):
        sizes = [len(description.shards) for description in descriptions]
        firsts = np.cumsum([0, *sizes[:-1]])
        self.paths = [files.join(one.path, shard["name"]) for one in descriptions for shard in one.shards]
        self.first_places = [int(first) * PLACES_OF_SHARD for first in firsts]
        self._sets = np.repeat(np.arange(len(sizes)), sizes)
        self._firsts = np.repeat(firsts, sizes)
        # Records of format 1 name their set, and not their shard.
        self._ids = [bytes.fromhex(one.set_id or shard["id"]) for one in descriptions for shard in one.shards]

    def number(self, place: tf.Tensor) -> tf.Tensor:
        """Returns the number of the set of a place."""
        return tf.gather(tf.constant(self._sets, tf.int64), place // PLACES_OF_SHARD)

    def is_same(self, place: tf.Tensor, place_id: tf.Tensor, record: tf.Tensor) -> tf.Tensor:
        """Returns whether a record belongs to a place.

        Args:
            place: The place.
            place_id: What the record says about its shard or, in format 1, about its set.
            record: Its number in the shard. In format 1, the number of the shard in the set as well.
        """
        shard = place // PLACES_OF_SHARD
        numbers = place % PLACES_OF_SHARD
        same_record = record == numbers
        if record.shape.rank != place.shape.rank:
            numbers = tf.stack([shard - tf.gather(tf.constant(self._firsts, tf.int64), shard), numbers], axis=-1)
            same_record = tf.reduce_all(record == numbers, axis=-1)
        return same_record & (place_id == tf.gather(tf.constant(self._ids), shard))

    def are_of_one_set(self, place: int, place_id: bytes) -> bool:
        """Returns whether a record belongs to the set of a place."""
        number = self._sets[place // PLACES_OF_SHARD]
        return any(place_id == self._ids[shard] for shard in np.flatnonzero(self._sets == number))

    def where(self, place: int) -> str:
        """Returns what an error message calls the record at a place."""
        shard, number = divmod(place, PLACES_OF_SHARD)
        return f"Record {number} of the shard {self.paths[shard]}"


def spec(feature_set: Description) -> tuple[str, dict[str, tf.io.FixedLenFeature]]:
    """Returns the name of the entry that tells the place, and how TensorFlow parses all entries with the place."""
    if feature_set.set_id:
        name, number = "set_id", tf.io.FixedLenFeature([2], tf.int64, [-1, -1])
    else:
        name = record_schema.entry_names(feature_set.columns)["shard_id"]
        number = tf.io.FixedLenFeature([], tf.int64, -1)
    return name, {name: tf.io.FixedLenFeature([], tf.string, ""), "record": number}
