"""Decoding of the records of feature sets to tensors, the same entries for all sets."""

import functools
from collections.abc import Collection, Sequence

import tensorflow as tf

from audiopipe.configs import normalizing
from audiopipe.configs.base import Config
from audiopipe.feature_sets import valid_frames
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.joined_columns import JoinedColumns
from audiopipe.feature_sets.record_decoding import RecordDecoder
from audiopipe.feature_sets.record_places import Places
from audiopipe.inputs.columns import Columns, free_name, is_list
from audiopipe.transform.entry_names import CLIP_FRAMES, N_FRAMES, START_FRAME

NOTHING = -1  # number of frames of a record that is none


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
        crop_frames: Number of frames of crops, if blocks have crops of the features.
        normalized_config: Config whose normalization is applied to the features. The features of blocks have it
            already. None means that there is none.

    Attributes:
        paths: Paths of the shards of all sets.
        first_places: Place of the first record of each set.
        lists: Type of each decoded column that has lists.
        feature: Name of the entry of the feature.
        feature_spec: Shape of the features of blocks, and the dtype in which they are read.
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
        normalized_config: Config | None = None,
    ):
        self._places = Places(descriptions)
        self.paths, self.first_places = self._places.paths, self._places.first_places
        self._prefixes = [prefix.encode("utf-8", "surrogateescape") for prefix in prefixes]
        self._config = descriptions[0].config
        self._last_step = None if normalized_config is None else normalizing.last_layer(normalized_config)
        is_stored = crop_frames is None and normalized_config is None
        self.feature = feature
        self._crop_frames = crop_frames
        self.feature_spec = tf.TensorSpec(
            self._config.feature_shape(crop_frames, self._config.channels),
            descriptions[0].dtype if is_stored else tf.float32,
        )
        taken = {feature, *columns.entries}
        self._start_frame, self._clip_frames = free_name(START_FRAME, taken), free_name(CLIP_FRAMES, taken)
        self._valid_frames = valid_frames.entry(descriptions, columns)
        self._lengths = columns.lengths
        wanted = columns.types if selected is None else selected
        self.lists = {name: kind for name, kind in columns.types.items() if name in wanted and is_list(kind)}
        layouts = [_layout(description) for description in descriptions]
        firsts = [layouts.index(layout) for layout in layouts]  # number of the first set with the same layout
        kinds = sorted(set(firsts))
        self._kinds = [kinds.index(first) for first in firsts]
        positions = JoinedColumns(descriptions).positions
        self._decoders = [
            RecordDecoder(descriptions[first], self._places, positions[first], columns, wanted, self._valid_frames)
            for first in kinds
        ]

    @tf.autograph.experimental.do_not_convert
    def __call__(self, place: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
        if len(self._decoders) == 1:
            entries, feature = self._decoders[0].whole(place, record)
        else:
            branches = [functools.partial(decoder.whole, place, record) for decoder in self._decoders]
            entries, feature = tf.switch_case(tf.cast(self._kind(place), tf.int32), branches)
        feature = tf.ensure_shape(feature, self._config.feature_shape(None, self._config.channels))
        if self._last_step is not None:
            feature = self._last_step(feature[None])[0]
        return self.complete({**entries, "id": self._prefixed(place, entries["id"]), self.feature: feature})

    def block(self, numbers: tf.Tensor, heads: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decodes records of a block, except their features, see `audiopipe.feature_sets.row_blocks.Block`.

        Args:
            numbers: Numbers of the records, int64 `[records, 6]`.
            heads: Their heads, string `[records]`.

        Returns:
            The entries, each with the records as its first axis. If the features are cropped, the first frame,
            `start_frame`, and the valid frames of the whole clip, `clip_frames`, are among them. `complete` makes the
            elements that a user gets.
        """
        places, shapes, starts, n_frames = numbers[:, 0], numbers[:, 1:4], numbers[:, 4], numbers[:, 5]
        arguments = (places, heads, shapes, n_frames == NOTHING)
        if len(self._decoders) == 1:
            entries = self._decoders[0].heads(*arguments)
        else:
            kinds, parts, rows = self._kind(places), [], []
            for kind, decoder in enumerate(self._decoders):
                rows.append(tf.where(kinds == kind)[:, 0])
                parts.append(decoder.heads(*(tf.gather(argument, rows[-1]) for argument in arguments)))
            order = tf.math.invert_permutation(tf.concat(rows, 0))
            entries = {name: tf.gather(tf.concat([part[name] for part in parts], 0), order) for name in parts[0]}
        entries["id"] = self._prefixed(places, entries["id"])
        for name, value in entries.items():
            if isinstance(value, tf.RaggedTensor):
                entries[name] = value.to_tensor()
        if self._crop_frames is not None:
            entries[self._clip_frames] = entries[self._valid_frames or N_FRAMES]
            entries |= {N_FRAMES: n_frames, self._start_frame: starts}
            if self._valid_frames is not None:
                entries[self._valid_frames] = tf.clip_by_value(entries[self._valid_frames] - starts, 0, n_frames)
        return entries

    @tf.autograph.experimental.do_not_convert
    def complete(self, element: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns an element with its lists as a user gets them. In a block, short ones are filled up."""
        lists = {}
        for name, kind in self.lists.items():
            if kind == "list<float>":
                lists[name] = tf.io.decode_raw(element[name], tf.float64)
            else:
                lists[name] = element[name][: tf.maximum(element[self._lengths[name]], 0)]
        return {**element, **lists}

    def _kind(self, place: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.constant(self._kinds, tf.int64), self._places.number(place))

    def _prefixed(self, place: tf.Tensor, clip_id: tf.Tensor) -> tf.Tensor:
        if not any(self._prefixes):
            return clip_id
        return tf.strings.join([tf.gather(tf.constant(self._prefixes), self._places.number(place)), clip_id])


def _layout(description: Description) -> tuple[object, ...]:
    """Returns what decides about the entries of the records of a feature set."""
    columns, is_old = description.columns, bool(description.set_id)
    return is_old, columns.types, columns.classes, columns.fill_values if is_old else None
