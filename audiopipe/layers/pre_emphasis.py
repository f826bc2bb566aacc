"""Layer that emphasizes the high frequencies of a waveform."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.waveform_layer import WaveformLayer
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class PreEmphasis(WaveformLayer):
    """Pre-emphasis of a waveform: `y[n] = x[n] - coefficient * x[n - 1]`. The first sample does not change.

    [NeMo](https://github.com/NVIDIA/NeMo/blob/main/nemo/collections/asr/parts/preprocessing/features.py) does so, and
    `librosa.effects.preemphasis` with `zi=0`. Kaldi and HTK emphasize each frame on its own, see `STFT`.

    Args:
        coefficient: Coefficient, in 0 .. 1 without 1. Usually 0.97.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, time, channels)`, or `(batch, channels, time)` for `channels_first`.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If the coefficient is out of range, or if the input is not of rank 3.

    Example:
        >>> PreEmphasis(0.5)(tf.constant([[[4.0], [4.0], [1.0]]])).numpy().ravel()
        array([ 4.,  2., -1.], dtype=float32)
    """

    sample_context = 1

    def __init__(self, coefficient: float = 0.97, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.coefficient = checks.real("coefficient", coefficient, minimum=0, below=1)

    def call(self, waveform):
        """Emphasizes a batch of waveforms."""
        self.check_input(waveform)
        if self.time_axis == 1:
            first, later, previous = waveform[:, :1], waveform[:, 1:], waveform[:, :-1]
        else:
            first, later, previous = waveform[:, :, :1], waveform[:, :, 1:], waveform[:, :, :-1]
        return tf.concat([first, ops.emphasize(later, previous, self.coefficient)], axis=self.time_axis)

    def get_config(self):
        return {**super().get_config(), "coefficient": self.coefficient}
