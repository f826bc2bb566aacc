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

from audiopipe import checks, filterbanks, whisper
from audiopipe.config import MAX_CHANNELS, Config, from_dict, from_json, later_field
from audiopipe.framing import CentredFraming, Framing

MAX_EXPONENT = 8.0  # magnitudes up to 50,000 stay within float32

__all__ = [
    "MAX_CHANNELS",
    "Config",
    "KerasMelSpectrogram",
    "LogFrequencySpectrogram",
    "MelSpectrogram",
    "Stft",
    "StftMagPhase",
    "StftMagnitude",
    "WhisperLogMel",
    "from_dict",
    "from_json",
    "later_field",
]


@dataclass(frozen=True, kw_only=True)
class _StftConfig(Config):
    """What the features share that begin with a short-time Fourier transform; its own bins are the default."""

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
        checked["window_name"] = filterbanks.canonical_window_name(checked["window_name"])
        filterbanks.check_window(checked["window_name"], self.framing.win_length)
        checked.update(_fixed_data_formats(self))
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

    def frequencies(self) -> np.ndarray:
        return filterbanks.fft_frequencies(self.sample_rate, self.n_fft)


@dataclass(frozen=True, kw_only=True)
class _MagnitudeConfig(_StftConfig):
    """What those of them share whose magnitudes can be put on a decibel scale."""

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
class Stft(_StftConfig):
    """Config of `audiopipe.composed.get_stft_layer`, whose arguments its fields are.

    The feature has two channels for each of the clip: first the real parts of all, then the imaginary parts of all.
    The fields `sample_rate`, `channels`, `decoder`, `resampler` and `resampler_quality` are those of `Config`.

    Example:
        >>> Stft(sample_rate=16000, n_fft=512, output_data_format="channels_last").feature_shape(100, channels=1)
        (100, 257, 2)
    """

    composed: ClassVar[str] = "get_stft_layer"

    @property
    def quantities(self) -> tuple[str, ...]:
        return ("real part", "imaginary part")


@dataclass(frozen=True, kw_only=True)
class StftMagPhase(_MagnitudeConfig):
    """Config of `audiopipe.composed.get_stft_mag_phase`, whose arguments its fields are.

    The feature has two channels for each of the clip: first the magnitudes of all, then the phases of all.
    The fields `sample_rate`, `channels`, `decoder`, `resampler` and `resampler_quality` are those of `Config`.

    Example:
        >>> StftMagPhase(sample_rate=16000, n_fft=512, return_decibel=True).quantities
        ('decibel', 'phase')
    """

    composed: ClassVar[str] = "get_stft_mag_phase"

    @property
    def quantities(self) -> tuple[str, ...]:
        return (*super().quantities, "phase")


@dataclass(frozen=True, kw_only=True)
class StftMagnitude(_MagnitudeConfig):
    """Config of `audiopipe.composed.get_stft_magnitude_layer`, whose arguments its fields are.

    The fields `sample_rate`, `channels`, `decoder`, `resampler` and `resampler_quality` are those of `Config`.

    Example:
        >>> config = StftMagnitude(sample_rate=16000, n_fft=512)
        >>> config.hop_length, config.n_bins
        (128, 257)
    """

    composed: ClassVar[str] = "get_stft_magnitude_layer"


@dataclass(frozen=True, kw_only=True)
class MelSpectrogram(_MagnitudeConfig):
    """Config of `audiopipe.composed.get_melspectrogram_layer`, whose arguments its fields are.

    The fields `sample_rate`, `channels`, `decoder`, `resampler` and `resampler_quality` are those of `Config`.

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
class LogFrequencySpectrogram(_MagnitudeConfig):
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


def _fixed_data_formats(config: Config) -> dict[str, str]:
    """A config's data formats, checked. A setting of one process must not decide what a config means."""
    fixed = {}
    for name in ("input_data_format", "output_data_format"):
        value = getattr(config, name)
        value = _default_data_format() if value == "default" else value
        fixed[name] = checks.choice(name, value, ("default", *checks.DATA_FORMATS))
    return fixed


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


