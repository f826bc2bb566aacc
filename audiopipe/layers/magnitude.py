"""Layer that computes the magnitude of complex values."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.complex_layer import ComplexLayer
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class Magnitude(ComplexLayer):
    """Magnitude of a complex spectrogram.

    Magnitudes up to 2**-50, 301 dB below full scale, are zero. Above 2**-38 they are accurate to the last bits. Under a
    float64 policy, these limits are 2**-498 and 2**-472. Magnitudes of 2**63 or more are infinite. The gradient at
    silence is zero, not NaN.

    Args:
        offset: Number that is added under the root, `sqrt(re**2 + im**2 + offset)`: 0, or positive as the 1e-9 of
            [HiFi-GAN](https://github.com/jik876/hifi-gan/blob/master/meldataset.py).

    Input shape:
        Complex tensor of any shape, usually `(batch, frames, bins, channels)`.

    Output shape:
        Same shape, real and non-negative.

    Raises:
        ArgumentError: If the offset is out of range, or if the input is not complex.

    Example:
        >>> Magnitude()(tf.constant([[3 + 4j]], tf.complex64)).numpy()
        array([[5.]], dtype=float32)
    """

    frame_local = True

    def __init__(self, offset: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.offset = checks.real("offset", offset, minimum=0, maximum=checks.LARGEST_FLOAT32)
        if 0 < self.offset < checks.SMALLEST_FLOAT32:
            raise checks.fail("offset", f"0 or at least {checks.SMALLEST_FLOAT32:g}", offset)

    def call(self, spectrogram):
        """Computes the magnitude of every value."""
        self.check_input(spectrogram)
        if not self.offset:
            return ops.magnitude(spectrogram)
        powers = ops.power_spectrum(spectrogram)
        return tf.sqrt(powers + tf.constant(self.offset, powers.dtype))

    def call_real(self, spectrogram):
        squares = tf.square(spectrogram.real) + tf.square(spectrogram.imaginary)
        return tf.sqrt(squares + tf.constant(self.offset, squares.dtype) if self.offset else squares)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), **self.changed_arguments(offset=0.0)}
