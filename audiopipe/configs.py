"""The features that audiopipe knows: a frozen config for each.

A new feature is a composed function and a subclass of `Config` whose fields are that function's arguments.
"""

import dataclasses
import json
import os
import sys
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from audiopipe import checks, filterbanks
from audiopipe.config import MAX_CHANNELS, Config, from_dict, from_json, later_field
from audiopipe.framing import Framing

__all__ = [
    "MAX_CHANNELS",
    "Config",
    "LogFrequencySpectrogram",
    "MelSpectrogram",
    "StftMagnitude",
    "from_dict",
    "from_json",
    "later_field",
]


@dataclass(frozen=True, kw_only=True)
class _StftConfig(Config):
    """What the features share that begin with a short-time Fourier transform."""

    n_fft: int = 2048
    win_length: int | None = None
    hop_length: int | None = None
    window_name: str | None = None
    pad_begin: bool = False
    pad_end: bool = False
    return_decibel: bool = False
    db_amin: float = 1e-5
    db_ref_value: float = 1.0
    db_dynamic_range: float = 80.0
    input_data_format: str = "default"
    output_data_format: str = "default"

    def _checked(self) -> dict[str, Any]:
        checked = super()._checked()
        checked.update(dataclasses.asdict(self.framing))
        checked["window_name"] = filterbanks.canonical_window_name(self.window_name)
        filterbanks.check_window(checked["window_name"], self.framing.win_length)
        for name in ("db_amin", "db_ref_value"):
            checks.real(name, getattr(self, name), minimum=checks.SMALLEST_FLOAT32)
        checks.real("db_dynamic_range", self.db_dynamic_range, above=0)
        for name in ("input_data_format", "output_data_format"):
            # 'default' becomes a fixed value here: a setting of one process must not decide what a config means.
            value = getattr(self, name)
            value = _default_data_format() if value == "default" else value
            checked[name] = checks.choice(name, value, ("default", *checks.DATA_FORMATS))
        return checked

    @property
    def framing(self) -> Framing:
        """How the waveform is cut into frames."""
        return Framing.resolve(**{item.name: getattr(self, item.name) for item in dataclasses.fields(Framing)})

    def n_frames(self, n_samples: Any) -> Any:
        return self.framing.n_frames(n_samples)

    def frame_times(self, n_frames: int) -> np.ndarray:
        framing = self.framing
        return (np.arange(n_frames) * framing.hop_length - framing.begin_padding) / self.sample_rate


@dataclass(frozen=True, kw_only=True)
class StftMagnitude(_StftConfig):
    """Config of `audiopipe.composed.get_stft_magnitude_layer`, whose arguments its fields are.

    The fields `sample_rate`, `channels`, `decoder`, `resampler` and `resampler_quality` are those of `Config`.

    Example:
        >>> config = StftMagnitude(sample_rate=16000, n_fft=512)
        >>> config.hop_length, config.n_bins
        (128, 257)
    """

    composed: ClassVar[str] = "get_stft_magnitude_layer"

    def frequencies(self) -> np.ndarray:
        return filterbanks.fft_frequencies(self.sample_rate, self.n_fft)


@dataclass(frozen=True, kw_only=True)
class MelSpectrogram(_StftConfig):
    """Config of `audiopipe.composed.get_melspectrogram_layer`, whose arguments its fields are.

    The fields `sample_rate`, `channels`, `decoder`, `resampler` and `resampler_quality` are those of `Config`.

    Example:
        >>> config = MelSpectrogram(sample_rate=16000, n_fft=512, hop_length=160, n_mels=80, return_decibel=True)
        >>> config.fingerprint[:12], config.mel_f_max
        ('9c7d6b07fe9d', 8000.0)
    """

    composed: ClassVar[str] = "get_melspectrogram_layer"

    n_mels: int = 128
    mel_f_min: float = 0.0
    mel_f_max: float | None = None
    mel_htk: bool = False
    mel_norm: str | float | None = field(default="slaney", metadata={"check": filterbanks.canonical_mel_norm})

    def _checked(self) -> dict[str, Any]:
        checked = super()._checked()
        checked["mel_f_max"] = self.sample_rate / 2 if self.mel_f_max is None else checked["mel_f_max"]
        checks.integer("n_mels", self.n_mels, minimum=1)
        checks.real("mel_f_min", self.mel_f_min, minimum=0)
        if not self.mel_f_min < checked["mel_f_max"] <= self.sample_rate / 2:
            raise checks.fail(
                "mel_f_max",
                f"greater than mel_f_min={self.mel_f_min:g} and at most half the sample rate, {self.sample_rate / 2:g}",
                self.mel_f_max,
            )
        return checked

    def frequencies(self) -> np.ndarray:
        f_max = self.mel_f_max or self.sample_rate / 2
        return filterbanks.mel_edges(self.n_mels, self.mel_f_min, f_max, self.mel_htk)[1:-1]


@dataclass(frozen=True, kw_only=True)
class LogFrequencySpectrogram(_StftConfig):
    """Config of `audiopipe.composed.get_log_frequency_spectrogram_layer`, whose arguments its fields are.

    The fields `sample_rate`, `channels`, `decoder`, `resampler` and `resampler_quality` are those of `Config`.

    Example:
        >>> LogFrequencySpectrogram(sample_rate=22050).n_bins
        84
    """

    composed: ClassVar[str] = "get_log_frequency_spectrogram_layer"

    log_n_bins: int = 84
    log_f_min: float | None = None
    log_bins_per_octave: int = 12
    log_spread: float = 0.125

    def _checked(self) -> dict[str, Any]:
        checked = super()._checked()
        checked["log_f_min"] = filterbanks.C1_HERTZ if self.log_f_min is None else checked["log_f_min"]
        for name in ("log_n_bins", "log_bins_per_octave"):
            checks.integer(name, checked[name], minimum=1)
        for name in ("log_f_min", "log_spread"):
            checks.real(name, checked[name], above=0)
        # The filterbank knows its own limits: half the sample rate, and filters that no bin reaches.
        filterbanks.log(
            self.sample_rate,
            self.n_fft // 2 + 1,
            n_bins=self.log_n_bins,
            bins_per_octave=self.log_bins_per_octave,
            f_min=checked["log_f_min"],
            spread=self.log_spread,
            n_fft=self.n_fft,
        )
        return checked

    def frequencies(self) -> np.ndarray:
        return filterbanks.log_frequencies(self.log_n_bins, self.log_bins_per_octave, self.log_f_min)


def _default_data_format() -> str:
    """Keras's image data format, found without importing Keras where nothing has imported it yet.

    Keras reads the same file at its import, see `keras.config`.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"].config.image_data_format()
    home = os.environ.get("KERAS_HOME", os.path.join(os.path.expanduser("~"), ".keras"))
    try:
        with open(os.path.join(home, "keras.json"), encoding="utf-8") as file:
            return json.load(file).get("image_data_format", "channels_last")
    except (OSError, ValueError):
        return "channels_last"
