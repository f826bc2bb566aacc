"""Sums over the clips of feature sets: which of their values count, and how these are arranged."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.feature_sets import dtypes, record_heads
from audiopipe.signal.feature_sums import FeatureSums

_VALUES_AT_ONCE = 1 << 20  # so that a long recording is never copied as a whole


def empty(config: Config) -> FeatureSums:
    """Returns sums without frames, for features of a config.

    Each channel of the feature has sums of its own if the config has a fixed number of channels. Otherwise, clips
    differ in the number of their channels, so all channels of a clip are summed together: there is one channel for each
    of the config's `quantities`.

    Example:
        >>> from audiopipe import configs
        >>> config = configs.StftMagPhase(n_fft=512, channels=2)
        >>> empty(config).shape, empty(configs.StftMagPhase(n_fft=512, channels=None)).shape
        ((257, 4), (257, 2))
    """
    return FeatureSums((config.n_bins, config.feature_channels or len(config.quantities)))


class ClipSums:
    """Sums over clips of a feature set.

    Args:
        config: Config of the features.
    """

    def __init__(self, config: Config):
        self._config = config
        self._frame_axis = config.frame_axis
        self._sums = empty(config)
        self._are_known = True

    def add(self, feature: np.ndarray, valid_frames: int | None, dtype: str) -> None:
        """Adds the feature of a new clip.

        Args:
            feature: float32 of rank 3, as it was computed.
            valid_frames: Number of frames that hold audio, the first ones. The others are padding and do not count.
                None means that the number is not known; then all frames count.
            dtype: Storage dtype, to which the values are rounded.

        Raises:
            AudioError: If a value that counts is not finite, or the shape is not that of the config. The clip must then
                not be stored.
        """
        try:
            self._add(feature, valid_frames, dtype)
        except ArgumentError as error:
            fault = f"A feature must have finite values and the shape of its config. {error}"
            raise AudioError(fault, stage="feature") from error

    def add_record(self, record: bytes, valid_frames: int | None) -> None:
        """Adds the feature of a record of an older shard, as `add_stored` does.

        Args:
            record: A record from `records.encode`, or one of format 1.
            valid_frames: As in `add`.

        Raises:
            CorruptFeatureSetError: If the record is damaged.
        """
        head = record_heads.head(record)
        values = np.frombuffer(record, dtypes.DTYPES[head.dtype], offset=head.feature_start)
        # The values may start at any byte, where NumPy is slow, so even float32 is copied.
        self.add_stored(values.astype(np.float32).reshape(head.shape), valid_frames)

    def add_stored(self, feature: np.ndarray, valid_frames: int | None) -> None:
        """Adds a feature that is stored already. If an older release stored NaN or infinity, there are no sums.

        Args:
            feature: float32 of rank 3, as it is read.
            valid_frames: As in `add`.
        """
        try:
            self._add(feature, valid_frames, "float32")
        except ArgumentError:
            self._are_known = False

    def merge(self, sums: FeatureSums) -> None:
        """Adds sums over other clips."""
        self._sums.merge(sums)

    @property
    def sums(self) -> FeatureSums | None:
        """The sums, or None if a stored value is not finite."""
        return self._sums if self._are_known else None

    def to_dict(self) -> dict[str, Any] | None:
        """Returns the sums as `FeatureSums.to_dict` does, or None if there are none."""
        return None if self.sums is None else self.sums.to_dict()

    def _add(self, feature: np.ndarray, valid_frames: int | None, dtype: str) -> None:
        n_frames = feature.shape[self._frame_axis]
        n_valid = n_frames if valid_frames is None else min(valid_frames, n_frames)
        self._sums.add_parts(frames_of(feature, self._config, n_valid, dtype))


def frames_of(feature: np.ndarray, config: Config, n_valid: int, dtype: str) -> Iterator[np.ndarray]:
    """Yields the frames of a feature that count, as they are stored, for `FeatureSums.add_parts`.

    Args:
        feature: float32 of rank 3.
        config: Config of the feature.
        n_valid: Number of frames that count, the first ones.
        dtype: Storage dtype.

    Yields:
        float32 `[frames, bins, channels]`, with the channels of `empty`.
    """
    frames = feature if config.output_data_format == "channels_last" else np.moveaxis(feature, config.channel_axis, -1)
    count = max(1, _VALUES_AT_ONCE // max(1, frames[0].size)) if n_valid else 1
    for start in range(0, n_valid, count):
        part = frames[start : min(start + count, n_valid)]
        part = part if dtype == "float32" else dtypes.as_loaded(part, dtype)
        if config.channels is None:
            n_frames, n_bins, _ = part.shape
            quantities = part.reshape(n_frames, n_bins, len(config.quantities), -1)
            part = np.moveaxis(quantities, -1, 1).reshape(-1, n_bins, len(config.quantities))
        yield part
