"""What a reference says about one clip."""

from dataclasses import dataclass

import numpy as np

LN = 1.0
LOG10 = 1 / np.log(10)
DECIBELS = 10 / np.log(10)


@dataclass(frozen=True)
class Reference:
    """A front end's feature of one clip in float64, and what lies behind it.

    Attributes:
        mel: Mel spectrum before the logarithm and its floor or offset, `[frames, bins]`.
        peak: Maximum of each frame before the logarithm, in and beside the filters, `[frames]`. See `pieces.bands`.
        log: Its logarithm before normalization, stacking and padding, `[frames, bins]`.
        feature: The final feature, `[rows, values]`.
        power: 1 if `mel` sums magnitudes, 2 if it sums powers.
        floor: What the logarithm raises smaller values to, or adds to all.
        logarithmic: Whether `log` is the logarithm of `mel`, and not equal to it.
        log_unit: By how much `log` grows when `mel` grows by the factor e: see `LN`, `LOG10` and `DECIBELS`.
        gain: Units of the feature per unit of `log`, a number or one per bin. It is 0 where the feature is constant.
        normalized: Whether every clip is normalized by its own mean and deviation.
        stack: Number of frames in a row of the feature.
        n_frames: Frames of `log` whose values are in the feature. What the feature holds behind them is padding.
        valid_frames: Rows of the feature that hold audio alone.
    """

    mel: np.ndarray
    peak: np.ndarray
    log: np.ndarray
    feature: np.ndarray
    power: int
    floor: float
    logarithmic: bool = True
    log_unit: float = LN
    gain: float | np.ndarray = 1.0
    normalized: bool = False
    stack: int = 1
    n_frames: int = -1
    valid_frames: int = -1

    def __post_init__(self):
        if self.n_frames < 0:
            object.__setattr__(self, "n_frames", len(self.log))
        if self.valid_frames < 0:
            object.__setattr__(self, "valid_frames", self.n_frames // self.stack)

    @property
    def decibels(self):
        return self.log_unit == DECIBELS

    def frames_of(self, feature):
        """Splits rows into frames: the frames of the clip `[n_frames, bins]`, and those that are padding."""
        frames = np.reshape(feature, (len(feature) * self.stack, self.log.shape[1]))
        return frames[: self.n_frames], frames[self.n_frames :]
