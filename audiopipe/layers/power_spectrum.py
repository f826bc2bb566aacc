"""Layer that computes the power of complex values."""

import keras
import tensorflow as tf

from audiopipe.layers.complex_layer import ComplexLayer
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class PowerSpectrum(ComplexLayer):
    """Power of a complex spectrogram: its squared magnitude, computed without a root.

    Powers up to 2**-100, 301 dB below full scale, are zero. Above 2**-76 they are accurate to the last bits. Under a
    float64 policy, these limits are 2**-996 and 2**-944. Powers of 2**128 (2**1024) or more are infinite.

    `Magnitude` followed by `Power(2.0)` computes the same up to rounding.

    Input shape:
        Complex tensor of any shape, usually `(batch, frames, bins, channels)`.

    Output shape:
        Same shape, real and non-negative.

    Raises:
        ArgumentError: If the input is not complex.

    Example:
        >>> PowerSpectrum()(tf.constant([[3 + 4j]], tf.complex64)).numpy()
        array([[25.]], dtype=float32)
    """

    frame_local = True

    def call(self, spectrogram):
        """Computes the power of every value."""
        self.check_input(spectrogram)
        return ops.power_spectrum(spectrogram)

    def call_real(self, spectrogram):
        return tf.square(spectrogram.real) + tf.square(spectrogram.imaginary)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)
