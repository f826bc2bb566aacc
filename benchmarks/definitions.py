"""Features of the speed benchmark, and reference implementations in float64 with NumPy."""

from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import scipy.signal
import tensorflow as tf

from audiopipe import configs
from audiopipe.signal import filterbanks

Feature = configs.MelSpectrogram | configs.LogFrequencySpectrogram
Definition = Callable[[Feature, np.ndarray], np.ndarray]

_FIXED: dict[str, Any] = {
    "return_decibel": True,
    "input_data_format": "channels_last",
    "output_data_format": "channels_last",
}
SETTINGS: dict[str, Feature] = {
    "music": configs.MelSpectrogram(n_fft=2048, hop_length=512, n_mels=128, **_FIXED),
    "speech": configs.MelSpectrogram(sample_rate=16000, n_fft=400, hop_length=160, n_mels=80, **_FIXED),
    "wide": configs.MelSpectrogram(sample_rate=16000, n_fft=1024, hop_length=256, n_mels=80, **_FIXED),
    "log": configs.LogFrequencySpectrogram(n_fft=2048, hop_length=512, **_FIXED),
}
TITLES = {
    "music": "2048/512/128 at 22.05 kHz",
    "speech": "400/160/80 at 16 kHz",
    "wide": "1024/256/80 at 16 kHz",
    "log": "log-frequency, 2048/512/84 at 22.05 kHz",
}
MEL_SETTINGS = ("music", "speech", "wide")


def clips(config: Feature, seconds: float, batch: int) -> np.ndarray:
    """Returns clips of white noise, float32 `[batch, time]`.

    No band of white noise is near the limit of the dynamic range. Keras's layer limits it per batch, not per clip.
    """
    draw = np.random.default_rng(0)
    return 0.1 * draw.standard_normal((batch, round(seconds * config.sample_rate)), np.float32)


def filterbank(config: Feature) -> np.ndarray:
    """Returns the filterbank, float64 `[frequencies, bands]`."""
    if isinstance(config, configs.MelSpectrogram):
        return librosa.filters.mel(sr=config.sample_rate, n_fft=config.n_fft, n_mels=config.n_mels, dtype=np.float64).T
    return filterbanks.log(config.sample_rate, config.framing.n_freq, n_bins=config.log_n_bins)


def windowed_frames(config: Feature, audio: np.ndarray) -> np.ndarray:
    """Splits clips `[batch, time]` into frames and multiplies them by the window: `[batch, frames, n_fft]`."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, config.n_fft, axis=-1)[:, :: config.framing.hop_length]
    return frames * scipy.signal.get_window("hann", config.n_fft).astype(audio.dtype)


def decibels(config: Feature, magnitudes: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """Converts magnitudes `[batch, frames, frequencies]` to bands in decibels `[batch, frames, bands]`."""
    values = 10 * np.log10(np.maximum(magnitudes @ bank, config.db_amin))
    return np.maximum(values, values.max(axis=(1, 2), keepdims=True) - config.db_dynamic_range)


def feature(config: Feature, audio: np.ndarray) -> np.ndarray:
    """Computes the feature of clips `[batch, time]` as its config defines it: float64 `[batch, frames, bands]`."""
    magnitudes = np.abs(np.fft.rfft(windowed_frames(config, audio.astype(np.float64))))
    return decibels(config, magnitudes, filterbank(config))


def keras_feature(config: Feature, audio: np.ndarray) -> np.ndarray:
    """Computes the feature as Keras defines it: centred frames, reflected clips and the filterbank of `tf.signal`."""
    assert isinstance(config, configs.MelSpectrogram)
    centred = np.pad(audio.astype(np.float64), [(0, 0), (config.n_fft // 2,) * 2], mode="reflect")
    bank = tf.signal.linear_to_mel_weight_matrix(
        config.n_mels,
        config.framing.n_freq,
        config.sample_rate,
        config.mel_f_min,
        config.sample_rate / 2,
        dtype=tf.float64,
    )
    return decibels(config, np.abs(np.fft.rfft(windowed_frames(config, centred))), bank.numpy())
