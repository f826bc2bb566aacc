"""Layer that decodes mu-law codes to a waveform."""

import math
from typing import Any

import keras
import tensorflow as tf

from audiopipe.layers.audio_layer import AudioLayer
from audiopipe.layers.mu_law_encoding import quantization_channels_of
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class MuLawDecoding(AudioLayer):
    """Waveform decoded from mu-law codes: the inverse of `MuLawEncoding`, up to half a step.

    With `mu = quantization_channels - 1` and `y = 2 * code / mu - 1`, the sample is
    `sign(y) * ((1 + mu)**abs(y) - 1) / mu`. Codes may be floating-point numbers, also between two integers. The
    gradient is that of the formula.

    Args:
        quantization_channels: Number of codes, 2 .. 65536. It is 256 for 8 bits.

    Input shape:
        Any shape, usually `(batch, time, channels)`. Integer or floating-point. Codes outside
        0 .. `quantization_channels - 1` are clipped to this range.

    Output shape:
        Same as the input. float32 (float64 under a float64 policy) in -1 .. 1, up to rounding.

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
        """Decodes a waveform."""
        mu = self.quantization_channels - 1
        doubled = 2 * tf.clip_by_value(tf.cast(codes, self.compute_dtype), 0, mu) - mu  # exact for integers
        negative = doubled < 0
        # tf.where in place of abs and sign, whose gradients are zero at the middle code.
        magnitude = tf.where(negative, -doubled, doubled)
        expanded = ops.expm1(magnitude * tf.constant(math.log1p(mu) / mu, doubled.dtype))
        return tf.where(negative, -expanded, expanded) * tf.constant(1 / mu, doubled.dtype)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "quantization_channels": self.quantization_channels}
