"""Mel spectrograms."""

import functools
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from audiopipe import checks
from audiopipe.configs.stft import MagnitudeConfig
from audiopipe.signal import filterbanks


@dataclass(frozen=True, kw_only=True)
class MelSpectrogram(MagnitudeConfig):
    """Config of `audiopipe.composed.get_melspectrogram_layer`. Its fields are the function's arguments.

    `Config` describes `sample_rate`, `channels`, `channel`, `decoder`, `resampler` and `resampler_quality`.

    Example:
        >>> config = MelSpectrogram(sample_rate=16000, n_fft=512, hop_length=160, n_mels=80, return_decibel=True)
        >>> config.fingerprint[:12], config.mel_f_max
        ('dba8fb74d35a', 8000.0)
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
        filterbanks.check_bands("n_mels", self.n_mels, self.framing.n_freq)
        checks.real("mel_f_min", self.mel_f_min, minimum=0)
        if not self.mel_f_min < checked["mel_f_max"] <= self.sample_rate / 2:
            raise checks.fail(
                "mel_f_max",
                f"greater than mel_f_min={self.mel_f_min:g} and at most half the sample rate, {self.sample_rate / 2:g}",
                self.mel_f_max,
            )
        return checked

    @functools.cached_property
    def n_bins(self) -> int:
        return self.n_mels

    def frequencies(self) -> np.ndarray:
        f_max = self.mel_f_max or self.sample_rate / 2
        return filterbanks.mel_edges(self.n_mels, self.mel_f_min, f_max, self.mel_htk)[1:-1]
