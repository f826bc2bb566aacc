"""Elementwise logarithms, exponentials, powers, standardization and pre-emphasis."""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

# Vectorised kernels process the last few values of a buffer, which do not fill a SIMD register, with other code that
# rounds differently. 16 float32 values fill the widest register of current CPUs (AVX-512).
SIMD_WIDTH = 16


def log(values: tf.Tensor, factor: float = 1.0) -> tf.Tensor:
    """Computes `factor * ln(values)` of positive values, with the same bits at every position in memory.

    The factor is an argument because a graph folds two constant factors into one, which rounds differently from two
    eager products.
    """
    if factor == 1:
        return in_whole_registers(tf.math.log, values)
    return in_whole_registers(lambda x: tf.math.log(x) * tf.constant(factor, x.dtype), values)


def log10(values: tf.Tensor, factor: float = 1.0) -> tf.Tensor:
    """Computes `factor * log10(values)` of positive values, as `log` does."""
    return log(values, factor / math.log(10))


def power(values: tf.Tensor, exponent: float) -> tf.Tensor:
    """Computes `values ** exponent` of non-negative values, with the same bits at every position in memory.

    The exponents 0.5, 2 and 3 are computed as a root and as products, because a graph replaces them so and an eager
    call does not. The gradient at zero is zero, even for exponents below 1.

    Args:
        values: Non-negative tensor. Subnormal values count as zero.
        exponent: Exponent, greater than 0.
    """
    if exponent == 1:
        return values
    if exponent == 2:
        return values * values
    if exponent == 3:
        return values * values * values
    positive = values >= np.finfo(values.dtype.as_numpy_dtype).tiny
    values = tf.where(positive, values, tf.ones([], values.dtype))
    if exponent == 0.5:
        powers = tf.sqrt(values)
    else:
        powers = in_whole_registers(lambda x: tf.pow(x, tf.constant(exponent, x.dtype)), values)
    return tf.where(positive, powers, tf.zeros([], values.dtype))


def log1p(values: tf.Tensor) -> tf.Tensor:
    """Computes `log(1 + values)` of values above -1, with the same bits at every position in memory."""
    return in_whole_registers(tf.math.log1p, values)


def expm1(values: tf.Tensor) -> tf.Tensor:
    """Computes `exp(values) - 1`, with the same bits at every position in memory."""
    return in_whole_registers(tf.math.expm1, values)


def standardize(values: tf.Tensor, mean: tf.Tensor, std: tf.Tensor) -> tf.Tensor:
    """Computes `(values - mean) / std` with constants, with the bits of the same two operations of NumPy.

    A graph replaces a division by a constant with a product with its reciprocal, but not `divide_no_nan`. It also folds
    the constants of neighbouring sums or products. It does not look beyond `ensure_shape`, which costs nothing.

    Args:
        values: Tensor.
        mean: Constant that broadcasts to the values.
        std: Constant, likewise. None of its values is 0.
    """
    centred = tf.ensure_shape(values, values.shape) - mean
    return tf.ensure_shape(tf.math.divide_no_nan(centred, std), values.shape)


def emphasize(values: tf.Tensor, previous: tf.Tensor, coefficient: float) -> tf.Tensor:
    """Computes `values - coefficient * previous`, precisely where both are almost equal and the coefficient almost 1.

    Pre-emphasis leaves little of a slow wave, so what rounding adds to it counts. The difference of two close numbers
    is exact, and `1 - coefficient` is rounded some thirty times more finely than the coefficient 0.97.
    """
    if coefficient < 0.5:
        return values - previous * tf.constant(coefficient, values.dtype)
    return (values - previous) + previous * tf.constant(1 - coefficient, values.dtype)


def in_whole_registers(function: Callable[[tf.Tensor], tf.Tensor], values: tf.Tensor) -> tf.Tensor:
    """Applies an elementwise function to a buffer, padded with ones to a multiple of the SIMD width.

    Kernels such as `tf.math.log` and `tf.pow` round the tail of a buffer, which does not fill a register, differently
    from the rest. In a padded buffer, the result of a value does not depend on its position. The padding is skipped if
    the static dimensions already make the size a multiple, for example 80 mels with any number of frames.
    """
    if math.prod(size for size in values.shape if size is not None) % SIMD_WIDTH == 0:
        return function(values)
    flat = tf.reshape(values, [-1])
    size = tf.size(flat)
    filled = tf.pad(flat, [[0, -size % SIMD_WIDTH]], constant_values=tf.ones([], values.dtype))
    return tf.reshape(function(filled)[:size], tf.shape(values))
