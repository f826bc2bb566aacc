"""Mel-frequency cepstral coefficients."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from audiopipe.configs.log_mel import LogMel
from audiopipe.signal import mfcc


@dataclass(frozen=True, kw_only=True)
class Mfcc(LogMel):
    """Config of `audiopipe.composed.get_mfcc_layer`. Its fields are the function's arguments.

    `LogMel` describes the log-mel spectrogram that the coefficients are computed from. Its last fields, from
    `normalization` on, apply to the coefficients.

    Args:
        n_mfcc: Number of coefficients, from coefficient 0. librosa, torchaudio: `n_mfcc`. Kaldi: `num_ceps`.
        dct_norm: Scale of the cosine transform: `"ortho"` (librosa, torchaudio, Kaldi) or `"htk"`, in which coefficient
            0 is larger by the square root of 2 (HTK, `tf.signal`).
        lifter: Liftering parameter L. 0 means none. librosa: `lifter`. Kaldi: `cepstral_lifter`, 22 by default.
        liftering: Factor on coefficient k. `"librosa"` is `1 + L / 2 * sin(pi * (k + 1) / L)`, `"kaldi"` is
            `1 + L / 2 * sin(pi * k / L)`. None means `"librosa"` if there is liftering.
        deltas: Order of the derivatives over time that are appended to the bins: 0 for none, 1, or 2.
        delta_width: Number of frames that a derivative is computed from, odd. None means 5 with `deltas`. librosa:
            `width`, 9 by default. Kaldi: `2 * delta-window + 1`.
        delta_mode: Derivatives at both ends. `"edge"` repeats the outermost frame (Kaldi, HTK; librosa:
            `mode="nearest"`). `"interp"` takes those of the first and the last window in the clip (librosa's default),
            and its second order is that of a fitted parabola; in the other modes, it is the derivative of the first.
            `"symmetric"` and `"reflect"` mirror the frames. None means `"edge"` with `deltas`.

    Raises:
        ConfigError: If a field is out of range or contradicts another one. The message says what to change.

    Example:
        >>> config = Mfcc(n_mfcc=13, deltas=2)
        >>> config.n_bins, config.delta_width, config.quantities
        (39, 5, ('cepstrum',))
    """

    composed: ClassVar[str] = "get_mfcc_layer"

    n_mfcc: int = 20
    dct_norm: str = "ortho"
    lifter: float = 0.0
    liftering: str | None = None
    deltas: int = 0
    delta_width: int | None = None
    delta_mode: str | None = None

    def _resolved(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return mfcc.resolve(fields)

    @property
    def quantities(self) -> tuple[str, ...]:
        return ("normalized cepstrum" if self._is_normalized else "cepstrum",)

    @functools.cached_property
    def n_bins(self) -> int:
        return self.n_mfcc * (self.deltas + 1) * self.stack_frames

    def frequencies(self) -> np.ndarray:
        """Returns the number of each coefficient, which has no frequency: float64 `[bins]`."""
        return np.tile(np.arange(self.n_mfcc, dtype=np.float64), (self.deltas + 1) * self.stack_frames)
