"""Layer that computes the phase of complex values."""

import keras

from audiopipe.layers.complex_layer import ComplexLayer
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class Phase(ComplexLayer):
    """Phase of a complex spectrogram, in radians.

    The phase and its gradient are zero at silence. A value is silent if the magnitudes of its real and imaginary part
    are both below 2**-63, 380 dB below full scale (2**-511 for complex128). See `audiopipe.signal.ops.phase`.

    Input shape:
        Complex tensor of any shape, usually `(batch, frames, bins, channels)`.

    Output shape:
        Same shape, real, in -pi .. pi.

    Raises:
        ArgumentError: If the input is not complex.

    Example:
        >>> Phase()(tf.constant([[1j, -2.0, 0.0]], tf.complex64)).numpy()
        array([[1.5707964, 3.1415927, 0.       ]], dtype=float32)
    """

    frame_local = True

    def call(self, spectrogram):
        """Computes the phase of every value."""
        self.check_input(spectrogram)
        return ops.phase(spectrogram)

    def call_real(self, spectrogram):
        return ops.phase_of_parts(spectrogram.real, spectrogram.imaginary)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)
