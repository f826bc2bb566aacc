"""Numbers of the last step of a normalized config, `(x - mean) / std`."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from audiopipe import checks
from audiopipe.errors import ArgumentError, ConfigError
from audiopipe.signal.statistics import Statistics

if TYPE_CHECKING:
    from audiopipe.configs.base import Config

PER = ("bin", "global")
Table = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Standardization:
    """Mean and divisor of the last step of a normalized config. `Config.normalized` makes it.

    All numbers are rounded to float32 once, when the object is made. Python's floats hold them exactly, also in JSON.

    Args:
        mean: Numbers to subtract, `[bins][channels]`. Either size can be 1, for a number that fits all bins or all
            channels. With one number for each quantity, it fits all channels of the quantity.
        std: Numbers to divide by, of the same shape, greater than 0.

    Raises:
        ArgumentError: If the numbers have other shapes or are out of range.

    Example:
        >>> Standardization(mean=[[-31.2], [-12.5]], std=[[9.9], [4.1]])
        Standardization(2 bins, mean -31.2 .. -12.5, std 4.1 .. 9.9, sha256 767f22c4)
    """

    mean: Table
    std: Table

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", _table("mean", self.mean, -checks.LARGEST_FLOAT32))
        object.__setattr__(self, "std", _table("std", self.std, checks.SMALLEST_FLOAT32))
        if self._shape(self.mean) != self._shape(self.std):
            raise ArgumentError(
                "mean and std must have the same shape, [bins][channels]. Received: "
                f"{self._shape(self.mean)} numbers in mean, {self._shape(self.std)} in std."
            )

    @staticmethod
    def _shape(table: Table) -> list[int]:
        return [len(table), len(table[0])]

    @property
    def n_bins(self) -> int:
        """Number of bins, or 1 if the numbers fit all bins."""
        return len(self.mean)

    @property
    def n_channels(self) -> int:
        """Number of channels, see `Standardization`."""
        return len(self.mean[0])

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the numbers: 64 hexadecimal characters."""
        return hashlib.sha256(json.dumps(self.to_dict()).encode()).hexdigest()

    def to_dict(self) -> dict[str, list[list[float]]]:
        """Returns the numbers as they are in the JSON of a config."""
        return {"mean": [list(row) for row in self.mean], "std": [list(row) for row in self.std]}

    def arrays(self, n_channels: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and divisor for a feature.

        Args:
            n_channels: Number of channels of the feature.

        Returns:
            Two float32 arrays that broadcast to `[bins, n_channels]`.
        """
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        if self.n_channels in (1, n_channels):
            return mean, std
        times = n_channels // self.n_channels
        return np.repeat(mean, times, axis=-1), np.repeat(std, times, axis=-1)

    def apply(self, feature: np.ndarray, config: Config, out: np.ndarray | None = None) -> np.ndarray:
        """Normalizes a feature in NumPy, with the bits of the layer of the normalized config.

        Args:
            feature: Feature of `config`, float32 in the shape of `Config.feature_shape`, with any number of axes before
                it.
            config: The config, normalized or not.
            out: Array for the result, which may be `feature`. None means a new one.

        Returns:
            `(feature - mean) / std`, float32 in the same shape.

        Example:
            >>> from audiopipe import configs
            >>> config = configs.NormalizedWaveform()
            >>> Standardization(mean=[[1.0]], std=[[2.0]]).apply(np.full((2, 1, 1), 4, np.float32), config).ravel()
            array([1.5, 1.5], dtype=float32)
        """
        mean, std = _in_layout(self, feature.shape[config.channel_axis - 3], config.output_data_format)
        out = np.subtract(feature, mean, out=out)
        return np.divide(out, std, out=out)

    def check_fits(self, config: Config) -> None:
        """Raises an error unless the numbers have the bins and channels of the feature of a config.

        Raises:
            ConfigError: If they do not.
        """
        channels = sorted({1, len(config.quantities), config.feature_channels or 1})
        if self.n_bins not in (1, config.n_bins) or self.n_channels not in channels:
            raise ConfigError(
                f"{type(config).__name__}: standardization must have 1 or {config.n_bins} bins, and "
                f"{_channels(channels)}. Received: {self.n_bins} bins and {_channels([self.n_channels])}. "
                "Compute the statistics of this feature, or change the fields of `config.without_normalization`, which "
                "has no statistics."
            )

    def __repr__(self) -> str:
        mean, std = ([number for row in table for number in row] for table in (self.mean, self.std))
        bins = f"{self.n_bins} bins" if self.n_bins > 1 else "all bins"
        channels = f" of {self.n_channels} channels" if self.n_channels > 1 else ""
        return f"Standardization({bins}{channels}, mean {_range(mean)}, std {_range(std)}, sha256 {self.digest[:8]})"

    def __hash__(self) -> int:
        return hash(self.digest)  # hashing thousands of numbers takes long, and caches are found by configs

    def __reduce__(self):
        return Standardization, (self.mean, self.std)  # without the cached digest, which is in some equal objects only


@functools.lru_cache(maxsize=64)  # making the arrays takes longer than normalizing a short clip
def _in_layout(numbers: Standardization, n_channels: int, data_format: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and divisor in the layout of a feature with some channels."""
    mean, std = numbers.arrays(n_channels)
    return (mean, std) if data_format == "channels_last" else (mean.T[:, None], std.T[:, None])


def check(name: str, value: Any) -> Standardization | None:
    """Returns the value of the field of a config: None, a `Standardization`, or one made from its JSON.

    Raises:
        ArgumentError: If it is something else.
    """
    if value is None or isinstance(value, Standardization):
        return value
    if isinstance(value, dict) and set(value) == {"mean", "std"}:
        return Standardization(**value)
    keys = f"a dict with the keys {', '.join(map(str, value))}" if isinstance(value, dict) else None
    raise ArgumentError(
        f'{name} must be None, or {{"mean": [[...]], "std": [[...]]}} with numbers [bins][channels]. Received: '
        f"{keys or checks.shown(value, 200)}. Use config.normalized(statistics)."
    )


def of_statistics(config: Config, statistics: Any, per: str, eps: float) -> Standardization:
    """Returns the numbers of `Config.normalized`, which describes the arguments.

    Raises:
        ConfigError: If the statistics are those of another feature, or an argument is out of range.
    """
    try:
        checks.choice("per", per, PER)
        eps = checks.real("eps", eps, minimum=checks.SMALLEST_FLOAT32, maximum=checks.LARGEST_FLOAT32)
        mean, std = _checked(config, statistics)
        if per == "global":
            mean, std = _of_quantities(len(config.quantities), mean, std, statistics.count)
        return Standardization(mean.tolist(), np.maximum(std, eps).tolist())
    except ConfigError:
        raise
    except ArgumentError as error:
        raise ConfigError(f"{type(config).__name__}.normalized: {error}") from error


def _checked(config: Config, statistics: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean and the standard deviation `[bins, channels]` if the statistics are those of a config.

    Raises:
        ConfigError: If they are not.
    """
    name = type(config).__name__
    if not isinstance(statistics, Statistics):
        raise ConfigError(
            f"{name}.normalized needs statistics, such as `FeatureSet(path).statistics` or `Statistics(mean=..., "
            f"std=...)`. Received: {type(statistics).__name__}."
        )
    if statistics.fingerprint not in (None, config.fingerprint):
        raise ConfigError(_other_feature(config, statistics.fingerprint))
    mean, std = statistics.mean, statistics.std
    channels = sorted({len(config.quantities), config.feature_channels or len(config.quantities)})
    if mean.shape not in [(config.n_bins, count) for count in channels]:
        raise ConfigError(
            f"The statistics must have a number for each of the {config.n_bins} bins and "
            f"{_channels(channels)} of {name}. Received: a mean of shape "
            f"{list(mean.shape)}. Compute the statistics of a feature set of this config. Repeat a number that fits "
            f"all bins: np.full({config.n_bins}, number)."
        )
    return mean, std


def _other_feature(config: Config, fingerprint: str) -> str:
    """Returns the message of an error about the statistics of another feature."""
    for version in range(1, config.kernel_version):
        if config.fingerprint_at(version) == fingerprint:
            return (
                f"The statistics must be those of the feature that this release computes, of kernel version "
                f"{config.kernel_version}. Received: statistics of kernel version {version} of the same config, which "
                "had other bits. Compute the feature set again, and use its statistics."
            )
    return (
        f"The statistics must be those of this {type(config).__name__}, fingerprint {config.fingerprint}. Received: "
        f"statistics of the feature with fingerprint {fingerprint}. `audiopipe configs diff` shows how the configs of "
        "two feature sets differ. Use the statistics of a set of this config."
    )


def _of_quantities(
    quantities: int, mean: np.ndarray, std: np.ndarray, count: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean and the standard deviation of all values of each quantity, float64 `[1, quantities]`.

    They are computed exactly and rounded once, so that every machine gets the same fingerprint.
    """
    weights = np.ones_like(mean) if count is None else np.broadcast_to(count, mean.shape)
    means, stds = [], []
    for number in range(quantities):
        shown = np.s_[:, number * mean.shape[1] // quantities : (number + 1) * mean.shape[1] // quantities]
        cells = [
            (Fraction(weight), Fraction(middle), Fraction(deviation))
            for weight, middle, deviation in zip(
                weights[shown].ravel().tolist(), mean[shown].ravel().tolist(), std[shown].ravel().tolist(), strict=True
            )
        ]
        total = sum(weight for weight, *_ in cells)
        centre = sum(weight * middle for weight, middle, _ in cells) / total
        squares = sum(weight * (deviation**2 + (middle - centre) ** 2) for weight, middle, deviation in cells)
        means.append(float(centre))
        stds.append(math.sqrt(squares / total))
    return np.array([means]), np.array([stds])


def _table(name: str, values: Any, minimum: float) -> Table:
    """Returns numbers `[bins][channels]`, rounded to float32."""
    values = values.tolist() if isinstance(values, np.ndarray) else values
    rows = values if isinstance(values, (list, tuple)) else []
    if not rows or not all(isinstance(row, (list, tuple)) and len(row) == len(rows[0]) > 0 for row in rows):
        raise ArgumentError(
            f"{name} must be a list of one list for each bin, with one number for each channel. Received: "
            f"{name}={values!r:.80}."
        )
    return tuple(
        tuple(_float32(f"{name}[{place}][{channel}]", number, minimum) for channel, number in enumerate(row))
        for place, row in enumerate(rows)
    )


def _float32(name: str, number: Any, minimum: float) -> float:
    number = checks.real(name, number, minimum=minimum, maximum=checks.LARGEST_FLOAT32)
    return float(np.float32(number)) + 0.0  # -0.0 becomes 0.0, as a small negative number can be rounded to it


def _channels(numbers: list[int]) -> str:
    return f"{' or '.join(map(str, numbers))} channel{'' if numbers == [1] else 's'}"


def _range(numbers: list[float]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least:.4g}" if least == most else f"{least:.4g} .. {most:.4g}"
