"""Lengths of clips in a feature set that was made from features, which have frames and no samples."""

from collections import Counter
from typing import Any

from audiopipe.configs import clip_lengths
from audiopipe.configs.base import Config
from audiopipe.feature_sets import valid_frames


def fewest_samples(config: Config, n_frames: int, valid: int | None) -> int:
    """Returns the least number of samples that a clip can have.

    Args:
        config: Config of the feature.
        n_frames: Number of frames.
        valid: Number of frames that hold audio. None means that it is not known.
    """
    if config.pads_clips and valid is not None:
        return clip_lengths.fewest_samples(config, valid, valid=True)
    return clip_lengths.fewest_samples(config, n_frames)


class Lengths:
    """Sums up the lengths of the clips of a feature set.

    Args:
        config: Config of the feature.

    Example:
        >>> from audiopipe import registry
        >>> lengths = Lengths(registry.get("whisper-80"))
        >>> lengths.add(3000, 100)
        >>> {name: round(3600 * count, 2) if name == "hours" else count for name, count in lengths.counts().items()}
        {'frames': 3000, 'hours': 0.99}
    """

    def __init__(self, config: Config):
        self._config = config
        self._clips: Counter[tuple[int, int | None]] = Counter()  # by numbers of frames and of valid frames

    @property
    def n_clips(self) -> int:
        """Number of clips."""
        return self._clips.total()

    def add(self, n_frames: int, valid: int | None) -> None:
        """Adds a clip."""
        self._clips[n_frames, valid] += 1

    def counts(self) -> dict[str, Any]:
        """Returns the counts in `dataset.json` about frames and lengths."""
        config, rate = self._config, self._config.sample_rate
        samples = padding = unknown = 0
        for (n_frames, valid), clips in self._clips.items():
            samples += fewest_samples(config, n_frames, valid) * clips
            if valid is None:
                unknown += clips
            elif not config.pads_clips:
                padded, unpadded = (fewest_samples(config, count, None) for count in (n_frames, valid))
                padding += (padded - unpadded) * clips
        return {
            "frames": sum(n_frames * clips for (n_frames, _), clips in self._clips.items()),
            "hours": samples / rate / 3600,
            **({"padded_seconds": padding / rate} if padding else {}),
            **({valid_frames.COUNT_OF_UNKNOWN: unknown} if unknown else {}),
        }
