"""Composed layers: one function for each feature, with the arguments that users know from Kapre and Keras."""

from audiopipe.composed.frequency_aware import get_frequency_aware_conv2d
from audiopipe.composed.keras_mel import get_keras_melspectrogram_layer
from audiopipe.composed.spectrograms import (
    get_log_frequency_spectrogram_layer,
    get_melspectrogram_layer,
    get_stft_magnitude_layer,
)
from audiopipe.composed.stfts import (
    get_perfectly_reconstructing_stft_istft,
    get_stft_layer,
    get_stft_mag_phase,
)
from audiopipe.composed.whisper import get_whisper_log_mel_layer

__all__ = [
    "get_frequency_aware_conv2d",
    "get_keras_melspectrogram_layer",
    "get_log_frequency_spectrogram_layer",
    "get_melspectrogram_layer",
    "get_perfectly_reconstructing_stft_istft",
    "get_stft_layer",
    "get_stft_mag_phase",
    "get_stft_magnitude_layer",
    "get_whisper_log_mel_layer",
]
