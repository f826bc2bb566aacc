"""Magnitude, power and phase of complex values, with finite gradients."""

import math

import numpy as np
import tensorflow as tf

from audiopipe.signal.ops import xla_magnitude


@tf.custom_gradient
def magnitude(spectrogram: tf.Tensor):
    """Computes the magnitude of complex values. Magnitudes up to 2**-50 (2**-498 in complex128) become zero.

    `tf.abs` computes hypotenuses that never overflow or underflow, one value at a time, which takes as long as the
    Fourier transform. This function computes roots of sums of squares, for which processors have vector instructions.
    Squares of small values are subnormal numbers, which some threads flush to zero. 2**-100 is therefore subtracted
    from each sum of squares. It is so much larger than subnormal numbers that the result does not depend on them, and
    it is rounded away if the magnitude is above 2**-38, 229 dB below full scale.

    Magnitudes from 2**63 on are infinite. The gradient at zero is zero, not NaN.

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


@tf.custom_gradient
def power_spectrum(spectrogram: tf.Tensor):
    """Computes the squared magnitude of complex values, without a root. Powers up to 2**-100 become zero.

    2**-100 is subtracted, as `magnitude` does: the result does not depend on subnormal numbers.

    Args:
        spectrogram: Complex tensor of any shape.

    Returns:
        Real tensor of the same shape.
    """
    compute = xla_magnitude.power if xla_magnitude.is_worth_it(spectrogram) else xla_magnitude.power_operations

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return tf.cast(2 * upstream, spectrogram.dtype) * spectrogram

    return compute(spectrogram), gradient


def phase(spectrogram: tf.Tensor) -> tf.Tensor:
    """Computes the angle of complex values in radians. At silence, the angle and its gradient are 0.

    `tf.math.angle` is pi at a negative zero and NaN at subnormal values, and its gradient at zero is NaN.
    """
    silent = _is_silent(tf.math.real(spectrogram), tf.math.imag(spectrogram))
    return tf.math.angle(tf.where(silent, tf.ones([], spectrogram.dtype), spectrogram))


def phase_of_parts(real: tf.Tensor, imaginary: tf.Tensor) -> tf.Tensor:
    """Computes `phase` from real and imaginary parts, without complex tensors.

    It is not bit-stable, because `atan2` is not.
    """
    silent = _is_silent(real, imaginary)
    zero, one = tf.zeros([], real.dtype), tf.ones([], real.dtype)
    return tf.math.atan2(tf.where(silent, zero, imaginary), tf.where(silent, one, real))


def _is_silent(real: tf.Tensor, imaginary: tf.Tensor) -> tf.Tensor:
    """Returns where the square of the magnitude, by which gradients divide, would be subnormal.

    Both parts are then below 2**-63 in float32, 380 dB below full scale. The function does not compare the squares
    themselves, because some threads flush subnormal numbers to zero.
    """
    smallest = math.sqrt(np.finfo(real.dtype.as_numpy_dtype).tiny)
    return tf.maximum(tf.abs(real), tf.abs(imaginary)) < tf.constant(smallest, real.dtype)
