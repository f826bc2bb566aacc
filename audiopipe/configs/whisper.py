"""Log-mel spectrograms of Whisper."""

import functools
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from audiopipe import checks
from audiopipe.configs.base import Config
from audiopipe.configs.data_formats import fixed_data_formats
from audiopipe.signal import filterbanks, whisper
from audiopipe.signal.edges import EdgeFraming


@dataclass(frozen=True, kw_only=True)
class WhisperLogMel(Config):
    """Config of `audiopipe.composed.get_whisper_log_mel_layer`. Its fields are the function's arguments.

    `Config` describes `sample_rate`, `channels`, `channel`, `decoder`, `resampler` and `resampler_quality`.
    `sample_rate` is 16000, the rate that Whisper was trained at.

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
        filterbanks.check_bands("n_mels", self.n_mels, whisper.N_FFT // 2 + 1)
        checked.update(fixed_data_formats(self))
        return checked

    @property
    def quantities(self) -> tuple[str, ...]:
        return ("scaled log power",)

    @property
    def decibels_per_unit(self) -> float | None:
        return 40.0 if self.quantities == ("scaled log power",) else None  # (log10 of the power + 4) / 4

    @property
    def framing(self) -> EdgeFraming | None:
        return whisper.framing() if self.chunk_seconds is None else None

    def n_frames(self, n_samples: Any) -> Any:
        return whisper.n_frames(n_samples, self.chunk_seconds)

    def valid_frames(self, n_samples: Any) -> Any:
        """Returns the number of frames that hold audio of a clip: those whose hop starts within the clip.

        Example:
            >>> WhisperLogMel().valid_frames(16000), WhisperLogMel().valid_frames(16001)
            (100, 101)
        """
        return whisper.valid_frames(n_samples, self.chunk_seconds)

    @property
    def pads_clips(self) -> bool:
        return self.chunk_seconds is not None

    def kept_samples(self, n_samples: Any) -> Any:
        """Returns the number of samples of a clip that the feature covers: at most those of a chunk.

        Example:
            >>> WhisperLogMel().kept_samples(16000), WhisperLogMel().kept_samples(42 * 16000)
            (16000, 480000)
        """
        return whisper.kept_samples(n_samples, self.chunk_seconds)

    def frame_times(self, n_frames: int) -> np.ndarray:
        return (np.arange(n_frames) * whisper.HOP_LENGTH - whisper.PADDING[0]) / self.sample_rate

    def frame_centres(self, n_frames: int) -> np.ndarray:
        return np.arange(n_frames) * whisper.HOP_LENGTH / self.sample_rate

    @functools.cached_property
    def n_bins(self) -> int:
        return self.n_mels

    def frequencies(self) -> np.ndarray:
        return filterbanks.mel_edges(self.n_mels, 0.0, whisper.F_MAX, htk=False)[1:-1]
