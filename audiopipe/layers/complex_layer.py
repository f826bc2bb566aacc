"""What layers that take complex spectrograms have in common."""

import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers.audio_layer import COMPLEX_OF_REAL, REAL_OF_COMPLEX, AudioLayer
from audiopipe.layers.spectrogram_layer import SpectrogramLayer


class ComplexLayer(AudioLayer):
    """Base class: takes complex values and returns real ones of the same precision."""

    @property
    def model_input_dtype(self) -> str:
        return COMPLEX_OF_REAL[self.compute_dtype]

    def compute_output_dtype(self, input_dtype):
        if input_dtype not in REAL_OF_COMPLEX:
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be complex. Received: dtype={input_dtype}. "
                "Put it after an STFT."
            )
        return REAL_OF_COMPLEX[input_dtype]


class TwoPartLayer(ComplexLayer, SpectrogramLayer):
    """Base class: turns a spectrogram into two real parts, the first of all channels before the second of all."""

    def join(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """The two parts, one after the other along the channel axis."""
        return tf.concat([first, second], axis=self.channel_axis)

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        channels = shape[self.channel_axis]
        shape[self.channel_axis] = None if channels is None else 2 * channels
        return tuple(shape)
