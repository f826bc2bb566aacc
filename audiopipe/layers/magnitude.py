"""Layer that computes the magnitude of complex values."""

import keras
import tensorflow as tf

from audiopipe.layers.complex_layer import ComplexLayer
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class Magnitude(ComplexLayer):
    """Magnitude of a complex spectrogram.

    Magnitudes up to 2**-50, 301 dB below full scale, are zero. Above 2**-38 they are accurate to the last bits. Under a
    float64 policy, these limits are 2**-498 and 2**-472. Magnitudes of 2**63 or more are infinite. The gradient at
    silence is zero, not NaN.

    Input shape:
        Complex tensor of any shape, usually `(batch, frames, bins, channels)`.

    Output shape:
        Same shape, real and non-negative.

    Raises:
        ArgumentError: If the input is not complex.

    Example:
        >>> Magnitude()(tf.constant([[3 + 4j]], tf.complex64)).numpy()
        array([[5.]], dtype=float32)
    """

    frame_local = True

    def call(self, spectrogram):
        """Computes the magnitude of every value."""
        self.check_input(spectrogram)
        return ops.magnitude(spectrogram)

    def call_real(self, spectrogram):
        return tf.sqrt(tf.square(spectrogram.real) + tf.square(spectrogram.imaginary))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)