@dataclass(frozen=True, kw_only=True)
class KerasMelSpectrogram(Config):
    """Config of `audiopipe.composed.get_keras_melspectrogram_layer`, whose arguments its fields are.

    The fields `sample_rate` (Keras's `sampling_rate`), `channels`, `decoder`, `resampler` and `resampler_quality` are
    those of `Config`; `sample_rate` has Keras's default. A window that is given by its values is kept as a tuple.

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
    window: str | tuple[float, ...] | None = field(
        default="hann", metadata={"check": filterbanks.canonical_keras_window}
    )
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
        checks.integer("num_mel_bins", self.num_mel_bins, minimum=1)
        max_freq = self.sample_rate // 2 if self.max_freq is None else self.max_freq
        checked["max_freq"] = checks.band("min_freq", self.min_freq, "max_freq", max_freq, self.sample_rate)[1]
        checks.real("top_db", checked["top_db"], above=0, maximum=checks.LARGEST_FLOAT32)
        checks.real("mag_exp", checked["mag_exp"], above=0, maximum=MAX_EXPONENT)
        for name in ("min_power", "ref_power"):
            checks.real(name, checked[name], minimum=checks.SMALLEST_FLOAT32, maximum=checks.LARGEST_FLOAT32)
        if isinstance(checked["window"], tuple):
            for value in checked["window"]:
                checks.real("window", value, minimum=-checks.LARGEST_FLOAT32, maximum=checks.LARGEST_FLOAT32)
        checked.update(_fixed_data_formats(self))
        return checked

    def frequencies(self) -> np.ndarray:
        f_max = self.max_freq or self.sample_rate / 2
        return filterbanks.mel_edges(self.num_mel_bins, self.min_freq, f_max, htk=True)[1:-1]

    @property
    def quantities(self) -> tuple[str, ...]:
        return ("decibel" if self.power_to_db else "power" if self.mag_exp == 2 else "magnitude",)

    def n_frames(self, n_samples: Any) -> Any:
        return self._framing(self.window).n_frames(n_samples)

    def frame_times(self, n_frames: int) -> np.ndarray:
        before, _ = self._framing(self.window).padding
        return (np.arange(n_frames) * self.sequence_stride - before) / self.sample_rate

    def _framing(self, window: str | tuple[float, ...] | None) -> CentredFraming:
        return CentredFraming.resolve(
            fft_length=self.fft_length,
            sequence_stride=self.sequence_stride,
            sequence_length=self.sequence_length,
            window=window,
        )


@dataclass(frozen=True, kw_only=True)
class WhisperLogMel(Config):
    """Config of `audiopipe.composed.get_whisper_log_mel_layer`, whose arguments its fields are.

    The fields `sample_rate`, `channels`, `decoder`, `resampler` and `resampler_quality` are those of `Config`;
    `sample_rate` is 16000, as Whisper has it.

    Example:
        >>> config = WhisperLogMel(n_mels=128)
        >>> config.n_frames(16000), WhisperLogMel(chunk_seconds=None).n_frames(16000)
        (3000, 100)
    """

    composed: ClassVar[str] = "get_whisper_log_mel_layer"

    sample_rate: int = whisper.SAMPLE_RATE
    n_mels: int = 80
    chunk_seconds: float | None = field(
        default=whisper.CHUNK_SECONDS, metadata={"check": whisper.canonical_chunk_seconds}
    )
    input_data_format: str = "default"
    output_data_format: str = "default"

    def _checked(self) -> dict[str, Any]:
        checked = super()._checked()
        if self.sample_rate != whisper.SAMPLE_RATE:
            raise checks.fail(
                "sample_rate",
                f"{whisper.SAMPLE_RATE}, which Whisper was trained at",
                self.sample_rate,
                "Audio of another rate is resampled to it.",
            )
        checks.integer("n_mels", self.n_mels, minimum=1)
        checked.update(_fixed_data_formats(self))
        return checked

    @property
    def quantities(self) -> tuple[str, ...]:
        return ("scaled log power",)

    def n_frames(self, n_samples: Any) -> Any:
        return whisper.n_frames(n_samples, self.chunk_seconds)

    def frame_times(self, n_frames: int) -> np.ndarray:
        return (np.arange(n_frames) * whisper.HOP_LENGTH - whisper.PADDING[0]) / self.sample_rate

    def frequencies(self) -> np.ndarray:
        return filterbanks.mel_edges(self.n_mels, 0.0, whisper.F_MAX, htk=False)[1:-1]
