"""Spectrograms whose bins are evenly spaced in octaves."""

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from audiopipe import checks
from audiopipe.configs.stft import MagnitudeConfig
from audiopipe.signal import filterbanks

LARGEST_INT64 = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class LogFrequencySpectrogram(MagnitudeConfig):
    """Config of `audiopipe.composed.get_log_frequency_spectrogram_layer`. Its fields are the function's arguments.

    `Config` describes `sample_rate`, `channels`, `channel`, `decoder`, `resampler` and `resampler_quality`.

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
        filterbanks.check_bands("log_n_bins", self.log_n_bins, self.framing.n_freq)
        checks.integer("log_bins_per_octave", self.log_bins_per_octave, minimum=1, maximum=LARGEST_INT64)
        for name in ("log_f_min", "log_spread"):
            checks.real(name, checked[name], above=0)
        filterbanks.check_log_range(
            self.sample_rate,
            self.n_fft // 2 + 1,
            n_bins=self.log_n_bins,
            bins_per_octave=self.log_bins_per_octave,
            f_min=checked["log_f_min"],
        )
        return checked

    @functools.cached_property
    def n_bins(self) -> int:
        return self.log_n_bins

    def frequencies(self) -> np.ndarray:
        return filterbanks.log_frequencies(self.log_n_bins, self.log_bins_per_octave, self.log_f_min)
