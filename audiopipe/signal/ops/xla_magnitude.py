"""Operations that XLA fuses into one pass over memory, where it gives the bits of the operations one by one.

XLA compiles anew for each shape, in some 50 milliseconds. So only values are compiled whose shape a graph knows, and
many of them.
"""

import functools

import numpy as np
import tensorflow as tf

FEWEST_VALUES = 1 << 17  # that are worth it: half a dozen seconds of sound at the usual settings


def is_worth_it(values: tf.Tensor) -> bool:
    """Whether what is computed of `values` is to be compiled: in a graph, of many complex64 values of a known shape."""
    return (
        not tf.executing_eagerly()
        and values.dtype == tf.complex64
        and values.shape.is_fully_defined()
        and values.shape.num_elements() >= FEWEST_VALUES
        and agrees()
    )


@functools.partial(tf.function, jit_compile=True, autograph=False)
def magnitude(spectrogram: tf.Tensor) -> tf.Tensor:
    """Magnitude of complex64 values in one pass, which takes half the time of `operations`.

    A square and a sum would be fused into one instruction that rounds once and not twice. `relu`, which changes no
    square, stands between them.

    Args:
        spectrogram: complex64, of a known shape.

    Returns:
        float32 of the same shape.
    """
    real, imaginary = tf.math.real(spectrogram), tf.math.imag(spectrogram)
    squares = tf.nn.relu(real * real) + tf.nn.relu(imaginary * imaginary)
    return tf.sqrt(tf.nn.relu(squares - tf.constant(smallest_square(tf.float32))))


def operations(spectrogram: tf.Tensor) -> tf.Tensor:
    """Magnitude of complex values: what `magnitude` has to agree with, of any precision and shape."""
    squares = tf.math.real(tf.math.squared_difference(spectrogram, tf.zeros([], spectrogram.dtype)))
    return tf.sqrt(tf.nn.relu(squares - tf.constant(smallest_square(squares.dtype))))


def smallest_square(dtype: tf.DType) -> np.floating:
    """What is subtracted from squares, far above subnormal numbers: 2**-100, in double precision 2**-996."""
    numbers = np.finfo(dtype.as_numpy_dtype)
    return numbers.tiny * numbers.dtype.type(2.0**26)


@functools.cache
def agrees() -> bool:
    """Whether XLA is there, and gives the bits of `operations` on this machine: asked once in a process.

    That it does is a property of today's XLA on today's processors. Features must not depend on it.
    """
    with tf.init_scope():
        try:
            compiled = magnitude(_trials()).numpy()
        except tf.errors.OpError:  # TensorFlow may be built without it
            return False
        return np.array_equal(compiled, operations(_trials()).numpy(), equal_nan=True)


def _trials() -> tf.Tensor:
    """Complex numbers of every size, special ones among them; no multiple of any register's width."""
    draw = np.random.default_rng(0)
    parts = draw.standard_normal((2, 9973)) * 2.0 ** draw.integers(-80, 80, (2, 9973))
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 2.0**-50, 2.0**63, 1e-45]
    parts[:, :64] = np.stack(np.meshgrid(special, special)).reshape(2, 64)
    with np.errstate(over="ignore"):
        return tf.complex(*tf.constant(parts.astype(np.float32)))
