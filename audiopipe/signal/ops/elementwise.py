"""Logarithms, exponentials and powers of single values."""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

# Vectorised kernels treat the last few values of a buffer, those that do not fill a SIMD register, with other code and
# so other rounding. 16 float32 fill the widest register of today's CPUs (AVX-512).
SIMD_WIDTH = 16


def log10(values: tf.Tensor, factor: float = 1.0) -> tf.Tensor:
    """`factor * log10(values)` of positive values, with the same bits wherever a value stands in memory.

    The factor belongs to the operation because a graph folds two constant factors into one, with other rounding than
    the same two products done eagerly.
    """
    return in_whole_registers(lambda x: tf.math.log(x) * tf.constant(factor / math.log(10), x.dtype), values)


def power(values: tf.Tensor, exponent: float) -> tf.Tensor:
    """`values ** exponent` of values that are not negative, with the same bits wherever a value stands in memory.

    A graph replaces the exponents 0.5, 2 and 3 by a root and products, an eager call does not: so they are written as
    such here. The gradient at zero is zero, also where that of the formula is infinite.

    Args:
        values: Not negative. Subnormal values count as zero.
        exponent: Greater than 0.
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
    """`log(1 + values)` of values above -1, with the same bits wherever a value stands in memory."""
    return in_whole_registers(tf.math.log1p, values)


def expm1(values: tf.Tensor) -> tf.Tensor:
    """`exp(values) - 1`, with the same bits wherever a value stands in memory."""
    return in_whole_registers(tf.math.expm1, values)


def in_whole_registers(function: Callable[[tf.Tensor], tf.Tensor], values: tf.Tensor) -> tf.Tensor:
    """Apply a function of single values to a buffer that is filled up to a multiple of the SIMD width with ones.

    Kernels such as `tf.math.log` and `tf.pow` round the tail of a buffer, where it fills no register, differently from
    the rest. So filled, a value has the same result wherever it stands. Nothing is filled up where the known part of
    the shape says that the buffer is full: with 80 mels, for example, for any number of frames.
    """
    if math.prod(size for size in values.shape if size is not None) % SIMD_WIDTH == 0:
        return function(values)
    flat = tf.reshape(values, [-1])
    size = tf.size(flat)
    filled = tf.pad(flat, [[0, -size % SIMD_WIDTH]], constant_values=tf.ones([], values.dtype))
    return tf.reshape(function(filled)[:size], tf.shape(values))
