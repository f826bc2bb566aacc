"""Events with a start and an end as targets for each frame."""

from typing import Any

import tensorflow as tf

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.inputs.columns import MISSING_LIST
from audiopipe.tfdata import entries, graph_errors
from audiopipe.tfdata.classes import Classes, ClassesLike, shown
from audiopipe.tfdata.frame_grid import FrameGrid
from audiopipe.transform.entry_names import CLIP_FRAMES, N_FRAMES, START_FRAME, VALID_FRAMES

TARGETS = "targets"


def frame_targets(
    dataset: tf.data.Dataset,
    classes: ClassesLike,
    config: Any,
    *,
    onset: str = "onset",
    offset: str = "offset",
    label: str = "label",
    origin: str | None = None,
) -> tf.data.Dataset:
    """Adds targets for each frame: which classes are active in it, from lists of events.

    **Frames.** Times are rounded to samples. Each sample belongs to the frame with the nearest centre, or to the later
    of two frames at the same distance. Each frame thus has `hop_length` samples around its centre. The first frame also
    has all earlier samples, and the last frame all later samples. An event is active in the frames of its samples, from
    `onset` to before `offset`. An event without samples is active in the frame of its onset. Every event is therefore
    active in at least one frame. `offset="onset"` marks only the frames of onsets.

    **Events outside of a clip.** Parts of events outside of a clip are cut off. An event that lies completely outside
    raises an error, because its label would be lost. Usually, its times have another unit or another origin. There are
    two exceptions, in which such events are left out. Segments, with `origin`, share the events of their recording. A
    feature of a fixed length, such as Whisper's 30 seconds, leaves out the end of a longer clip. `precompute` names
    these clips in `remarks.jsonl`.

    **End of a clip.** The number of frames gives the end of a clip to within `hop_length` samples. With `origin`, an
    event that begins in these samples belongs to the next segment, and otherwise to the clip.

    Args:
        dataset: Dataset of dicts before batching, as `audiopipe.load` or `from_audio(...).map(transform)` return it.
            The frames of a crop get the same targets as in the whole clip. For that, crops need the entries
            `start_frame` and `clip_frames`.
        classes: Names of the classes in order, or a `FeatureSet` or its path, which has the classes of the column
            `label`. If the column has positions, pass the feature set, because positions refer to its list.
        config: Config of the features, as in `padded_batch`.
        onset: Column with a list of the starts of the events, in seconds from the start of the clip.
        offset: Column with a list of their ends. Infinity means the end of the clip.
        label: Column with a list of their classes: positions, or names.
        origin: Column with the start of the clip, in seconds, on the time line of the events. Pass `"start"` for
            segments, whose events have the times of the recording. None means 0.

    Returns:
        The dataset with an entry `targets`, float32 `[frames, classes]`: 1 where a class is active, and 0 elsewhere and
        in padding. An empty list means that there are no events.

    Raises:
        ArgumentError: If a column is missing or has other values, there are no classes, the dataset is batched, or
            there is an entry `targets`.
        tf.errors.InvalidArgumentError: During iteration, if a list or the origin is missing, the lists have different
            lengths, a time is not a number, an offset is before its onset, a class is missing or unknown, or an event
            is outside of the clip. The message names the clip.

    Example:
        >>> from audiopipe import configs
        >>> config = configs.StftMagnitude(sample_rate=100, n_fft=20, hop_length=10, input_data_format="channels_last")
        >>> clip = {"feature": tf.zeros([9, 11, 1]), "n_frames": 9, "onset": [0.28], "offset": [0.51], "label": ["dog"]}
        >>> dataset = frame_targets(tf.data.Dataset.from_tensors(clip), ["cat", "dog"], config)
        >>> [clip["targets"][:, 1].tolist() for clip in dataset.as_numpy_iterator()]
        [[0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]]
    """
    spec = entries.of_dataset(dataset)
    found, feature = entries.config_and_feature(config)
    columns = {"onset": onset, "offset": offset, "label": label}
    for argument, name in columns.items():
        entries.check_present(spec, name, argument)
    if origin is not None:
        entries.check_present(spec, origin, "origin")
    entries.check_has(spec, feature)
    if TARGETS in spec:
        raise ArgumentError(
            f"The dataset must not have an entry {TARGETS!r}, because frame_targets adds one. Rename it, or leave it "
            "out: load(..., columns=[...])."
        )
    _check_types(spec, feature, columns, origin)
    known = Classes.resolve(classes, label)
    known.check_type(spec[label])
    add = _AddTargets(found, feature, known, onset, offset, origin)
    return dataset.map(add, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _check_types(spec: dict[str, Any], feature: str, columns: dict[str, str], origin: str | None) -> None:
    if isinstance(spec[feature], tf.RaggedTensorSpec) or spec[feature].shape.rank == 4:
        raise ArgumentError(
            "dataset must have single clips. Received: batches. Call frame_targets before the dataset is batched; "
            "tfdata.padded_batch and tfdata.bucketed_batch also pad the targets."
        )
    for argument, name in columns.items():
        if spec[name].shape.rank != 1:
            raise ArgumentError(
                f"{argument} must be a column of lists, with an item for each event. Received: {argument}={name!r} "
                f"with {spec[name]}."
            )
    times = [columns["onset"], columns["offset"], *([] if origin is None else [origin])]
    for name in times:
        if not (spec[name].dtype.is_floating or spec[name].dtype.is_integer):
            raise ArgumentError(f"The column {name!r} must have times in seconds. Received: {spec[name]}.")
    is_crop = entries.own(spec, START_FRAME) in spec
    for name in (N_FRAMES, VALID_FRAMES, START_FRAME, *([CLIP_FRAMES] if is_crop else [])):
        entries.check_number(spec, entries.own(spec, name))
    if is_crop and entries.own(spec, CLIP_FRAMES) not in spec:
        raise ArgumentError(
            "Crops must have the entry 'clip_frames' beside 'start_frame', so that it is known where their clip ends. "
            f"Received: {sorted(spec)}. Keep both entries of the crops, or make the targets before cropping."
        )
    if origin is not None and spec[origin].shape.rank != 0:
        raise ArgumentError(
            f"origin must be a column with one time per clip. Received: {origin!r} with {spec[origin]}."
        )


class _AddTargets:
    """Callable that adds targets to the element of a clip.

    Args:
        config: Config of the feature.
        feature: Name of the entry with the feature.
        classes: Classes of the events.
        onset: Name of the column of starts.
        offset: Name of the column of ends.
        origin: Name of the column of the start of the clip, or None.
    """

    def __init__(self, config: Config, feature: str, classes: Classes, onset: str, offset: str, origin: str | None):
        self._feature = feature
        self._frame_axis = config.frame_axis
        self._grid = FrameGrid(config)
        self._classes = classes
        self._onset = onset
        self._offset = offset
        self._origin = origin

    @tf.autograph.experimental.do_not_convert
    def __call__(self, element: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([self._require_lists(element)]):
            onsets, offsets = (tf.cast(element[name], tf.float64) for name in (self._onset, self._offset))
            positions = self._classes.positions(element[self._classes.column])
        required = self._require_events(element, onsets, offsets, positions)
        origin = tf.zeros([], tf.float64)
        if self._origin is not None:
            origin = tf.cast(element[self._origin], tf.float64)
            required.append(self._require_origin(element, origin))
        with tf.control_dependencies(required):
            begin, end = self._grid.samples(onsets, origin), self._grid.samples(offsets, origin)
        return {**element, TARGETS: self._targets(element, begin, end, positions)}

    def _targets(
        self, element: dict[str, tf.Tensor], begin: tf.Tensor, end: tf.Tensor, positions: tf.Tensor
    ) -> tf.Tensor:
        """Returns the targets of events whose samples `begin .. end - 1` are counted from the start of the clip."""
        feature = element[self._feature]
        size = tf.shape(feature, tf.int64)[self._frame_axis]
        valid = _own(element, VALID_FRAMES, _own(element, N_FRAMES, size))
        start = _own(element, START_FRAME)
        skipped = tf.zeros([], tf.int64) if start is None else start
        stop = skipped + valid
        n_frames = stop if start is None else _own(element, CLIP_FRAMES)

        is_instant = begin == end
        is_before = tf.where(is_instant, end < 0, end <= 0)
        is_after = self._grid.is_beyond(begin, n_frames)
        if self._origin is not None:  # an event after the last frame is likely to be that of the next segment
            is_after |= self._grid.may_be_beyond(begin, n_frames)
        is_inside = ~(is_before | is_after)
        is_fine = is_inside | self._grid.is_cut_off(begin, n_frames)
        required = [] if self._origin is not None else [self._require_inside(element, is_fine)]
        first_active = tf.minimum(self._grid.frames(begin), n_frames - 1)
        last_active = tf.minimum(self._grid.frames(tf.where(is_instant, begin, end - 1)), n_frames - 1)
        with tf.control_dependencies(required):
            is_active = tf.cast(is_inside & (last_active >= skipped) & (first_active < stop), tf.int64)

        # At each frame, how many events of each class begin minus how many have ended.
        begins = tf.clip_by_value(first_active - skipped, 0, size)
        ends = tf.clip_by_value(last_active + 1 - skipped, 0, tf.minimum(valid, size))
        changes = tf.scatter_nd(
            tf.concat([tf.stack([begins, positions], 1), tf.stack([ends, positions], 1)], 0),
            tf.concat([is_active, -is_active], 0),
            tf.stack([size + 1, tf.constant(len(self._classes), tf.int64)]),
        )
        targets = tf.cast(tf.cumsum(changes)[:-1] > 0, tf.float32)
        return tf.ensure_shape(targets, [feature.shape[self._frame_axis], len(self._classes)])

    def _require_lists(self, element: dict[str, tf.Tensor]) -> tf.Operation:
        """Returns an operation that fails unless the three lists are there and have one length."""
        names = [self._onset, self._offset, self._classes.column]
        sizes = [tf.size(element[name], tf.int64) for name in names]
        lengths = [_own(element, f"{name}_length") for name in names]
        is_missing = [tf.constant(False) if length is None else length == MISSING_LIST for length in lengths]

        def message() -> list[Any]:
            found: list[Any] = []
            for name, missing, size in zip(names, is_missing, sizes, strict=True):
                found += [", " if found else "", f"{name}: ", tf.where(missing, "missing", tf.strings.as_string(size))]
            return [
                graph_errors.clip_name(element),
                f" must have lists of one length in {', '.join(map(repr, names))}. Received: ",
                *found,
                ". If the clip has no events, give it empty lists. If its events are unknown, leave it out: "
                "load(sets.where(...)).",
            ]

        is_equal = (sizes[0] == sizes[1]) & (sizes[1] == sizes[2])
        return graph_errors.require(is_equal & ~tf.reduce_any(is_missing), message)

    def _require_events(
        self, element: dict[str, tf.Tensor], onsets: tf.Tensor, offsets: tf.Tensor, positions: tf.Tensor
    ) -> list[tf.Operation]:
        """Returns operations that fail unless times are in order and classes are known."""
        in_order = tf.math.is_finite(onsets) & (offsets >= onsets)  # false for NaN
        expected = "must have a finite onset, and an offset that is not before it"
        advice = "Fix the metadata. An offset of infinity means the end of the clip."
        classes = f"must have one of the classes of {self._classes.column!r}: {self._classes}"
        return [
            self._require_each(element, in_order, expected, advice),
            self._require_each(element, positions >= 0, classes, "Check the names of the classes."),
        ]

    def _require_origin(self, element: dict[str, tf.Tensor], origin: tf.Tensor) -> tf.Operation:
        """Returns an operation that fails unless it is known where the clip starts. A missing number is NaN."""
        return graph_errors.require(
            tf.math.is_finite(origin),
            lambda: [
                graph_errors.clip_name(element),
                f" must have a finite time of its start in {self._origin!r}. Received: ",
                tf.strings.as_string(origin),
                ". Fix the metadata, or leave the clip out: load(sets.where(...)).",
            ],
        )

    def _require_inside(self, element: dict[str, tf.Tensor], is_inside: tf.Tensor) -> tf.Operation:
        """Returns an operation that fails if an event lies wholly outside of the clip."""
        advice = (
            "Give times in seconds from the start of the clip. If the clip is a segment and the times count from the "
            "start of the recording, pass origin='start', the column with the start of the segment."
        )
        return self._require_each(element, is_inside, "must overlap the clip", advice)

    def _require_each(
        self, element: dict[str, tf.Tensor], is_right: tf.Tensor, expected: str, advice: str
    ) -> tf.Operation:
        """Returns an operation that fails, naming the clip and the event, unless all events are right."""

        def message() -> list[Any]:
            event = tf.argmax(tf.cast(~is_right, tf.int8))
            parts: list[Any] = [
                graph_errors.clip_name(element),
                ": event ",
                tf.strings.as_string(event),
                f" {expected}. Received",
            ]
            for mark, name in ((": ", self._onset), (", ", self._offset)):
                time = tf.strings.as_string(tf.cast(element[name][event], tf.float64), shortest=True)
                parts += [f"{mark}{name}=", time]
            label = shown(element[self._classes.column][event])
            return [*parts, f", {self._classes.column}=", label, f". {advice}"]

        return graph_errors.require(tf.reduce_all(is_right), message)


def _own(element: dict[str, tf.Tensor], name: str, default: tf.Tensor | None = None) -> Any:
    """Returns the value of an entry that audiopipe added, as int64."""
    name = entries.own(element, name)
    return tf.cast(element[name], tf.int64) if name in element else default
