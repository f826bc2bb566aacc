"""Expansion of mu-law codes."""

import math
from typing import Any

import keras
import tensorflow as tf

from audiopipe.layers.audio_layer import AudioLayer
from audiopipe.layers.mu_law_encoding import quantization_channels_of
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class MuLawDecoding(AudioLayer):
    """The waveform that mu-law codes stand for: the inverse of `MuLawEncoding`, up to half a step.

    With `mu = quantization_channels - 1` and `y = 2 * code / mu - 1` it is `sign(y) * ((1 + mu)**abs(y) - 1) / mu`.
    Codes may be floating-point numbers, also between two integers; the gradient is that of the formula.

    Args:
        quantization_channels: Number of codes, 2 .. 65536. 256 are 8 bits.

    Input shape:
        Any, usually `(batch, time, channels)`. Integers or floating-point numbers. Codes outside of
        0 .. `quantization_channels - 1` count as the nearest in it.

    Output shape:
        The same. float32 (float64 under a float64 policy) in -1 .. 1 up to rounding.

    Raises:
        ArgumentError: If the number of codes is out of range.

    Example:
        >>> MuLawDecoding(256)(tf.constant([0, 128, 255])).numpy().round(4)
        array([-1.e+00,  1.e-04,  1.e+00], dtype=float32)
    """

    def __init__(self, quantization_channels: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.quantization_channels = quantization_channels_of(quantization_channels)

    def call(self, codes):
        """Decode a waveform."""
        mu = self.quantization_channels - 1
        doubled = 2 * tf.clip_by_value(tf.cast(codes, self.compute_dtype), 0, mu) - mu  # of integers without rounding
        negative = doubled < 0
        # Not abs and sign: their gradients would vanish in the middle.
        magnitude = tf.where(negative, -doubled, doubled)
        expanded = ops.expm1(magnitude * tf.constant(math.log1p(mu) / mu, doubled.dtype))
        return tf.where(negative, -expanded, expanded) * tf.constant(1 / mu, doubled.dtype)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "quantization_channels": self.quantization_channels}
