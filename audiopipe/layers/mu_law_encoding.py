"""Mu-law compression to integers."""

import math
from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.audio_layer import AudioLayer
from audiopipe.signal import ops

GREATEST_QUANTIZATION_CHANNELS = 2**16  # beyond it neighbouring codes come close to the precision of float32


def quantization_channels_of(value: Any) -> int:
    """Check the number of codes of a mu-law layer."""
    value = checks.integer("quantization_channels", value, minimum=2)
    if value > GREATEST_QUANTIZATION_CHANNELS:
        raise checks.fail("quantization_channels", f"at most {GREATEST_QUANTIZATION_CHANNELS}", value)
    return value


@keras.saving.register_keras_serializable(package="audiopipe")
class MuLawEncoding(AudioLayer):
    """Quantise a waveform with steps that are fine for soft samples and coarse for loud ones (ITU-T G.711).

    With `mu = quantization_channels - 1` a sample x becomes the code nearest to
    `mu / 2 * (1 + sign(x) * log(1 + mu * abs(x)) / log(1 + mu))`. Samples beyond full scale are clipped to -1 .. 1. NaN
    gets the code of silence, as an integer has no NaN. Integers have no gradient.

    Args:
        quantization_channels: Number of codes, 2 .. 65536. 256 are 8 bits.

    Input shape:
        Any, usually `(batch, time, channels)`. Real, full scale 1.0.

    Output shape:
        The same. int32 in 0 .. `quantization_channels - 1`.

    Raises:
        ArgumentError: If the number of codes is out of range, or the input holds integers.

    Example:
        >>> MuLawEncoding(256)(tf.constant([-2.0, -1.0, -0.01, 0.0, 0.01, 1.0])).numpy()
        array([  0,   0,  98, 128, 157, 255], dtype=int32)
    """

    takes_waveform = True

    def __init__(self, quantization_channels: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.quantization_channels = quantization_channels_of(quantization_channels)

    def call(self, waveform):
        """Encode a waveform."""
        self.check_input(waveform)
        mu = self.quantization_channels - 1
        waveform = tf.where(tf.math.is_nan(waveform), tf.zeros([], waveform.dtype), waveform)
        waveform = tf.clip_by_value(waveform, -1, 1)
        compressed = ops.log1p(tf.abs(waveform) * mu) * tf.constant(mu / 2 / math.log1p(mu), waveform.dtype)
        return tf.cast(tf.floor(tf.sign(waveform) * compressed + (mu + 1) / 2), tf.int32)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def compute_output_dtype(self, input_dtype):
        self.check_floating(input_dtype)
        return "int32"

    def get_config(self):
        return {**super().get_config(), "quantization_channels": self.quantization_channels}
