"""Crops of a fixed number of frames, cut out of every entry that has an axis of frames."""

import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.inputs.columns import free_name
from audiopipe.tfdata import entries, graph_errors
from audiopipe.tfdata.elements import Elements
from audiopipe.transform import paddings
from audiopipe.transform.entry_names import CLIP_FRAMES, N_FRAMES, START_FRAME


class Crops:
    """Cuts crops out of clips.

    Args:
        elements: The clips.
        n_frames: Number of frames of a crop.

    Raises:
        ArgumentError: If `n_frames` is not an integer of at least 1, or an entry may or may not have an axis of frames.

    Attributes:
        n_frames: As in the arguments.
    """

    def __init__(self, elements: Elements, n_frames: int):
        self.n_frames = checks.integer("n_frames", n_frames, minimum=1)
        self._elements = elements
        self._start_frame = entries.own(elements.spec, START_FRAME)
        spec = elements.spec.get(self._start_frame, tf.TensorSpec([], tf.int64))
        if spec != tf.TensorSpec([], tf.int64):
            raise ArgumentError(
                f"The entry {self._start_frame!r} must be the first frame of a crop, an int64 scalar. Received: "
                f"{spec!r}. If it is a column of metadata, rename the column, or leave it out: "
                "load(..., columns=[...])."
            )
        self._clip_frames = free_name(CLIP_FRAMES, elements.spec)
        self._is_of_crops = self._start_frame in elements.spec
        for name in elements.lists:
            length = entries.own(elements.spec, f"{name}_length")
            if elements.spec.get(length) != tf.TensorSpec([], tf.int64):
                raise ArgumentError(
                    f"An entry of rank 1 must have its length beside it, so that it is known to be a list. "
                    f"Received: {name!r} without {length!r}. If it has a value for each frame, add an axis: "
                    "value[:, tf.newaxis]. If it is a list, add its length, an int64 scalar, or leave it out."
                )

    def cut(self, element: dict[str, tf.Tensor], start: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the crop of an element that begins with a frame, int64, within the clip."""
        elements, config = self._elements, self._elements.config
        size = elements.size(element)
        elements.check_n_frames(element, size)
        stop = tf.minimum(start + self.n_frames, size)
        element = dict(element)
        if not self._is_of_crops:  # crops have this entry already
            element[self._clip_frames] = tf.cast(element[elements.valid_frames or N_FRAMES], tf.int64)
        feature = element[elements.feature]
        feature = feature[:, start:stop] if config.frame_axis else feature[start:stop]
        shape = list(elements.shape)
        shape[config.frame_axis] = self.n_frames
        element[elements.feature] = tf.ensure_shape(paddings.pad_frames(config, feature, self.n_frames), shape)
        for name in elements.frame_entries:
            element[name] = self._cut_entry(element, name, start, stop, size)
        for name in filter(None, (N_FRAMES, elements.valid_frames)):
            left = element[name] - tf.cast(start, element[name].dtype)
            element[name] = tf.clip_by_value(left, 0, self.n_frames)
        element[self._start_frame] = start + element.get(self._start_frame, 0)
        return element

    def _cut_entry(
        self, element: dict[str, tf.Tensor], name: str, start: tf.Tensor, stop: tf.Tensor, size: tf.Tensor
    ) -> tf.Tensor:
        value = element[name]
        found = tf.shape(value, tf.int64)[0]
        expected = f": the entry {name} must have one row for each of the "
        advice = ". Leave the entry out, or add it after the crop."
        graph_errors.require(
            found == size,
            lambda: [graph_errors.clip_name(element), expected, size, " frames. Received: ", found, advice],
        )
        missing = self.n_frames - (stop - start)
        padded = tf.pad(value[start:stop], [[0, missing], *[[0, 0]] * (value.shape.rank - 1)])
        return tf.ensure_shape(padded, [self.n_frames, *value.shape[1:]])
