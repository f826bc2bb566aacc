"""Difference of the statistics of two sets of clips: training and test, last month and this one."""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiopipe.errors import ArgumentError, ConfigMismatchError

if TYPE_CHECKING:
    from audiopipe.signal.statistics import Statistics


@dataclass(frozen=True, eq=False)
class Drift:
    """Difference of two statistics in standard deviations of the first one, bin by bin.

    A bin that is constant in the first set has a standard deviation of 0. If it has the same value everywhere in the
    second set, its differences are 0. Otherwise, those that are not 0 are infinite.

    Args:
        mean: `(second.mean - first.mean) / first.std`, float64 `[bins, channels]`.
        std: `(second.std - first.std) / first.std`, float64 `[bins, channels]`. It is at least -1.
    """

    mean: np.ndarray
    std: np.ndarray

    @functools.cached_property
    def sizes(self) -> np.ndarray:
        """The larger absolute value of the two differences: float64 `[bins, channels]`."""
        return np.maximum(np.abs(self.mean), np.abs(self.std))

    @property
    def largest(self) -> float:
        """The largest of `sizes`."""
        return float(self.sizes.max())

    def worst(self) -> list[tuple[int, int]]:
        """Returns all pairs of a bin and a channel, those with the largest difference first."""
        order = np.argsort(-self.sizes, axis=None, kind="stable")
        return [(int(position) // self.sizes.shape[1], int(position) % self.sizes.shape[1]) for position in order]

    def beyond(self, tolerance: float) -> int:
        """Returns how many pairs of a bin and a channel differ by more than a number of standard deviations."""
        return int((self.sizes > tolerance).sum())


def compare_statistics(first: "Statistics", second: "Statistics") -> Drift:
    """Compares two statistics of one feature.

    Args:
        first: Statistics whose standard deviations are the unit, such as those of the training set.
        second: Statistics to compare.

    Returns:
        The differences. Each is the float64 quotient of a float64 difference.

    Raises:
        ConfigMismatchError: If the statistics belong to different features.
        ArgumentError: If they have different shapes.

    Example:
        >>> from audiopipe.signal.statistics import Statistics
        >>> found = compare_statistics(
        ...     Statistics(mean=[-30, -20], std=[4, 2]), Statistics(mean=[-30, -21], std=[5, 2])
        ... )
        >>> found.mean[:, 0], found.std[:, 0]
        (array([ 0. , -0.5]), array([0.25, 0.  ]))
        >>> found.worst(), found.beyond(0.3)
        ([(1, 0), (0, 0)], 1)
    """
    if None not in (first.fingerprint, second.fingerprint) and first.fingerprint != second.fingerprint:
        raise ConfigMismatchError(
            "Statistics of different features cannot be compared. Received: statistics of the features with the "
            f"fingerprints {first.fingerprint} and {second.fingerprint}. Compute both sets with one config."
        )
    if first.mean.shape != second.mean.shape:
        raise ArgumentError(
            "Statistics must have the same numbers of bins and channels to be compared. Received: "
            f"{first.mean.shape} and {second.mean.shape}."
        )
    return Drift(_quotient(second.mean - first.mean, first.std), _quotient(second.std - first.std, first.std))


def _quotient(difference: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Divides differences by units. The quotient of two zeros is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0.0, difference / unit)
