"""Features that audiopipe defines itself, for models that are trained from scratch."""

from typing import Any

from audiopipe.configs.log_frequency import LogFrequencySpectrogram
from audiopipe.configs.mel import MelSpectrogram
from audiopipe.configs.presets.formats import CHANNELS_LAST

__all__ = ["music_log_84", "music_mel_128", "speech_mel_80"]

_MUSIC: dict[str, Any] = {"sample_rate": 22050, "n_fft": 2048, "hop_length": 512, "return_decibel": True}


def speech_mel_80() -> MelSpectrogram:
    """Mel spectrogram in decibels for speech models that are trained from scratch.

    It reproduces no other front end. Frames of 25 ms every 10 ms are what most speech models use.
    """
    return MelSpectrogram(sample_rate=16000, n_fft=400, hop_length=160, n_mels=80, return_decibel=True, **CHANNELS_LAST)


def music_mel_128() -> MelSpectrogram:
    """Mel spectrogram in decibels for music models that are trained from scratch.

    It reproduces no other front end. Rate, frames and bands are the defaults of `librosa.feature.melspectrogram`.
    """
    return MelSpectrogram(n_mels=128, **_MUSIC, **CHANNELS_LAST)


def music_log_84() -> LogFrequencySpectrogram:
    """Spectrogram in decibels with one bin per semitone, over seven octaves from C1.

    It reproduces no other front end.
    """
    return LogFrequencySpectrogram(log_n_bins=84, **_MUSIC, **CHANNELS_LAST)
