"""Decoding of records that have the same entries, one by one or many at once."""

import math
import struct
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.feature_sets import record_places, record_schema
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.record_places import Places
from audiopipe.feature_sets.records import short_fingerprint
from audiopipe.inputs.columns import MISSING_CLASS, MISSING_LIST, Columns, is_list, item_type

_DTYPES = {"string": tf.string, "int": tf.int64, "float": tf.float64, "bool": tf.bool}
NO_BOOLEAN = -1  # parsed where a record has no value of a boolean column
ADVICE_BOOLEAN = "Read the clip with audiopipe.FeatureSet, or merge feature sets that all have the column."
ADVICE = "Run 'audiopipe verify' to check the whole set, then copy the file again or recompute the feature set."


class RecordDecoder:
    """Decodes the entries of records except the feature, and checks that the records belong to their places.

    All tensors are of one record, or have a first axis with several records.

    Args:
        description: A feature set of such records.
        places: Places of the records of all sets.
        positions: New positions of the classes of its columns, see `JoinedColumns`.
        columns: The metadata columns of all sets.
        selected: Names of the columns to decode.
        valid_frames_entry: Name of the entry with the valid frames. None leaves it out.
    """

    def __init__(
        self,
        description: Description,
        places: Places,
        positions: Mapping[str, np.ndarray],
        columns: Columns,
        selected: Collection[str],
        valid_frames_entry: str | None,
    ):
        self._places = places
        self._positions = positions
        self._columns = columns
        self._types = {name: kind for name, kind in columns.types.items() if name in selected}
        self._own = description.columns
        self._own_types = {name: kind for name, kind in self._own.types.items() if name in selected}
        self._booleans = [name for name, kind in self._own_types.items() if kind == "bool"]
        self._dtype = tf.as_dtype(description.dtype)
        self._fingerprint = short_fingerprint(description.fingerprint)
        self._is_old = bool(description.set_id)
        self._place_id, place_spec = record_places.spec(description)
        # With defaults, an empty record can be parsed too, so `_check` tests for all faults in a single condition.
        # Separate conditions would be slower, because an operation costs more than the comparison that it makes.
        strings = ["id", "fingerprint"]
        if description.dtype != "float32":
            strings.append("dtype")
        no_frames = description.config.feature_shape(0, description.config.channels)
        self._spec = {
            **{name: tf.io.FixedLenFeature([], tf.string, "") for name in strings},
            "shape": tf.io.FixedLenFeature([3], tf.int64, [size or 0 for size in no_frames]),
            "n_frames": tf.io.FixedLenFeature([], tf.int64, 0),
            **place_spec,
            **_metadata_spec(self._own, self._own_types, columns),
        }
        # Records of format 1 have no valid frames. There is an entry only if all their frames are valid.
        self._entry, self._valid_frames = valid_frames_entry, "n_frames"
        if valid_frames_entry is not None and not self._is_old:
            self._valid_frames = record_schema.entry_names(self._own)["valid_frames"]
            self._spec[self._valid_frames] = tf.io.FixedLenFeature([], tf.int64, 0)

    def whole(self, place: tf.Tensor, record: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Decodes a serialized record. Returns its entries, and its feature as float32 of rank 3."""
        parsed = tf.io.parse_single_example(record, {**self._spec, "feature": tf.io.FixedLenFeature([], tf.string, "")})
        size = tf.cast(tf.strings.length(parsed["feature"]), tf.int64)
        stored = size == self._dtype.size * tf.reduce_prod(parsed["shape"])
        with tf.control_dependencies([self._check(place, parsed, stored)]):
            values = tf.cast(tf.io.decode_raw(parsed["feature"], self._dtype), tf.float32)
            return self._entries(place, parsed), tf.reshape(values, parsed["shape"])

    def heads(self, place: tf.Tensor, heads: tf.Tensor, shapes: tf.Tensor, is_none: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decodes heads, which are the entries of records but their features, serialized.

        Args:
            place: Places of the records, int64 `[records]`.
            heads: The heads, string `[records]`.
            shapes: Shapes of their features, int64 `[records, 3]`.
            is_none: Whether there is no record, and its head is empty: bool `[records]`.

        Returns:
            The entries. Lists of strings and integers are ragged, and those of floats are still bytes.
        """
        parsed = tf.io.parse_example(heads, self._spec)
        stored = tf.reduce_all(parsed["shape"] == shapes, axis=-1)
        with tf.control_dependencies([self._check(place, parsed, stored, is_none)]):
            return self._entries(place, parsed)

    def _entries(self, place: tf.Tensor, parsed: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        # The id is always returned, so it waits for the check.
        entries = {"id": tf.identity(parsed["id"]), "n_frames": parsed["n_frames"]}
        if self._entry is not None:
            entries[self._entry] = parsed[self._valid_frames]
        for name, kind in self._types.items():
            present = name in self._own_types
            entries[name] = self._value(name, kind, parsed) if present else self._lacking(name, kind, place)
            if is_list(kind):
                length = parsed[self._own.lengths[name]] if present else _filled(place, MISSING_LIST, tf.int64)
                entries[self._columns.lengths[name]] = length
        return entries

    def _value(self, name: str, kind: str, parsed: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the values of a metadata column."""
        value = parsed[name]
        if kind == "float":
            return tf.reshape(tf.io.decode_raw(value, tf.float64), tf.shape(value))
        if item_type(kind) == "bool":
            return tf.cast(value, tf.bool)
        if name in self._positions:
            return tf.ragged.map_flat_values(_moved, value, self._positions[name])
        fill_value = self._own.fill_values.get(name)
        if self._is_old and fill_value is not None and fill_value != self._columns.fill_values[name]:
            return tf.where(value == fill_value, tf.constant(self._columns.fill_values[name], tf.int64), value)
        return value

    def _lacking(self, name: str, kind: str, place: tf.Tensor) -> tf.Tensor:
        """Returns the values of a metadata column that the records lack."""
        if kind == "list<float>":
            return _filled(place, "", tf.string)
        if not is_list(kind):
            return _filled(place, _missing(name, kind, self._columns), _DTYPES[kind])
        items = tf.zeros([0], _DTYPES[item_type(kind)])
        return tf.RaggedTensor.from_row_lengths(items, tf.zeros_like(place)) if place.shape.rank else items

    def _check(
        self,
        place: tf.Tensor,
        parsed: dict[str, tf.Tensor],
        stored: tf.Tensor,
        is_none: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns a tensor whose computation fails, naming the record, unless all records belong to their places.

        Args:
            place: The places.
            parsed: Entries of the records.
            stored: Whether the features have the size or shape that the records say.
            is_none: Whether there is no record. None means that there are all.
        """
        same_place = self._places.is_same(place, parsed[self._place_id], parsed["record"])
        if "dtype" in self._spec:
            stored = tf.logical_and(stored, parsed["dtype"] == self._dtype.name)
        fits = (parsed["fingerprint"] == self._fingerprint) & same_place & stored
        for name in self._booleans:
            fits &= parsed[name] != NO_BOOLEAN
        if is_none is not None:
            fits |= is_none

        def fail(*facts: Any) -> Any:
            fits, *others = map(np.atleast_1d, facts)
            wrong = int(np.argmin(fits))
            # TensorFlow turns it into an InvalidArgumentError.
            raise ValueError(self._fault(*(values[wrong] for values in others)))

        # Every operation of the branch that is not taken takes time, so this branch has only one.
        facts = [fits, place, parsed["fingerprint"], parsed[self._place_id], same_place, stored]
        return tf.cond(tf.reduce_all(fits), lambda: True, lambda: tf.numpy_function(fail, facts, tf.bool, False))

    def _fault(self, place: Any, fingerprint: bytes, place_id: bytes, same_place: bool, stored: bool) -> str:
        """Describes why a record does not fit its place."""
        advice = ADVICE
        if not fingerprint and not place_id:
            fault = "is damaged or missing"  # `record_streams` replaces a record that it cannot read by an empty one
        elif fingerprint != self._fingerprint:
            fault = "belongs to another config: files were renamed or mixed up"
        elif not self._places.are_of_one_set(int(place), place_id):
            fault = "belongs to another feature set: files were renamed or mixed up"
        elif not same_place:
            fault = "belongs to another place: files were renamed or mixed up"
        elif not stored:
            fault = f"is not stored as {self._dtype.name}: files were mixed up, or dataset.json was edited"
        else:
            fault = f"lacks a boolean of the columns {', '.join(self._booleans)}, for which a tensor has no value"
            advice = ADVICE_BOOLEAN
        return f"{self._places.where(int(place))} {fault}. {advice}"


def _filled(place: tf.Tensor, value: Any, dtype: tf.DType) -> tf.Tensor:
    """Returns a value for each place."""
    return tf.fill(tf.shape(place), tf.constant(value, dtype))


def _moved(value: tf.Tensor, positions: np.ndarray) -> tf.Tensor:
    """Returns the new positions of classes. Missing classes have none."""
    moved = tf.gather(tf.constant(positions, tf.int64), tf.clip_by_value(value, 0, len(positions) - 1))
    return tf.where((value >= 0) & (value < len(positions)), moved, value)


def _metadata_spec(own: Columns, types: Mapping[str, str], columns: Columns) -> dict[str, Any]:
    """Returns how TensorFlow parses the entries of metadata. The defaults are the values of missing entries.

    Args:
        own: The columns of the records.
        types: Type of each column to parse.
        columns: The columns that define these values.
    """
    spec: dict[str, Any] = {}
    for name, kind in types.items():
        if is_list(kind):
            spec[own.lengths[name]] = tf.io.FixedLenFeature([], tf.int64, MISSING_LIST)
            dtype = tf.string if kind == "list<string>" else tf.int64
            spec[name] = tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64)
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
