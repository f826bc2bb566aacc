"""Layer that computes mel-frequency cepstral coefficients."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.spectrogram_layer import LAYOUTS, SpectrogramLayer
from audiopipe.signal import ops

NORMS = ("htk", "ortho")
LIFTERINGS = {"librosa": 1, "kaldi": 0}  # the place of coefficient 0 in the sine


@keras.saving.register_keras_serializable(package="audiopipe")
class LogmelToMFCC(SpectrogramLayer):
    """Mel-frequency cepstral coefficients (MFCCs): the type-2 cosine transform of a log-mel spectrogram.

    Coefficient k is the sum of `x[m] * cos(pi * k * (m + 1/2) / n_mels)` over the mel bands m, times
    `sqrt(2 / n_mels)`. This is the scale of HTK and of `tf.signal.mfccs_from_log_mel_spectrograms`. The orthonormal
    transform of Kaldi, librosa and torchaudio differs only in coefficient 0, which is smaller by a factor of `sqrt(2)`.

    Liftering multiplies the coefficients with the raised part of a sine, so that high ones count as much as low ones.
    Kaldi and librosa shift it by one coefficient:
    https://github.com/kaldi-asr/kaldi/blob/master/src/feat/mel-computations.cc (`ComputeLifterCoeffs`),
    https://librosa.org/doc/latest/generated/librosa.feature.mfcc.html

    Args:
        n_mfccs: Number of coefficients, counted from coefficient 0. At most the number of mel bands.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        norm: Scale of coefficient 0, `"htk"` or `"ortho"`.
        lifter: Length L of the sine in coefficients, greater than 0, or 0 for no liftering. Kaldi's default is 22.
        liftering: Factor of coefficient k: `"librosa"` for `1 + L/2 * sin(pi * (k + 1) / L)` or `"kaldi"` for
            `1 + L/2 * sin(pi * k / L)`, which HTK uses as well. None means `"librosa"` if `lifter` is not 0.

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

    frame_local = True

    def __init__(
        self,
        n_mfccs: int = 20,
        data_format: str = "default",
        norm: str = "htk",
        lifter: float = 0.0,
        liftering: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.n_mfccs = checks.integer("n_mfccs", n_mfccs, minimum=1)
        self.norm = checks.choice("norm", norm, NORMS)
        self.lifter = checks.real("lifter", lifter, minimum=0)
        if liftering is None and self.lifter:
            liftering = "librosa"
        self.liftering = checks.choice("liftering", liftering, (None, *LIFTERINGS))
        if self.liftering and not self.lifter:
            raise ArgumentError(
                f"liftering needs a lifter greater than 0. Received: liftering={liftering!r}, lifter={lifter!r}. Leave "
                f"out liftering, or use lifter=22."
            )

    def call(self, log_mel_spectrogram):
        """Transforms a batch of log-mel spectrograms."""
        self.check_input(log_mel_spectrogram)
        n_mels = log_mel_spectrogram.shape[self.bin_axis]
        # A product with a matrix that is rounded once has the same bits for every rank and number of frames.
        return ops.combine_bins(
            log_mel_spectrogram, tf.constant(self._matrix(n_mels), log_mel_spectrogram.dtype), self.data_format
        )

    def _matrix(self, n_mels: int) -> np.ndarray:
        """Returns the cosines with the factors of the coefficients: `[n_mels, n_mfccs]` in float64."""
        coefficients = np.arange(self.n_mfccs)
        angles = np.pi / n_mels * np.outer(np.arange(n_mels) + 0.5, coefficients)
        cosines = np.sqrt(2 / n_mels) * np.cos(angles)
        if self.norm == "ortho":
            cosines[:, 0] = np.sqrt(1 / n_mels)
        if self.liftering:
            places = coefficients + LIFTERINGS[self.liftering]
            cosines *= 1 + self.lifter / 2 * np.sin(np.pi * places / self.lifter)
        return cosines

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
        return {
            **super().get_config(),
            "n_mfccs": self.n_mfccs,
            "norm": self.norm,
            "lifter": self.lifter,
            "liftering": self.liftering,
        }
