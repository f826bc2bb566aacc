"""The scale of Whisper's log-mel spectrogram."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.spectrogram_layer import SpectrogramLayer
from audiopipe.signal import ops, whisper


@keras.saving.register_keras_serializable(package="audiopipe")
class WhisperScale(SpectrogramLayer):
    """Decimal logarithm of powers, limited to 8 below the greatest one of the clip, plus 4 and divided by 4.

    Powers below 1e-10 are raised to it. The greatest value is that of each clip, over all its frames, bins and
    channels, as in `MagnitudeToDecibel`. What silent frames would become can stand behind those that were computed.

    Args:
        n_frames: Frames of the output: silent ones follow those of the input. None adds none.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Powers.

    Output shape:
        The same with `n_frames` frames. Between -1.5 and what is 2 more than the smallest value.

    Raises:
        ArgumentError: If an argument is out of range, or the input is not of rank 4 or has more frames.

    Example:
        >>> WhisperScale(n_frames=2)(tf.constant([[[[1.0], [1e-4]]]])).numpy()[0, ..., 0]
        array([[ 1.,  0.],
               [-1., -1.]], dtype=float32)
    """

    def __init__(self, n_frames: int | None = None, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.n_frames = None if n_frames is None else checks.integer("n_frames", n_frames, minimum=1)

    def call(self, spectrogram):
        """Put a batch of spectrograms on the scale."""
        output_shape = self.check_input(spectrogram)
        dtype = spectrogram.dtype
        smallest = tf.constant(whisper.MIN_POWER, dtype)
        levels = ops.log10(tf.maximum(spectrogram, smallest))
        greatest = tf.reduce_max(levels, axis=[1, 2, 3], keepdims=True)
        lowest = greatest - tf.constant(whisper.DYNAMIC_RANGE, dtype)
        scaled = _shifted(tf.maximum(levels, lowest))
        if self.n_frames is None:
            return scaled
        axis, shape = self.frame_axis, tf.shape(scaled)
        missing = [self.n_frames - shape[axis] if place == axis else shape[place] for place in range(4)]
        silence = _shifted(tf.maximum(ops.log10(smallest), lowest))
        if scaled.shape[0] == 1:  # in a third of the time
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
                f"Received: shape={tuple(input_shape)}. Cut the waveform first, with audiopipe.layers.Chunk."
            )
        shape[self.frame_axis] = self.n_frames
        return tuple(shape)

    def get_config(self):
        return {**super().get_config(), "n_frames": self.n_frames}


def _shifted(levels: tf.Tensor) -> tf.Tensor:
    return (levels + tf.constant(4, levels.dtype)) / tf.constant(4, levels.dtype)
