"""Magnitude and power that XLA fuses into one pass over memory, where the bits are those of single operations.

XLA compiles again for each shape, which takes about 50 milliseconds. It is therefore used only for large tensors whose
shape the graph knows.
"""

import functools

import numpy as np
import tensorflow as tf

MIN_VALUES = 1 << 17  # smallest tensor worth compiling: about 6 seconds of audio at the usual settings


def is_worth_it(values: tf.Tensor) -> bool:
    """Returns whether to compile an operation on `values`: a large complex64 tensor of static shape, in a graph."""
    return (
        not tf.executing_eagerly()
        and values.dtype == tf.complex64
        and values.shape.is_fully_defined()
        and values.shape.num_elements() >= MIN_VALUES
        and agrees()
    )


@functools.partial(tf.function, jit_compile=True, autograph=False)
def magnitude(spectrogram: tf.Tensor) -> tf.Tensor:
    """Computes the magnitude of complex64 values in one pass, in half the time of `operations`.

    Args:
        spectrogram: complex64 tensor of static shape.

    Returns:
        float32 tensor of the same shape.
    """
    return tf.sqrt(_fused_power(spectrogram))


@functools.partial(tf.function, jit_compile=True, autograph=False)
def power(spectrogram: tf.Tensor) -> tf.Tensor:
    """Computes the power of complex64 values in one pass, see `magnitude`."""
    return _fused_power(spectrogram)


def _fused_power(spectrogram: tf.Tensor) -> tf.Tensor:
    """Computes the power in XLA.

    `relu` does not change a square. It keeps XLA from fusing a square and a sum into one instruction that rounds once
    instead of twice.
    """
    real, imaginary = tf.math.real(spectrogram), tf.math.imag(spectrogram)
    squares = tf.nn.relu(real * real) + tf.nn.relu(imaginary * imaginary)
    return tf.nn.relu(squares - tf.constant(smallest_square(tf.float32)))


def operations(spectrogram: tf.Tensor) -> tf.Tensor:
    """Computes the magnitude of complex values of any precision and shape. `magnitude` must return the same bits."""
    return tf.sqrt(power_operations(spectrogram))


def power_operations(spectrogram: tf.Tensor) -> tf.Tensor:
    """Computes the power of complex values of any precision and shape. `power` must return the same bits.

    A graph joins `relu` and a root into one operation, which it spreads over threads even for a second of audio.
    `tf.maximum` and the root stay separate operations, which one thread computes before a second one would wake.
    """
    squares = tf.math.real(tf.math.squared_difference(spectrogram, tf.zeros([], spectrogram.dtype)))
    return tf.maximum(squares - tf.constant(smallest_square(squares.dtype)), tf.zeros([], squares.dtype))


def smallest_square(dtype: tf.DType) -> np.floating:
    """Returns the constant that is subtracted from squares: 2**-100, or 2**-996 in double precision.

    It is far above subnormal numbers.
    """
    numbers = np.finfo(dtype.as_numpy_dtype)
    return numbers.tiny * numbers.dtype.type(2.0**26)


@functools.cache
def agrees() -> bool:
    """Returns whether XLA is available and reproduces the bits of the operations on this machine.

    Another version of XLA or another processor may round differently, and features must not depend on that. The check
    runs once per process.
    """
    with tf.init_scope():
        try:
            compiled = [magnitude(_trials()), power(_trials())]
        except tf.errors.OpError:  # TensorFlow may be built without XLA
            return False
        return np.array_equal(compiled, [operations(_trials()), power_operations(_trials())], equal_nan=True)


def _trials() -> tf.Tensor:
    """Returns complex numbers of every magnitude, and special values. Their number fills no SIMD register exactly."""
    draw = np.random.default_rng(0)
    parts = draw.standard_normal((2, 9973)) * 2.0 ** draw.integers(-80, 80, (2, 9973))
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 2.0**-50, 2.0**63, 1e-45]
    parts[:, :64] = np.stack(np.meshgrid(special, special)).reshape(2, 64)
    with np.errstate(over="ignore"):
        return tf.complex(*tf.constant(parts.astype(np.float32)))
