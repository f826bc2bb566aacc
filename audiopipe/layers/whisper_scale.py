"""Layer that computes the logarithmic scale of Whisper."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.spectrogram_layer import SpectrogramLayer
from audiopipe.signal import ops, whisper


@keras.saving.register_keras_serializable(package="audiopipe")
class WhisperScale(SpectrogramLayer):
    """Scale of Whisper's log-mel spectrogram: `(max(log10(x), maximum - 8) + 4) / 4`.

    Powers `x` below 1e-10 are raised to 1e-10. `maximum` is the largest `log10(x)` over all frames, bins and channels
    of one clip, as in `MagnitudeToDecibel`. The layer can append the values of silent frames, so that these need not be
    computed.

    Args:
        n_frames: Number of frames of the output. Silent frames are appended to reach it. None appends none.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Powers.

    Output shape:
        Same as the input, with `n_frames` frames. Values are at least -1.5 and span at most 2.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 4 or has more than `n_frames`
            frames.

    Example:
        >>> WhisperScale(n_frames=2)(tf.constant([[[[1.0], [1e-4]]]])).numpy()[0, ..., 0]
        array([[ 1.,  0.],
               [-1., -1.]], dtype=float32)
    """

    whole_clip = "values are relative to the maximum of the clip"

    def __init__(self, n_frames: int | None = None, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.n_frames = None if n_frames is None else checks.integer("n_frames", n_frames, minimum=1)

    def call(self, spectrogram):
        """Converts a batch of spectrograms to the scale."""
        output_shape = self.check_input(spectrogram)
        dtype = spectrogram.dtype
        min_power = tf.constant(whisper.MIN_POWER, dtype)
        levels = ops.log10(tf.maximum(spectrogram, min_power))
        maximum = tf.reduce_max(levels, axis=[1, 2, 3], keepdims=True)
        floor = maximum - tf.constant(whisper.DYNAMIC_RANGE, dtype)
        scaled = _shifted(tf.maximum(levels, floor))
        if self.n_frames is None:
            return scaled
        axis, shape = self.frame_axis, tf.shape(scaled)
        missing = [self.n_frames - shape[axis] if place == axis else shape[place] for place in range(4)]
        silence = _shifted(tf.maximum(ops.log10(min_power), floor))
        if scaled.shape[0] == 1:  # three times as fast as tf.broadcast_to
            silent = tf.fill(missing, tf.reshape(silence, []))
        else:
            silent = tf.broadcast_to(silence, missing)
        filled = tf.concat([scaled, silent], axis=axis)
        return tf.ensure_shape(filled, output_shape)

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        if self.n_frames is None:
            return tuple(shape)
        if (shape[self.frame_axis] or 0) > self.n_frames:
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must have at most n_frames={self.n_frames} frames. "
                f"Received: shape={tuple(input_shape)}. Cut the waveform with audiopipe.layers.Chunk first."
            )
        shape[self.frame_axis] = self.n_frames
        return tuple(shape)

    def get_config(self):
        return {**super().get_config(), "n_frames": self.n_frames}


def _shifted(levels: tf.Tensor) -> tf.Tensor:
    return (levels + tf.constant(4, levels.dtype)) / tf.constant(4, levels.dtype)
