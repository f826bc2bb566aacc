"""Mel spectrograms as `keras.layers.MelSpectrogram` computes them."""

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from audiopipe import checks
from audiopipe.configs.base import Config
from audiopipe.configs.data_formats import fixed_data_formats
from audiopipe.signal import filterbanks, windows
from audiopipe.signal.edges import EdgeFraming
from audiopipe.signal.framing import CentredFraming

MAX_EXPONENT = 8.0  # magnitudes up to 50,000 stay within float32


@dataclass(frozen=True, kw_only=True)
class KerasMelSpectrogram(Config):
    """Config of `audiopipe.composed.get_keras_melspectrogram_layer`. Its fields are the function's arguments.

    `Config` describes `sample_rate` (Keras's `sampling_rate`), `channels`, `channel`, `decoder`, `resampler` and
    `resampler_quality`. `sample_rate` has Keras's default. The values of a custom window are kept as a tuple.

    Example:
        >>> config = KerasMelSpectrogram(fft_length=512, sequence_stride=160, num_mel_bins=40)
        >>> config.max_freq, config.n_frames(16000)
        (8000.0, 101)
    """

    composed: ClassVar[str] = "get_keras_melspectrogram_layer"

    sample_rate: int = 16000
    fft_length: int = 2048
    sequence_stride: int = 512
    sequence_length: int | None = None
    window: str | tuple[float, ...] | None = field(default="hann", metadata={"check": windows.canonical_keras_window})
    num_mel_bins: int = 128
    min_freq: float = 20.0
    max_freq: float | None = None
    power_to_db: bool = True
    top_db: float = 80.0
    mag_exp: float = 2.0
    min_power: float = 1e-10
    ref_power: float = 1.0
    input_data_format: str = "default"
    output_data_format: str = "default"

    def _checked(self) -> dict[str, Any]:
        checked = super()._checked()
        checked.update(dataclasses.asdict(self._framing(checked["window"])))
        filterbanks.check_bands("num_mel_bins", self.num_mel_bins, self.fft_length // 2 + 1)
        max_freq = self.sample_rate // 2 if self.max_freq is None else self.max_freq
        checked["max_freq"] = checks.band("min_freq", self.min_freq, "max_freq", max_freq, self.sample_rate)[1]
        checks.real("top_db", checked["top_db"], above=0, maximum=checks.LARGEST_FLOAT32)
        checks.real("mag_exp", checked["mag_exp"], above=0, maximum=MAX_EXPONENT)
        for name in ("min_power", "ref_power"):
            checks.real(name, checked[name], minimum=checks.SMALLEST_FLOAT32, maximum=checks.LARGEST_FLOAT32)
        if isinstance(checked["window"], tuple):
            for value in checked["window"]:
                checks.real("window", value, minimum=-checks.LARGEST_FLOAT32, maximum=checks.LARGEST_FLOAT32)
        checked.update(fixed_data_formats(self))
        return checked

    @functools.cached_property
    def n_bins(self) -> int:
        return self.num_mel_bins

    def frequencies(self) -> np.ndarray:
        f_max = self.max_freq or self.sample_rate / 2
        return filterbanks.mel_edges(self.num_mel_bins, self.min_freq, f_max, htk=True)[1:-1]

    @property
    def quantities(self) -> tuple[str, ...]:
        return ("decibel" if self.power_to_db else "power" if self.mag_exp == 2 else "magnitude",)

    @property
    def framing(self) -> EdgeFraming:
        return EdgeFraming.resolve(
            n_fft=self.fft_length,
            win_length=self._framing(self.window).sequence_length,
            hop_length=self.sequence_stride,
            edges="center",
            pad_mode="reflect",
        )

    def n_frames(self, n_samples: Any) -> Any:
        return self._framing(self.window).n_frames(n_samples)

    def frame_times(self, n_frames: int) -> np.ndarray:
        before, _ = self._framing(self.window).padding
        return (np.arange(n_frames) * self.sequence_stride - before) / self.sample_rate

    def frame_centres(self, n_frames: int) -> np.ndarray:
        length = self._framing(self.window).sequence_length
        if isinstance(self.window, str):
            centre = windows.centre(windows.KERAS_WINDOW_NAMES[self.window], length)
        else:
            centre = windows.custom_centre(self.window or (1.0,) * length)
        return self.frame_times(n_frames) + centre / self.sample_rate

    def _framing(self, window: str | tuple[float, ...] | None) -> CentredFraming:
        return CentredFraming.resolve(
            fft_length=self.fft_length,
            sequence_stride=self.sequence_stride,
            sequence_length=self.sequence_length,
            window=window,
        )
