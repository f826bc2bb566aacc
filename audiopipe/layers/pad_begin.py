"""Layer that pads the beginning of a waveform."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.waveform_layer import WaveformLayer


@keras.saving.register_keras_serializable(package="audiopipe")
class PadBegin(WaveformLayer):
    """Padding of a waveform with zeros at its beginning.

    `STFT` with `pad_begin=True` adds `n_fft - hop_length` zeros. Use this layer for any other number.

    Args:
        length: Number of zeros, at least 0.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, time, channels)`, or `(batch, channels, time)` for `channels_first`. Floating-point.

    Output shape:
        Same as the input, with `length` more samples.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 3.

    Example:
        >>> PadBegin(2)(tf.ones([1, 3, 1])).numpy().ravel()
        array([0., 0., 1., 1., 1.], dtype=float32)
    """

    def __init__(self, length: int, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.length = checks.integer("length", length, minimum=0)

    def call(self, waveform):
        """Pads a batch of waveforms."""
        self.check_input(waveform)
        return tf.pad(waveform, [[self.length if axis == self.time_axis else 0, 0] for axis in range(3)])

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        time = shape[self.time_axis]
        shape[self.time_axis] = None if time is None else time + self.length
        return tuple(shape)

    def get_config(self):
        return {**super().get_config(), "length": self.length}
