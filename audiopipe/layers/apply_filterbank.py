"""Layer that applies a filterbank to a spectrogram."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.audio_layer import AudioLayer, resolve_data_format
from audiopipe.signal import filterbank_blocks, filterbanks, ops

FILTERBANKS: dict[str, Callable[..., np.ndarray]] = {
    "mel": filterbanks.mel,
    "log": filterbanks.log,
    "linear_to_mel": filterbanks.linear_to_mel,
}


@keras.saving.register_keras_serializable(package="audiopipe")
class ApplyFilterbank(AudioLayer):
    """Product of a spectrogram and a filterbank, which sums frequency bins into bands.

    Args:
        type: `"mel"`, `"log"` or `"linear_to_mel"`. The last one is the mel filterbank of Keras.
        filterbank_kwargs: Arguments of the filterbank. `"mel"` takes `sample_rate, n_freq, n_mels, f_min, f_max, htk,
            norm, triangles, warn_of_empty`. `"log"` takes `sample_rate, n_freq, n_bins, bins_per_octave, f_min,
            spread`. Both also take `n_fft`, which is required if it is odd. `"linear_to_mel"` takes `sampling_rate,
            num_spectrogram_bins, num_mel_bins, lower_edge_hertz, upper_edge_hertz`.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, n_freq, channels)`, or `(batch, channels, frames, n_freq)` for `channels_first`. Real.

    Output shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)`.

    Raises:
        ArgumentError: If an argument is unknown or out of range, or if the input has another number of bins.

    Example:
        >>> layer = ApplyFilterbank("mel", {"sample_rate": 16000, "n_freq": 257, "n_mels": 40})
        >>> layer(tf.ones([1, 10, 257, 1])).shape
        TensorShape([1, 10, 40, 1])
    """

    frame_local = True

    def __init__(self, type: str, filterbank_kwargs: dict[str, Any], data_format: str = "default", **kwargs: Any):
        super().__init__(**kwargs)
        self.type = checks.choice("type", type, tuple(FILTERBANKS))
        self.filterbank_kwargs = {name: _json_value(value) for name, value in filterbank_kwargs.items()}
        try:
            filterbank = FILTERBANKS[type](**self.filterbank_kwargs)
        except TypeError as error:
            raise ArgumentError(
                f"filterbank_kwargs must be arguments of audiopipe.signal.filterbanks.{type}. "
                f"Received: filterbank_kwargs={filterbank_kwargs!r} ({error})."
            ) from error
        self.filterbank = filterbank.astype(self.compute_dtype)
        self._parts = filterbank_blocks.parts(self.filterbank)
        self.data_format = resolve_data_format("data_format", data_format)

    def call(self, spectrogram):
        """Applies the filterbank to a batch of spectrograms."""
        self.check_input(spectrogram)
        return ops.combine_bins(spectrogram, tf.constant(self.filterbank), self.data_format, self._parts)

    def compute_output_shape(self, input_shape):
        channels_last = self.data_format == "channels_last"
        layout = "(batch, frames, n_freq, channels)" if channels_last else "(batch, channels, frames, n_freq)"
        self.check_rank(input_shape, 4, layout)
        n_freq, n_bins = self.filterbank.shape
        axis = 2 if channels_last else 3
        if input_shape[axis] not in (None, n_freq):
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be {layout} with n_freq={n_freq}. Received: "
                f"shape={tuple(input_shape)}. Use the output of an STFT with the same n_fft and data format."
            )
        return (*input_shape[:axis], n_bins, *input_shape[axis + 1 :])

    def get_config(self):
        return {
            **super().get_config(),
            "type": self.type,
            "filterbank_kwargs": dict(self.filterbank_kwargs),
            "data_format": self.data_format,
        }


def _json_value(value: Any) -> Any:
    """Returns a value that JSON can represent: a Python number for a NumPy number, and text for infinity.

    The argument `norm` of a mel filterbank may be infinite.
    """
    value = value.item() if isinstance(value, np.generic) else value
    return "inf" if value == math.inf else value
