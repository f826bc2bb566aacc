"""Comparison of the features that a door computes with the stored ones."""

from dataclasses import dataclass

import numpy as np

VALUES_AT_ONCE = 1 << 20


@dataclass(kw_only=True)
class Comparison:
    """Differences between the features that one door computes and the stored ones.

    Args:
        door: Name of the door in reports.
        clips: Number of compared clips.
        values: Number of compared values.
        differing: Number of values whose bits differ.
        max_difference: Largest absolute difference. It is infinite if infinities, NaNs or shapes differ.
        mean_difference: Mean absolute difference.
        worst_clip: Id of the clip with the largest difference, or None if no bit differs.

    Example:
        >>> comparison = Comparison(door="datasets")
        >>> comparison.add("a", np.float32([1, 2, 3, 4]), np.float32([1, 2, 3, 6]))
        >>> comparison.differing, comparison.max_difference, comparison.mean_difference, comparison.worst_clip
        (1, 2.0, 0.5, 'a')
    """

    door: str
    clips: int = 0
    values: int = 0
    differing: int = 0
    max_difference: float = 0.0
    mean_difference: float = 0.0
    worst_clip: str | None = None

    def add(self, clip_id: str, stored: np.ndarray, computed: np.ndarray) -> None:
        """Adds one clip to the comparison.

        Args:
            clip_id: Id of the clip.
            stored: Stored feature, float32.
            computed: Computed feature, float32.
        """
        self.clips += 1
        total = self.mean_difference * self.values
        self.values += stored.size
        if stored.shape != computed.shape:
            self._add_differences(clip_id, stored.size, np.inf)
            total = np.inf
        else:
            flat_stored, flat_computed = np.ravel(stored), np.ravel(computed)
            for start in range(0, stored.size, VALUES_AT_ONCE):
                block = slice(start, start + VALUES_AT_ONCE)
                total += self._add_block(clip_id, flat_stored[block], flat_computed[block])
        self.mean_difference = total / self.values if self.values else 0.0

    def _add_block(self, clip_id: str, stored: np.ndarray, computed: np.ndarray) -> float:
        """Compares some values of a clip and returns the sum of their differences."""
        differs = stored.view(np.uint32) != computed.view(np.uint32)
        if not differs.any():
            return 0.0
        with np.errstate(invalid="ignore"):  # casting a signaling NaN
            difference = np.abs(stored[differs].astype(np.float64) - computed[differs])
        # A difference is NaN if only one value is NaN, or if two NaNs differ in sign or payload.
        difference = np.where(np.isnan(difference), np.inf, difference)
        self._add_differences(clip_id, int(differs.sum()), float(difference.max()))
        return float(difference.sum())

    def _add_differences(self, clip_id: str, count: int, largest: float) -> None:
        self.differing += count
        # The bits of 0.0 and -0.0 differ, but their difference is 0, which is not larger than `max_difference`.
        if self.worst_clip is None or largest > self.max_difference:
            self.worst_clip = clip_id
        self.max_difference = max(self.max_difference, largest)
