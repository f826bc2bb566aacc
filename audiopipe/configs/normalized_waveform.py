"""Waveforms with mean 0 and variance 1."""

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from audiopipe import checks
from audiopipe.configs.base import Config


@dataclass(frozen=True, kw_only=True)
class NormalizedWaveform(Config):
    """Config of `audiopipe.composed.get_normalized_waveform_layer`. Its fields are the function's arguments.

    It is the input of Wav2Vec2, HuBERT, WavLM and other models that read the waveform. Each sample is a frame of one
    bin, so the feature is `[time, 1, channels]`.

    `Config` describes `sample_rate`, `channels`, `channel`, `decoder`, `resampler` and `resampler_quality`.

    Example:
        >>> config = NormalizedWaveform()
        >>> config.sample_rate, config.n_frames(16000), config.n_bins
        (16000, 16000, 1)
    """

    composed: ClassVar[str] = "get_normalized_waveform_layer"

    sample_rate: int = 16000
    variance_epsilon: float = 1e-7

    def _checked(self) -> dict[str, Any]:
        checked = super()._checked()
        checks.real("variance_epsilon", self.variance_epsilon, minimum=0, maximum=checks.LARGEST_FLOAT32)
        return checked

    @property
    def quantities(self) -> tuple[str, ...]:
        return ("normalized waveform",)

    def n_frames(self, n_samples: Any) -> Any:
        return n_samples

    def frame_times(self, n_frames: int) -> np.ndarray:
        return np.arange(n_frames) / self.sample_rate

    def frame_centres(self, n_frames: int) -> np.ndarray:
        return np.arange(n_frames) / self.sample_rate

    @functools.cached_property
    def n_bins(self) -> int:
        return 1

    def frequencies(self) -> np.ndarray:
        """Returns `[0]`: samples have no frequency."""
        return np.zeros(1)
