"""The last step of a normalized config, `(x - mean) / std`, on stored features in NumPy."""

import functools

import numpy as np

from audiopipe.configs.base import Config


class Normalization:
    """Callable that applies the last step of a normalized config to features.

    Both operations are in float32, as in the layer of the config, so the bits are equal.

    Args:
        config: The normalized config.

    Raises:
        ValueError: If the config is not normalized.

    Example:
        >>> from audiopipe import Statistics, configs
        >>> config = configs.NormalizedWaveform().normalized(Statistics(mean=[1.0], std=[2.0]))
        >>> Normalization(config)(np.full([3, 1, 1], 4, np.float32)).ravel()
        array([1.5, 1.5, 1.5], dtype=float32)
    """

    def __init__(self, config: Config):
        if config.standardization is None:
            raise ValueError(f"The config must be normalized. Received: {config!r}.")
        self._config, self._standardization = config, config.standardization
        self._numbers = functools.lru_cache(maxsize=64)(self._of_channels)

    def __call__(self, feature: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Returns normalized features.

        Args:
            feature: Feature of a clip, float32, with any number of axes before its own.
            out: Array for the result, which may be `feature`. None means a new one.
        """
        mean, std = self._numbers(feature.shape[self._config.channel_axis - 3])
        out = np.subtract(feature, mean, out=out)
        return np.divide(out, std, out=out)

    def _of_channels(self, channels: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the mean and the divisor in the layout of a feature with some channels."""
        mean, std = self._standardization.arrays(channels)
        if self._config.output_data_format == "channels_first":
            return mean.T[:, None], std.T[:, None]
        return mean, std
