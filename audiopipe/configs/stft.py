"""Features of a short-time Fourier transform: real and imaginary parts, magnitude, magnitude and phase."""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from audiopipe import checks
from audiopipe.configs.base import Config
from audiopipe.configs.data_formats import fixed_data_formats
from audiopipe.signal import filterbanks, windows
from audiopipe.signal.framing import Framing


@dataclass(frozen=True, kw_only=True)
class StftConfig(Config):
    """Base class of configs that start with a short-time Fourier transform.

    The bins are those of the transform unless a subclass defines others.
    """

    n_fft: int = 2048
    win_length: int | None = None
    hop_length: int | None = None
    window_name: str | None = None
    pad_begin: bool = False
    pad_end: bool = False
    input_data_format: str = "default"
    output_data_format: str = "default"

    def _checked(self) -> dict[str, Any]:
        checked = super()._checked()
        checked.update(dataclasses.asdict(self.framing))
        checked["window_name"] = windows.canonical_window_name(checked["window_name"])
        windows.check_window(checked["window_name"], self.framing.win_length)
        checked.update(fixed_data_formats(self))
        return checked

    @functools.cached_property
    def framing(self) -> Framing:
        """Framing of the waveform."""
        return Framing.resolve(**{item.name: getattr(self, item.name) for item in dataclasses.fields(Framing)})

    def n_frames(self, n_samples: Any) -> Any:
        return self.framing.n_frames(n_samples)

    def frame_times(self, n_frames: int) -> np.ndarray:
        framing = self.framing
        return (np.arange(n_frames) * framing.hop_length - framing.begin_padding) / self.sample_rate

    def frame_centres(self, n_frames: int) -> np.ndarray:
        centre = windows.centre(self.window_name, self.framing.win_length)
        return self.frame_times(n_frames) + centre / self.sample_rate

    @functools.cached_property
    def n_bins(self) -> int:
        return self.n_fft // 2 + 1

    def frequencies(self) -> np.ndarray:
        return filterbanks.fft_frequencies(self.sample_rate, self.n_fft)


@dataclass(frozen=True, kw_only=True)
class MagnitudeConfig(StftConfig):
    """Base class of configs that can convert their magnitudes to decibels."""

    return_decibel: bool = False
    db_amin: float = 1e-5
    db_ref_value: float = 1.0
    db_dynamic_range: float = 80.0

    def _checked(self) -> dict[str, Any]:
        checked = super()._checked()
        for name in ("db_amin", "db_ref_value"):
            checks.real(name, checked[name], minimum=checks.SMALLEST_FLOAT32, maximum=checks.LARGEST_FLOAT32)
        checks.real("db_dynamic_range", checked["db_dynamic_range"], above=0, maximum=checks.LARGEST_FLOAT32)
        return checked

    @property
    def quantities(self) -> tuple[str, ...]:
        return ("decibel" if self.return_decibel else "magnitude",)


@dataclass(frozen=True, kw_only=True)
class Stft(StftConfig):
    """Config of `audiopipe.composed.get_stft_layer`. Its fields are the function's arguments.

    The feature has twice as many channels as the clip: first the real parts of all channels, then the imaginary parts.
    `Config` describes `sample_rate`, `channels`, `channel`, `decoder`, `resampler` and `resampler_quality`.

    Example:
        >>> Stft(sample_rate=16000, n_fft=512, output_data_format="channels_last").feature_shape(100, channels=1)
        (100, 257, 2)
    """

    composed: ClassVar[str] = "get_stft_layer"

    @property
    def quantities(self) -> tuple[str, ...]:
        return ("real part", "imaginary part")


@dataclass(frozen=True, kw_only=True)
class StftMagPhase(MagnitudeConfig):
    """Config of `audiopipe.composed.get_stft_mag_phase`. Its fields are the function's arguments.

    The feature has twice as many channels as the clip: first the magnitudes of all channels, then the phases.
    `Config` describes `sample_rate`, `channels`, `channel`, `decoder`, `resampler` and `resampler_quality`.

    Example:
        >>> StftMagPhase(sample_rate=16000, n_fft=512, return_decibel=True).quantities
        ('decibel', 'phase')
    """

    composed: ClassVar[str] = "get_stft_mag_phase"

    @property
    def quantities(self) -> tuple[str, ...]:
        return (*super().quantities, "phase")


@dataclass(frozen=True, kw_only=True)
class StftMagnitude(MagnitudeConfig):
    """Config of `audiopipe.composed.get_stft_magnitude_layer`. Its fields are the function's arguments.

    `Config` describes `sample_rate`, `channels`, `channel`, `decoder`, `resampler` and `resampler_quality`.

    Example:
        >>> config = StftMagnitude(sample_rate=16000, n_fft=512)
        >>> config.hop_length, config.n_bins
        (128, 257)
    """

    composed: ClassVar[str] = "get_stft_magnitude_layer"
