"""Built-in configs and their names."""

from typing import Any

from audiopipe.configs.base import Config
from audiopipe.configs.log_frequency import LogFrequencySpectrogram
from audiopipe.configs.mel import MelSpectrogram
from audiopipe.configs.whisper import WhisperLogMel


def presets() -> dict[str, Config]:
    """Returns the built-in configs by name."""
    fixed: dict[str, Any] = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
    music: dict[str, Any] = {"sample_rate": 22050, "n_fft": 2048, "hop_length": 512, "return_decibel": True, **fixed}
    return {
        "speech-mel-80": MelSpectrogram(
            sample_rate=16000, n_fft=400, hop_length=160, n_mels=80, return_decibel=True, **fixed
        ),
        "music-mel-128": MelSpectrogram(n_mels=128, **music),
        "music-log-84": LogFrequencySpectrogram(log_n_bins=84, **music),
        "whisper-80": WhisperLogMel(n_mels=80, **fixed),
        "whisper-128": WhisperLogMel(n_mels=128, **fixed),
    }
