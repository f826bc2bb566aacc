"""Magnitude and phase of complex values, with finite gradients."""

import math

import numpy as np
import tensorflow as tf

from audiopipe.signal.ops import xla_magnitude


@tf.custom_gradient
def magnitude(spectrogram: tf.Tensor):
    """Magnitude of complex values, of which those up to 2**-50 (in complex128 2**-498) are zero.

    `tf.abs` computes hypotenuses that neither overflow nor vanish for any float, one value after the other, which takes
    as long as the Fourier transform. These are roots of sums of squares, for which processors have instructions.
    Squares of small values are subnormal numbers, which some threads take for zero: 2**-100 is subtracted from a sum,
    so far above them that nothing of them is left, and rounded away where the magnitude is above 2**-38, 229 dB below
    full scale. From 2**63 on, magnitudes are infinite. The gradient at zero is zero, where that of a root is NaN.

    Args:
        spectrogram: Complex tensor of any shape.

    Returns:
        Real tensor of the same shape.
    """
    compute = xla_magnitude.magnitude if xla_magnitude.is_worth_it(spectrogram) else xla_magnitude.operations
    magnitudes = compute(spectrogram)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        directions = tf.math.divide_no_nan(spectrogram, tf.cast(magnitudes, spectrogram.dtype))
        return tf.cast(upstream, spectrogram.dtype) * directions

    return magnitudes, gradient


def phase(spectrogram: tf.Tensor) -> tf.Tensor:
    """Angle of complex values in radians, and 0 at silence, as is the gradient.

    `tf.math.angle` is pi where silence is a negative zero, NaN for subnormal values, and its gradient at zero is NaN.
    """
    silent = _is_silent(tf.math.real(spectrogram), tf.math.imag(spectrogram))
    return tf.math.angle(tf.where(silent, tf.ones([], spectrogram.dtype), spectrogram))


def phase_of_parts(real: tf.Tensor, imaginary: tf.Tensor) -> tf.Tensor:
    """`phase` of values whose parts are apart, without complex tensors. Not bit-stable: `atan2` is not."""
    silent = _is_silent(real, imaginary)
    zero, one = tf.zeros([], real.dtype), tf.ones([], real.dtype)
    return tf.math.atan2(tf.where(silent, zero, imaginary), tf.where(silent, one, real))


def _is_silent(real: tf.Tensor, imaginary: tf.Tensor) -> tf.Tensor:
    """Whether both parts are so small that the square of the magnitude, by which gradients divide, is subnormal.

    That is 2**-63 in float32, 380 dB below full scale. The squares themselves are not compared, because whether a
    subnormal number is taken for zero depends on the thread.
    """
    smallest = math.sqrt(np.finfo(real.dtype.as_numpy_dtype).tiny)
    return tf.maximum(tf.abs(real), tf.abs(imaginary)) < tf.constant(smallest, real.dtype)
