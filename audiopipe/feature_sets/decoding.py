"""Decoding of records to tensors."""

import functools
import math
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.feature_sets import record_schema, valid_frames
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.joined_columns import JoinedColumns
from audiopipe.feature_sets.record_places import OldPlaces, Places
from audiopipe.feature_sets.records import short_fingerprint
from audiopipe.feature_sets.row_blocks import PLACES_OF_SHARD
from audiopipe.inputs.columns import MISSING_CLASS, MISSING_LIST, Columns, free_name, is_list, item_type
from audiopipe.storage import files
from audiopipe.transform import paddings

_DTYPES = {"string": tf.string, "int": tf.int64, "float": tf.float64, "bool": tf.bool}
NOTHING = -1  # size of the feature of a record that is none
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
        selected: Names of the columns to decode. None means all.
        feature: Name of the entry of the feature.
        crop_frames: Number of frames of the features of parts, see `part`. Shorter ones are padded at the end. None
            means that they are whole.

    Attributes:
        paths: Paths of the shards of all sets.
        first_places: Place of the first record of each set.
    """

    def __init__(
        self,
        descriptions: Sequence[Description],
        prefixes: Sequence[str],
        columns: Columns,
        *,
        selected: Collection[str] | None = None,
        feature: str = "feature",
        crop_frames: int | None = None,
    ):
        sizes = [len(description.shards) for description in descriptions]
        self.first_places = [int(first) * PLACES_OF_SHARD for first in np.cumsum([0, *sizes[:-1]])]
        self._numbers = tf.repeat(tf.range(len(sizes)), sizes)
        self._config = descriptions[0].config
        self._feature = feature
        self._crop_frames = crop_frames
        self._start_frame = free_name("start_frame", {feature, *columns.entries})
        positions = JoinedColumns(descriptions).positions
        wanted = columns.types if selected is None else selected
        self._valid_frames = valid_frames.entry(descriptions, columns)
        self._sets = [
            _SetDecoder(*one, columns, wanted, self._valid_frames)
            for one in zip(descriptions, prefixes, positions, self.first_places, strict=True)
        ]
        self.paths = tf.concat([one.paths for one in self._sets], 0)

    def __call__(self, place: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
        found = self._one_of([functools.partial(one.whole, place, record) for one in self._sets], place)
        return self._named(found)

    def part(self, numbers_and_head: tuple[tf.Tensor, tf.Tensor], values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decodes a record of a block, see `audiopipe.feature_sets.row_blocks.Block`.

        Args:
            numbers_and_head: Numbers of the record, int64 `[6]`, and its head.
            values: Values of all records of the block.

        Returns:
            As for a whole record. If the features are cropped, also the first frame, `start_frame`.
        """
        numbers, head = numbers_and_head
        place, begin, length, size, start, n_frames = tf.unstack(numbers)
        stored = tf.slice(values, [begin], [length])
        frames = None if self._crop_frames is None else n_frames
        decode = [functools.partial(one.part, place, head, stored, size, frames) for one in self._sets]
        element = self._named(self._one_of(decode, place))
        if self._crop_frames is None:
            return element
        padded = paddings.pad_frames(self._config, element[self._feature], self._crop_frames)
        shape = self._config.feature_shape(self._crop_frames, self._config.channels)
        own = {self._feature: tf.ensure_shape(padded, shape), "n_frames": n_frames, self._start_frame: start}
        if self._valid_frames is not None:
            own[self._valid_frames] = tf.clip_by_value(element[self._valid_frames] - start, 0, n_frames)
        return {**element, **own}

    def _one_of(self, decode: Sequence[Callable[[], dict[str, tf.Tensor]]], place: tf.Tensor) -> dict[str, tf.Tensor]:
        """Calls the function of the set that has a place."""
        if len(decode) == 1:
            return decode[0]()
        return tf.switch_case(tf.gather(self._numbers, place // PLACES_OF_SHARD), decode)

    def _named(self, element: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {self._feature if name == "feature" else name: value for name, value in element.items()}


class _SetDecoder:
    """As `Decoder`, for the records of one set."""

    def __init__(
        self,
        description: Description,
        prefix: str,
        positions: Mapping[str, np.ndarray],
        first_place: int,
        columns: Columns,
        selected: Collection[str],
        valid_frames_entry: str | None,
    ):
        self._shards = [files.join(description.path, shard["name"]) for shard in description.shards]
        self.paths = tf.constant(self._shards)
        self._prefix = prefix.encode("utf-8", "surrogateescape")
        self._positions = positions
        self._first_place = first_place
        self._columns = columns
        self._types = {name: kind for name, kind in columns.types.items() if name in selected}
        self._own = description.columns
        self._own_types = {name: kind for name, kind in self._own.types.items() if name in selected}
        self._config = description.config
        self._no_frames = self._config.feature_shape(0, self._config.channels)
        self._dtype = tf.as_dtype(description.dtype)
        self._fingerprint = short_fingerprint(description.fingerprint)
        self._is_old = bool(description.set_id)
        self._places = OldPlaces(description) if self._is_old else Places(description)
        # With defaults, an empty record can be parsed too, so `_check` tests for all faults in a single condition.
        # Separate conditions would be slower, because an operation costs more than the comparison that it makes.
        strings = ["id", "fingerprint"]
        if description.dtype != "float32":
            strings.append("dtype")
        self._spec = {
            **{name: tf.io.FixedLenFeature([], tf.string, "") for name in strings},
            "shape": tf.io.FixedLenFeature([3], tf.int64, [size or 0 for size in self._no_frames]),
            "n_frames": tf.io.FixedLenFeature([], tf.int64, 0),
            **self._places.spec,
            **_metadata_spec(self._own, self._own_types, columns),
        }
        # Records of format 1 have no valid frames. There is an entry only if all their frames are valid.
        self._entry, self._valid_frames = valid_frames_entry, "n_frames"
        if valid_frames_entry is not None and not self._is_old:
            self._valid_frames = record_schema.entry_names(self._own)["valid_frames"]
            self._spec[self._valid_frames] = tf.io.FixedLenFeature([], tf.int64, 0)

    def whole(self, place: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decodes a serialized record."""
        parsed = tf.io.parse_single_example(record, {**self._spec, "feature": tf.io.FixedLenFeature([], tf.string, "")})
        size = tf.cast(tf.strings.length(parsed["feature"]), tf.int64)
        with tf.control_dependencies([self._check(place - self._first_place, parsed, size)]):
            values = tf.io.decode_raw(parsed["feature"], self._dtype)
            return self._element(parsed, values, parsed["shape"])

    def part(
        self, place: tf.Tensor, head: tf.Tensor, values: tf.Tensor, size: tf.Tensor, n_frames: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """Decodes a head and the values of all or of some frames.

        Args:
            place: Place of the record.
            head: Entries of the record but its feature, serialized.
            values: The values, uint8.
            size: Number of bytes of the whole feature.
            n_frames: Number of frames of which there are values. None means all.
        """
        parsed = tf.io.parse_single_example(head, self._spec)
        with tf.control_dependencies([self._check(place - self._first_place, parsed, size)]):
            shape = tf.identity(parsed["shape"])
            if n_frames is not None:
                axis = self._config.frame_axis
                shape = tf.concat([shape[:axis], [n_frames], shape[axis + 1 :]], 0)
            values = tf.bitcast(tf.reshape(values, [-1, self._dtype.size]), self._dtype)
            return self._element(parsed, values, shape)

    def _element(self, parsed: dict[str, tf.Tensor], values: tf.Tensor, shape: tf.Tensor) -> dict[str, tf.Tensor]:
        feature = tf.reshape(tf.cast(values, tf.float32), shape)
        element = {
            "id": tf.strings.join([self._prefix, parsed["id"]]) if self._prefix else parsed["id"],
            "feature": tf.ensure_shape(feature, self._config.feature_shape(None, self._config.channels)),
            "n_frames": parsed["n_frames"],
        }
        if self._entry is not None:
            element[self._entry] = parsed[self._valid_frames]
        for name, kind in self._types.items():
            present = name in self._own_types
            if present:
                element[name] = self._value(name, kind, parsed)
            elif is_list(kind):
                element[name] = tf.zeros([0], _DTYPES[item_type(kind)])
            else:
                element[name] = tf.constant(_missing(name, kind, self._columns), _DTYPES[kind])
            if is_list(kind):
                length = parsed[self._own.lengths[name]] if present else tf.constant(MISSING_LIST, tf.int64)
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

    def _check(self, place: tf.Tensor, parsed: dict[str, tf.Tensor], size: tf.Tensor) -> tf.Tensor:
        """Returns a tensor whose computation fails, naming the shard, unless a record belongs to its place.

        Args:
            place: The place.
            parsed: Entries of the record.
            size: Number of bytes of its feature, or `NOTHING`.
        """
        same_config = parsed["fingerprint"] == self._fingerprint
        same_place = self._places.same_place(place, parsed)
        stored = size == self._dtype.size * tf.reduce_prod(parsed["shape"])
        if "dtype" in self._spec:
            stored = tf.logical_and(stored, parsed["dtype"] == self._dtype.name)
        fits = same_config & same_place & stored
        booleans = [name for name, kind in self._own_types.items() if kind == "bool"]
        if booleans:
            fits &= tf.reduce_all([parsed[name] != NO_BOOLEAN for name in booleans])

        fits |= size == NOTHING

        def fail(*facts: Any) -> Any:
            raise ValueError(self._fault(facts, booleans))  # TensorFlow turns it into an InvalidArgumentError

        # Every operation of the branch that is not taken takes time, so this branch has only one.
        facts = [place, parsed["fingerprint"], parsed[self._places.id], same_place, stored]
        return tf.cond(fits, lambda: True, lambda: tf.numpy_function(fail, facts, tf.bool, stateful=False))

    def _fault(self, facts: tuple[Any, ...], booleans: list[str]) -> str:
        """Describes why a record does not fit its place."""
        (place, fingerprint, place_id, same_place, stored), advice = facts, ADVICE
        if not fingerprint and not place_id:
            fault = "is damaged or missing"  # `record_streams` replaces a record that it cannot read by an empty one
        elif fingerprint != self._fingerprint:
            fault = "belongs to another config: files were renamed or mixed up"
        elif place_id not in self._places.ids:
            fault = "belongs to another feature set: files were renamed or mixed up"
        elif not same_place:
            fault = "belongs to another place: files were renamed or mixed up"
        elif not stored:
            fault = f"is not stored as {self._dtype.name}: files were mixed up, or dataset.json was edited"
        else:
            fault = f"lacks a boolean of the columns {', '.join(booleans)}, for which a tensor has no value"
            advice = ADVICE_BOOLEAN
        shard, number = divmod(int(place), PLACES_OF_SHARD)
        return f"Record {number} of the shard {self._shards[shard]} {fault}. {advice}"


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
