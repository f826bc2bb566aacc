"""Complex numbers as pairs of real tensors, for TFLite.

TFLite's built-in operators can neither transpose nor stack complex tensors, take no angle, and transform only lengths
that are a power of two. While it is activated, composed layers compute in real arithmetic; nothing else changes.
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
    """A complex tensor.

    Args:
        real: Its real part.
        imaginary: Its imaginary part, of the same shape and dtype.
    """

    real: tf.Tensor
    imaginary: tf.Tensor

    def map(self, function: Callable[[tf.Tensor], tf.Tensor]) -> "ComplexParts":
        """Apply a function that only moves values to both parts."""
        return ComplexParts(function(self.real), function(self.imaginary))


def active() -> bool:
    """Whether composed layers compute in real arithmetic."""
    return _active.get()


@contextlib.contextmanager
def activated() -> Iterator[None]:
    """Let composed layers compute in real arithmetic within the block, in this thread."""
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


def rfft(frames: tf.Tensor, n_fft: int) -> ComplexParts:
    """Fourier transform of real frames, which are padded with zeros on the right.

    Args:
        frames: `[..., time]`, at most `n_fft` samples.
        n_fft: Length of the transform. A power of two is transformed; for any other, frames are multiplied with the
            cosines and sines of the transform.

    Returns:
        The parts, each `[..., n_fft // 2 + 1]`.
    """
    if n_fft & (n_fft - 1) == 0 and n_fft > 1:
        spectrum = tf.signal.rfft(frames, [n_fft])
        return ComplexParts(tf.math.real(spectrum), tf.math.imag(spectrum))
    # The product of two integers modulo n_fft is exact, so no angle is far from zero and every one is precise.
    turns = np.outer(np.arange(frames.shape[-1]), np.arange(n_fft // 2 + 1)) % n_fft / n_fft
    cosines, sines = np.cos(2 * np.pi * turns), -np.sin(2 * np.pi * turns)
    return ComplexParts(*(ops.apply_filterbank(frames, tf.constant(part, frames.dtype)) for part in (cosines, sines)))
