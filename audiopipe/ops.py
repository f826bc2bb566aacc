"""The tensor operations that layers share, each bit-stable and with finite gradients.

Bit-stable means: what comes out for a clip does not depend on the size of the batch, on the clip's place in it, on the
rank, or on how many threads computed it. Plain TensorFlow operations do not all have this property (see each function).
"""

import math

import keras
import tensorflow as tf

from audiopipe.errors import MissingDependencyError

if keras.backend.backend() != "tensorflow":
    raise MissingDependencyError(
        "audiopipe's layers compute with TensorFlow and need Keras to run on it. Received: the Keras backend "
        f"{keras.backend.backend()!r}. Set the environment variable KERAS_BACKEND=tensorflow before Keras is imported."
    )

# Vectorised kernels treat the last few values of a buffer, those that do not fill a SIMD register, with other code and
# so other rounding. 16 float32 fill the widest register of today's CPUs (AVX-512).
SIMD_WIDTH = 16


def frame(waveform: tf.Tensor, frame_length: int, hop_length: int, pad_end: bool) -> tf.Tensor:
    """Cut the last axis into overlapping frames.

    Args:
        waveform: `[..., time]`.
        frame_length: Samples of a frame.
        hop_length: Samples between the starts of neighbouring frames.
        pad_end: Whether zeros follow, so that every sample is the start of a frame or within one.

    Returns:
        `[..., frames, frame_length]`.
    """
    return tf.signal.frame(waveform, frame_length, hop_length, pad_end=pad_end)


def safe_abs(spectrogram: tf.Tensor) -> tf.Tensor:
    """Magnitude of complex values. The gradient at zero is zero, where that of `sqrt(re**2 + im**2)` is NaN."""
    return tf.abs(spectrogram)


def apply_filterbank(spectrogram: tf.Tensor, filterbank: tf.Tensor) -> tf.Tensor:
    """Multiply the last axis with a matrix.

    `tf.matmul` and `tf.tensordot` round differently for other ranks, for a single frame and for other numbers of
    threads; this form of `einsum` does not.

    Args:
        spectrogram: `[..., frequency]`.
        filterbank: `[frequency, bins]`, of the same dtype.

    Returns:
        `[..., bins]`.
    """
    return tf.einsum("...f,fm->...m", spectrogram, filterbank)


def log10(values: tf.Tensor, factor: float = 1.0) -> tf.Tensor:
    """`factor * log10(values)` of positive values, with the same bits wherever a value stands in memory.

    `tf.math.log` rounds the tail of a buffer differently from the rest, so the buffer is filled up to a multiple of
    the SIMD width first. The factor belongs to the operation because a graph folds two constant factors into one, with
    other rounding than the same two products done eagerly.
    """
    flat = tf.reshape(values, [-1])
    size = tf.size(flat)
    filled = tf.pad(flat, [[0, -size % SIMD_WIDTH]], constant_values=tf.ones([], values.dtype))
    logarithms = tf.math.log(filled) * tf.constant(factor / math.log(10), values.dtype)
    return tf.reshape(logarithms[:size], tf.shape(values))


def mix_down(waveform: tf.Tensor) -> tf.Tensor:
    """Mean over the channels: added from the first to the last, then multiplied with the rounded reciprocal.

    Order and reciprocal are part of the definition: a sum of floats depends on its order, and a graph may replace a
    division by a constant with such a product. `audiopipe.audio.mix_down` is the same computation in NumPy.

    Args:
        waveform: `[time, channels]`, with any number of channels, also an unknown one.

    Returns:
        `[time, 1]`.
    """
    channels = waveform.shape[-1]
    if channels is None:
        channels = tf.shape(waveform)[-1]
        total = tf.while_loop(
            lambda index, _: index < channels,
            lambda index, total: (index + 1, total + waveform[:, index]),
            (tf.constant(1), waveform[:, 0]),
        )[1]
    else:
        total = waveform[:, 0]
        for index in range(1, channels):
            total = total + waveform[:, index]
    return (total * (1 / tf.cast(channels, waveform.dtype)))[:, None]
