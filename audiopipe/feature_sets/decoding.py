"""Decoding of records to tensors."""

import functools
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.feature_sets import record_schema, valid_frames
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.joined_columns import JoinedColumns
from audiopipe.feature_sets.records import short_fingerprint
from audiopipe.inputs.columns import MISSING_CLASS, MISSING_LIST, Columns, is_list, item_type
from audiopipe.storage import files

PLACES_OF_SHARD = 2**31  # place of a record = this * position of its shard among all + its number in the shard
_DTYPES = {"string": tf.string, "int": tf.int64, "float": tf.float64, "bool": tf.bool}
NO_BOOLEAN = -1  # parsed where a record has no value of a boolean column
ADVICE_BOOLEAN = "Read the clip with audiopipe.FeatureSet, or merge feature sets that all have the column."
ADVICE = "Run 'audiopipe verify' to check the whole set, then copy the file again or recompute the feature set."


class Decoder:
    """Callable that decodes the serialized record at a place into a dict of tensors.

    It decodes the records of every format, and gives those of several feature sets the same entries. What is missing
    gets the value that `load` describes.

    Args:
        descriptions: The feature sets of the records.
        prefixes: Text before the ids of each set.
        columns: The metadata columns of all sets.

    Attributes:
        paths: Paths of the shards of all sets.
        first_places: Place of the first record of each set.
    """

    def __init__(self, descriptions: Sequence[Description], prefixes: Sequence[str], columns: Columns):
        sizes = [len(description.shards) for description in descriptions]
        self.first_places = [int(first) * PLACES_OF_SHARD for first in np.cumsum([0, *sizes[:-1]])]
        self._numbers = tf.repeat(tf.range(len(sizes)), sizes)
        positions = JoinedColumns(descriptions).positions
        entry = valid_frames.entry(descriptions, columns)
        self._sets = [
            _SetDecoder(*one, columns, entry)
            for one in zip(descriptions, prefixes, positions, self.first_places, strict=True)
        ]
        self.paths = tf.concat([one.paths for one in self._sets], 0)

    def __call__(self, place: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
        if len(self._sets) == 1:
            return self._sets[0](place, record)
        number = tf.gather(self._numbers, place // PLACES_OF_SHARD)
        return tf.switch_case(number, [functools.partial(one, place, record) for one in self._sets])


class _SetDecoder:
    """As `Decoder`, for the records of one set."""

    def __init__(
        self,
        description: Description,
        prefix: str,
        positions: Mapping[str, np.ndarray],
        first_place: int,
        columns: Columns,
        valid_frames_entry: str | None,
    ):
        self.paths = tf.constant([files.join(description.path, shard["name"]) for shard in description.shards])
        self._prefix = prefix.encode("utf-8", "surrogateescape")
        self._positions = positions
        self._first_place = first_place
        self._columns = columns
        self._own = description.columns
        self._config = description.config
        self._dtype = tf.as_dtype(description.dtype)
        self._fingerprint = short_fingerprint(description.fingerprint)
        self._is_old = bool(description.set_id)
        self._places = _OldPlaces(description) if self._is_old else _Places(description)
        # With defaults, an empty record can be parsed too, so `_check` tests for all faults in a single condition.
        # Separate conditions would be slower, because an operation costs more than the comparison that it makes.
        strings = ["id", "feature", "fingerprint"]
        if description.dtype != "float32":
            strings.append("dtype")
        self._spec = {
            **{name: tf.io.FixedLenFeature([], tf.string, "") for name in strings},
            "shape": tf.io.FixedLenFeature([3], tf.int64, np.zeros(3, int)),
            "n_frames": tf.io.FixedLenFeature([], tf.int64, 0),
            **self._places.spec,
            **_metadata_spec(self._own, columns),
        }
        # Records of format 1 have no valid frames. There is an entry only if all their frames are valid.
        self._entry, self._valid_frames = valid_frames_entry, "n_frames"
        if valid_frames_entry is not None and not self._is_old:
            self._valid_frames = record_schema.entry_names(self._own)["valid_frames"]
            self._spec[self._valid_frames] = tf.io.FixedLenFeature([], tf.int64, 0)

    def __call__(self, place: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_single_example(record, self._spec)
        with tf.control_dependencies([self._check(place - self._first_place, record, parsed)]):
            values = tf.io.decode_raw(parsed["feature"], self._dtype)
            metadata = {name: self._value(name, kind, parsed) for name, kind in self._own.types.items()}
        feature = tf.reshape(tf.cast(values, tf.float32), parsed["shape"])
        element = {
            "id": tf.strings.join([self._prefix, parsed["id"]]) if self._prefix else parsed["id"],
            "feature": tf.ensure_shape(feature, self._config.feature_shape(None, self._config.channels)),
            "n_frames": parsed["n_frames"],
        }
        if self._entry is not None:
            element[self._entry] = parsed[self._valid_frames]
        for name, kind in self._columns.types.items():
            if name in metadata:
                element[name] = metadata[name]
            elif is_list(kind):
                element[name] = tf.zeros([0], _DTYPES[item_type(kind)])
            else:
                element[name] = tf.constant(_missing(name, kind, self._columns), _DTYPES[kind])
            if is_list(kind):
                length = parsed[self._own.lengths[name]] if name in metadata else tf.constant(MISSING_LIST, tf.int64)
                element[self._columns.lengths[name]] = length
        return element

    def _value(self, name: str, kind: str, parsed: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the value of a metadata column."""
        value = parsed[name]
        if item_type(kind) == "float":
            values = tf.io.decode_raw(value, tf.float64)
            return values if is_list(kind) else values[0]
        if item_type(kind) == "bool":
            return tf.cast(value, tf.bool)
        if name in self._positions:
            return _moved(value, self._positions[name])
        fill_value = self._own.fill_values.get(name)
        if self._is_old and fill_value is not None and fill_value != self._columns.fill_values[name]:
            return tf.where(value == fill_value, tf.constant(self._columns.fill_values[name], tf.int64), value)
        return value

    def _check(self, place: tf.Tensor, record: tf.Tensor, parsed: dict[str, tf.Tensor]) -> tf.Operation:
        """Returns an operation that fails, naming the shard, unless the record belongs to the place."""
        same_config = parsed["fingerprint"] == self._fingerprint
        same_place = self._places.same_place(place, parsed)
        size = tf.cast(tf.strings.length(parsed["feature"]), tf.int64)
        stored = size == self._dtype.size * tf.reduce_prod(parsed["shape"])
        if "dtype" in self._spec:
            stored = tf.logical_and(stored, parsed["dtype"] == self._dtype.name)
        booleans = [name for name, kind in self._own.types.items() if kind == "bool"]
        has_booleans = tf.reduce_all([parsed[name] != NO_BOOLEAN for name in booleans]) if booleans else True

        def fail() -> tf.Operation:
            # `load` replaces each record that it cannot read by an empty one.
            found = tf.strings.length(record) > 0
            lacking = f"lacks a boolean of the columns {', '.join(booleans)}, for which a tensor has no value"
            fault = f"is not stored as {self._dtype.name}: files were mixed up, or dataset.json was edited"
            fault = tf.where(stored, lacking, fault)
            fault = tf.where(same_place, fault, "belongs to another place: files were renamed or mixed up")
            same_set = self._places.same_set(parsed)
            fault = tf.where(same_set, fault, "belongs to another feature set: files were renamed or mixed up")
            fault = tf.where(same_config, fault, "belongs to another config: files were renamed or mixed up")
            fault = tf.where(found, fault, "is damaged or missing")
            number = tf.strings.as_string(place % PLACES_OF_SHARD)
            path = tf.gather(self.paths, place // PLACES_OF_SHARD)
            advice = tf.where(fault == lacking, ADVICE_BOOLEAN, ADVICE)
            message = tf.strings.join(["Record ", number, " of the shard ", path, " ", fault, ". ", advice])
            return tf.debugging.Assert(False, [message])

        return tf.cond(same_config & same_place & stored & has_booleans, tf.no_op, fail)


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


def _moved(value: tf.Tensor, positions: np.ndarray) -> tf.Tensor:
    """Returns the new positions of classes. Missing classes have none."""
    moved = tf.gather(tf.constant(positions, tf.int64), tf.clip_by_value(value, 0, len(positions) - 1))
    return tf.where((value >= 0) & (value < len(positions)), moved, value)


def _metadata_spec(own: Columns, columns: Columns) -> dict[str, Any]:
    """Returns how TensorFlow parses the entries of metadata. The defaults are the values of missing entries.

    Args:
        own: The columns of the records.
        columns: The columns that define these values.
    """
    spec: dict[str, Any] = {}
    for name, kind in own.types.items():
        if is_list(kind):
            spec[own.lengths[name]] = tf.io.FixedLenFeature([], tf.int64, MISSING_LIST)
            dtype = tf.string if kind == "list<string>" else tf.int64
            spec[name] = tf.io.FixedLenSequenceFeature([], dtype, allow_missing=True)
            if kind == "list<float>":
                spec[name] = tf.io.FixedLenFeature([], tf.string, "")
        elif kind == "float":
            spec[name] = tf.io.FixedLenFeature([], tf.string, struct.pack("<d", math.nan))
        elif kind == "string":
            spec[name] = tf.io.FixedLenFeature([], tf.string, "")
        elif kind == "bool":
            spec[name] = tf.io.FixedLenFeature([], tf.int64, NO_BOOLEAN)
        else:
            spec[name] = tf.io.FixedLenFeature([], tf.int64, _missing(name, kind, columns))
    return spec


def _missing(name: str, kind: str, columns: Columns) -> Any:
    """Returns the value of a missing scalar."""
    if kind == "int":
        return MISSING_CLASS if name in columns.classes else columns.fill_values.get(name, 0)
    return {"string": "", "float": math.nan, "bool": False}[kind]  # `load` refuses clips without a boolean
