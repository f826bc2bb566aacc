"""Magnitude of complex values."""

import keras

from audiopipe import ops
from audiopipe.errors import ArgumentError
from audiopipe.layers.audio_layer import REAL_OF_COMPLEX, AudioLayer


@keras.saving.register_keras_serializable(package="audiopipe")
class Magnitude(AudioLayer):
    """Magnitude of a complex spectrogram.

    The gradient at silence is zero, not NaN.

    Input shape:
        Complex tensor of any shape, usually `(batch, frames, bins, channels)`.

    Output shape:
        The same shape, real and not negative.

    Raises:
        ArgumentError: If the input is not complex.

    Example:
        >>> Magnitude()(tf.constant([[3 + 4j]], tf.complex64)).numpy()
        array([[5.]], dtype=float32)
    """

    def call(self, spectrogram):
        """Take the magnitude of every value."""
        self.compute_output_dtype(keras.backend.standardize_dtype(spectrogram.dtype))
        return ops.safe_abs(spectrogram)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def compute_output_dtype(self, input_dtype):
        if input_dtype not in REAL_OF_COMPLEX:
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be complex. Received: dtype={input_dtype}. "
                "Put it after an STFT."
            )
        return REAL_OF_COMPLEX[input_dtype]
