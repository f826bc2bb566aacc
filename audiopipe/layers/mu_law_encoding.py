"""Layer that encodes a waveform as mu-law codes."""

import math
from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.audio_layer import AudioLayer
from audiopipe.signal import ops

MAX_QUANTIZATION_CHANNELS = 2**16  # steps of more codes would come close to the precision of float32


def quantization_channels_of(value: Any) -> int:
    """Returns the number of codes of a mu-law layer, or raises an error if it is out of range."""
    value = checks.integer("quantization_channels", value, minimum=2)
    if value > MAX_QUANTIZATION_CHANNELS:
        raise checks.fail("quantization_channels", f"at most {MAX_QUANTIZATION_CHANNELS}", value)
    return value


@keras.saving.register_keras_serializable(package="audiopipe")
class MuLawEncoding(AudioLayer):
    """Mu-law codes of a waveform, with small steps for quiet samples and large steps for loud samples (ITU-T G.711).

    With `mu = quantization_channels - 1`, the code of a sample x is the integer nearest to
    `mu / 2 * (1 + sign(x) * log(1 + mu * abs(x)) / log(1 + mu))`. Samples beyond full scale are clipped to -1 .. 1. NaN
    gets the code of silence, because integers have no NaN. The layer has no gradient, because its output is integer.

    Args:
        quantization_channels: Number of codes, 2 .. 65536. It is 256 for 8 bits.

    Input shape:
        Any shape, usually `(batch, time, channels)`. Floating-point, full scale 1.0.

    Output shape:
        Same as the input. int32 in 0 .. `quantization_channels - 1`.

    Raises:
        ArgumentError: If the number of codes is out of range, or if the input is not floating-point.

    Example:
        >>> MuLawEncoding(256)(tf.constant([-2.0, -1.0, -0.01, 0.0, 0.01, 1.0])).numpy()
        array([  0,   0,  98, 128, 157, 255], dtype=int32)
    """

    takes_waveform = True

    def __init__(self, quantization_channels: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.quantization_channels = quantization_channels_of(quantization_channels)

    def call(self, waveform):
        """Encodes a waveform."""
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
