"""Complex numbers as pairs of real tensors, for TFLite.

TFLite's built-in operators cannot transpose or stack complex tensors, cannot compute angles, and only transform lengths
that are a power of two. While real arithmetic is activated, composed layers avoid complex tensors.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from audiopipe.signal import ops

_active: ContextVar[bool] = ContextVar("audiopipe_real_arithmetic", default=False)


class ComplexParts(NamedTuple):
    """Complex tensor as a pair of real tensors.

    Args:
        real: Real part.
        imaginary: Imaginary part, of the same shape and dtype.
    """

    real: tf.Tensor
    imaginary: tf.Tensor

    def map(self, function: Callable[[tf.Tensor], tf.Tensor]) -> "ComplexParts":
        """Applies a function to both parts. The function must only move values, as a transposition does."""
        return ComplexParts(function(self.real), function(self.imaginary))


def active() -> bool:
    """Returns whether composed layers compute in real arithmetic."""
    return _active.get()


@contextlib.contextmanager
def activated() -> Iterator[None]:
    """Makes composed layers compute in real arithmetic within the `with` block, in this thread only."""
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


def rfft(frames: tf.Tensor, n_fft: int) -> ComplexParts:
    """Computes the Fourier transform of real frames, padded with zeros on the right.

    Args:
        frames: Tensor of shape `[..., time]` with at most `n_fft` samples per frame.
        n_fft: Length of the transform. If it is not a power of two, the transform is a product with a matrix of
            cosines and sines.

    Returns:
        The two parts, each of shape `[..., n_fft // 2 + 1]`.
    """
    if n_fft & (n_fft - 1) == 0 and n_fft > 1:
        spectrum = tf.signal.rfft(frames, [n_fft])
        return ComplexParts(tf.math.real(spectrum), tf.math.imag(spectrum))
    # Integer products modulo n_fft are exact and keep the angles below one turn, where sines are precise.
    turns = np.outer(np.arange(frames.shape[-1]), np.arange(n_fft // 2 + 1)) % n_fft / n_fft
    cosines, sines = np.cos(2 * np.pi * turns), -np.sin(2 * np.pi * turns)
    return ComplexParts(*(ops.apply_filterbank(frames, tf.constant(part, frames.dtype)) for part in (cosines, sines)))
