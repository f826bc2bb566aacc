"""Base classes of layers that take complex spectrograms."""

import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers.audio_layer import COMPLEX_OF_REAL, REAL_OF_COMPLEX, AudioLayer
from audiopipe.layers.spectrogram_layer import SpectrogramLayer


class ComplexLayer(AudioLayer):
    """Base class of layers that take complex values and return real values of the same precision."""

    @property
    def model_input_dtype(self) -> str:
        return COMPLEX_OF_REAL[self.compute_dtype]

    def compute_output_dtype(self, input_dtype):
        if input_dtype not in REAL_OF_COMPLEX:
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be complex. Received: dtype={input_dtype}. "
                "Place the layer after an STFT."
            )
        return REAL_OF_COMPLEX[input_dtype]


class TwoPartLayer(ComplexLayer, SpectrogramLayer):
    """Base class of layers that split a complex spectrogram into two real parts along the channel axis.

    The first part of all channels comes before the second part of all channels.
    """

    def join(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """Concatenates the two parts along the channel axis."""
        return tf.concat([first, second], axis=self.channel_axis)

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        channels = shape[self.channel_axis]
        shape[self.channel_axis] = None if channels is None else 2 * channels
        return tuple(shape)
