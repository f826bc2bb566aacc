"""Durations of the clips of a feature set, from its index."""

from dataclasses import dataclass

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.feature_sets.feature_set import FeatureSet, clips_of
from audiopipe.feature_sets.joined_sets import chunks


@dataclass(frozen=True)
class Durations:
    """Durations of clips.

    Args:
        seconds: Duration of each clip in seconds, float64 `[clips]`.
        estimated: Number of clips whose duration is not recorded. Theirs is the number of frames times the time between
            two frames.
        n_frames: Number of frames of all clips.
    """

    seconds: np.ndarray
    estimated: int
    n_frames: int

    @property
    def median(self) -> float:
        """Median in seconds."""
        return float(np.median(self.seconds))

    @property
    def total(self) -> float:
        """Sum in seconds."""
        return float(self.seconds.sum())

    @property
    def are_equal(self) -> bool:
        """Whether all durations round to the same millisecond."""
        return bool(np.ptp(self.seconds) < 5e-4)


def of_clips(feature_set: FeatureSet) -> Durations:
    """Returns the durations of the clips of a feature set or a view."""
    sets, rows = clips_of(feature_set)
    own, step = sets.layout.own, frame_step(feature_set.config)
    found, estimated, total = [np.zeros(0)], 0, 0
    for chunk in chunks(rows):
        seconds = sets.column(own["seconds"], chunk).to_numpy().astype(np.float64)
        n_frames = sets.column(own["n_frames"], chunk).to_numpy()
        total += int(n_frames.sum())
        unknown = ~np.isfinite(seconds)
        if unknown.any():
            seconds = np.where(unknown, n_frames * step, seconds)
            estimated += int(unknown.sum())
        found.append(seconds)
    return Durations(np.concatenate(found), estimated, total)


def frame_step(config: Config) -> float:
    """Returns the time between two frames in seconds.

    Example:
        >>> from audiopipe import registry
        >>> frame_step(registry.get("speech-mel-80"))
        0.01
    """
    first, second = config.frame_times(2)
    return float(second - first)
