"""Layer that computes mel-frequency cepstral coefficients."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.spectrogram_layer import LAYOUTS, SpectrogramLayer
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class LogmelToMFCC(SpectrogramLayer):
    """Mel-frequency cepstral coefficients (MFCCs): the type-2 cosine transform of a log-mel spectrogram.

    Coefficient k is the sum of `x[m] * cos(pi * k * (m + 1/2) / n_mels)` over the mel bands m, times
    `sqrt(2 / n_mels)`. This is the scale of HTK and of `tf.signal.mfccs_from_log_mel_spectrograms`. The orthonormal
    transform of librosa differs only in coefficient 0, which is smaller by a factor of `sqrt(2)`.

    Args:
        n_mfccs: Number of coefficients, counted from coefficient 0. At most the number of mel bands.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, n_mels, channels)`, or `(batch, channels, frames, n_mels)` for `channels_first`. Real,
        usually in decibels. The number of mel bands must be known.

    Output shape:
        `(batch, frames, n_mfccs, channels)`, or `(batch, channels, frames, n_mfccs)`.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 4 or has fewer mel bands than
            coefficients.

    Example:
        >>> LogmelToMFCC(n_mfccs=3)(tf.ones([1, 1, 8, 1])).numpy().ravel().round(4) + 0.0
        array([4., 0., 0.], dtype=float32)
    """

    def __init__(self, n_mfccs: int = 20, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.n_mfccs = checks.integer("n_mfccs", n_mfccs, minimum=1)

    def call(self, log_mel_spectrogram):
        """Transforms a batch of log-mel spectrograms."""
        self.check_input(log_mel_spectrogram)
        n_mels = log_mel_spectrogram.shape[self.bin_axis]
        # A product with a matrix that is rounded once has the same bits for every rank and number of frames.
        angles = np.pi / n_mels * np.outer(np.arange(n_mels) + 0.5, np.arange(self.n_mfccs))
        cosines = np.sqrt(2 / n_mels) * np.cos(angles)
        return ops.combine_bins(log_mel_spectrogram, tf.constant(cosines, log_mel_spectrogram.dtype), self.data_format)

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        n_mels = shape[self.bin_axis]
        if n_mels is None or n_mels < self.n_mfccs:
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be {LAYOUTS[self.data_format]} with a known "
                f"number of bins, at least n_mfccs={self.n_mfccs}. Received: shape={tuple(shape)}. Increase n_mels or "
                f"decrease n_mfccs, and use a log-mel spectrogram with the same data format."
            )
        shape[self.bin_axis] = self.n_mfccs
        return tuple(shape)

    def get_config(self):
        return {**super().get_config(), "n_mfccs": self.n_mfccs}
