"""Layer that adds the frequency of each bin as a channel."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe.layers.spectrogram_layer import SpectrogramLayer


@keras.saving.register_keras_serializable(package="audiopipe")
class ConcatenateFrequencyMap(SpectrogramLayer):
    """Additional channel with the frequency of each bin, from 0 in the first bin to 1 in the last.

    A convolution responds to a pattern equally at all frequencies. With this channel it can distinguish low from high
    frequencies (Koutini et al. 2019, arXiv:1909.02859).

    The layer is part of a model, not of a feature. Unlike other layers of audiopipe, it does not cast its input, so the
    output has the dtype of the input, including half precision.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real.

    Output shape:
        Same as the input, with one more channel at the end. Same dtype.

    Raises:
        ArgumentError: If the data format is unknown, or if the input is not of rank 4.

    Example:
        >>> ConcatenateFrequencyMap()(tf.zeros([1, 1, 5, 1])).numpy()[0, 0, :, 1]
        array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """

    def __init__(self, data_format: str = "default", autocast: bool = False, **kwargs: Any):
        super().__init__(data_format=data_format, autocast=autocast, **kwargs)

    def call(self, spectrogram):
        """Adds the channel to a batch of spectrograms."""
        shape = self.check_input(spectrogram)
        sizes = tf.unstack(tf.shape(spectrogram))
        n_bins = sizes[self.bin_axis]
        # A graph may replace a division by a product, so this is a product everywhere, in float64 for precision.
        step = 1 / tf.cast(tf.maximum(n_bins - 1, 1), tf.float64)
        frequencies = tf.cast(tf.cast(tf.range(n_bins), tf.float64) * step, spectrogram.dtype)
        frequencies = tf.reshape(frequencies, [n_bins if axis == self.bin_axis else 1 for axis in range(4)])
        sizes[self.channel_axis] = 1
        channel = tf.broadcast_to(frequencies, sizes)
        return tf.ensure_shape(tf.concat([spectrogram, channel], self.channel_axis), shape)

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        if shape[self.channel_axis] is not None:
            shape[self.channel_axis] += 1
        return tuple(shape)

    def compute_output_dtype(self, input_dtype):
        self.check_floating(input_dtype)
        return input_dtype
