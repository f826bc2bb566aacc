"""Layer that puts neighbouring frames into one row."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.spectrogram_layer import PerBin, SpectrogramLayer, canonical_per_bin, plain_per_bin


@keras.saving.register_keras_serializable(package="audiopipe")
class StackFrames(SpectrogramLayer):
    """Rows of neighbouring frames: the bins of the first frame, then those of the second, and so on.

    The rows do not overlap. SeamlessM4T and w2v-BERT, for example, stack 2 frames of 80 bins to rows of 160.

    Args:
        count: Number of frames in a row, at least 1.
        value: Value of the missing frames in the last row, or a sequence of one value for each of their bins.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real.

    Output shape:
        `(batch, ceil(frames / count), count * bins, channels)`, or
        `(batch, channels, ceil(frames / count), count * bins)`.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 4.

    Example:
        >>> frames = tf.reshape([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 3, 2, 1])
        >>> StackFrames(2, value=-1.0)(frames).numpy()[0, ..., 0]
        array([[ 1.,  2.,  3.,  4.],
               [ 5.,  6., -1., -1.]], dtype=float32)
    """

    def __init__(self, count: int, value: PerBin = 0.0, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.count = checks.integer("count", count, minimum=1)
        self.value = canonical_per_bin("value", value)
        self.frame_context = 0, 0
        self.frames_per_row = self.count

    def call(self, spectrogram):
        """Stacks the frames of a batch of spectrograms."""
        shape = self.check_input(spectrogram)
        sizes = tf.unstack(tf.shape(spectrogram))
        frames = sizes[self.frame_axis]
        rows = -(-frames // self.count)
        missing = list(sizes)
        missing[self.frame_axis] = rows * self.count - frames
        value = self.per_bin(self.value, spectrogram.dtype)
        filled = tf.concat([spectrogram, tf.broadcast_to(value, missing)], axis=self.frame_axis)
        sizes[self.frame_axis], sizes[self.bin_axis] = rows, self.count * sizes[self.bin_axis]
        # The bins follow the frames in memory, so neighbouring frames are already in one row.
        return tf.ensure_shape(tf.reshape(filled, sizes), shape)

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        self.check_bins(tuple(shape), "value", self.value)
        frames, bins = shape[self.frame_axis], shape[self.bin_axis]
        shape[self.frame_axis] = None if frames is None else -(-frames // self.count)
        shape[self.bin_axis] = None if bins is None else self.count * bins
        return tuple(shape)

    def get_config(self):
        return {**super().get_config(), "count": self.count, "value": plain_per_bin(self.value)}
