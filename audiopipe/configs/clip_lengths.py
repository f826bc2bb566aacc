"""Lengths of clips that have a certain number of frames."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audiopipe.configs.base import Config

MAX_SAMPLES = 1 << 40  # more than any recording has: two years at 16 kHz


def fewest_samples(config: Config, n_frames: int, *, valid: bool = False) -> int:
    """Returns the smallest number of samples that gives at least `n_frames` frames.

    If no clip has that many frames, as with padded chunks, the result is `MAX_SAMPLES`.

    Args:
        config: Config of the feature.
        n_frames: Number of frames.
        valid: Whether only frames that hold audio count.

    Example:
        >>> from audiopipe import configs
        >>> fewest_samples(configs.StftMagnitude(sample_rate=16000, n_fft=512, hop_length=160), 3)
        832
    """
    least, most, count = 0, 1, config.valid_frames if valid else config.n_frames
    while count(most) < n_frames:
        if most >= MAX_SAMPLES:
            return most
        least, most = most, 2 * most
    return bisect.bisect_left(range(least, most), n_frames, key=count) + least
