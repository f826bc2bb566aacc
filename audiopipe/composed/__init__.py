"""Composed layers: one function for each feature, with the arguments that users know from Kapre and Keras."""

from audiopipe.composed.spectrograms import (
    get_log_frequency_spectrogram_layer,
    get_melspectrogram_layer,
    get_stft_magnitude_layer,
)

__all__ = ["get_log_frequency_spectrogram_layer", "get_melspectrogram_layer", "get_stft_magnitude_layer"]
