"""Layer that multiplies a waveform by a factor."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.waveform_layer import WaveformLayer


@keras.saving.register_keras_serializable(package="audiopipe")
class Gain(WaveformLayer):
    """Waveform multiplied by a factor.

    Front ends that were made for 16-bit integers expect samples in -32768 .. 32767, among them most models that use
    Kaldi's features. A factor of 32768 turns samples with full scale 1.0 into such samples.

    Args:
        factor: Factor, greater than 0.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, time, channels)`, or `(batch, channels, time)` for `channels_first`.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If the factor is out of range, or if the input is not of rank 3.

    Example:
        >>> Gain(32768.0)(tf.constant([[[0.5], [-1.0]]])).numpy().ravel()
        array([ 16384., -32768.], dtype=float32)
    """

    sample_context = 0

    def __init__(self, factor: float, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.factor = checks.real("factor", factor, minimum=checks.SMALLEST_FLOAT32, maximum=checks.LARGEST_FLOAT32)

    def call(self, waveform):
        """Multiplies a batch of waveforms."""
        self.check_input(waveform)
        return waveform * tf.constant(self.factor, waveform.dtype)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
