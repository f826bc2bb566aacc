"""How the features that a door computes differ from the stored ones."""

from dataclasses import dataclass

import numpy as np

VALUES_AT_ONCE = 1 << 20


@dataclass(kw_only=True)
class Comparison:
    """How the features that one door computes differ from the stored ones.

    Args:
        door: The door, as people call it.
        clips: Clips compared.
        values: Values compared.
        differing: Values whose bits differ.
        max_difference: Greatest absolute difference; infinite where only one of two values is, or is NaN, and where a
            feature has another shape.
        mean_difference: Mean absolute difference.
        worst_clip: Id of the clip with the greatest difference, or None where no bit differs.

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
        """Compare one clip, float32 arrays."""
        self.clips += 1
        total = self.mean_difference * self.values
        self.values += stored.size
        if stored.shape != computed.shape:
            self._differs(clip_id, stored.size, np.inf)
            total = np.inf
        else:
            flat_stored, flat_computed = np.ravel(stored), np.ravel(computed)
            for start in range(0, stored.size, VALUES_AT_ONCE):
                block = slice(start, start + VALUES_AT_ONCE)
                total += self._add_block(clip_id, flat_stored[block], flat_computed[block])
        self.mean_difference = total / self.values if self.values else 0.0

    def _add_block(self, clip_id: str, stored: np.ndarray, computed: np.ndarray) -> float:
        """Compare some values of a clip, and return the sum of their differences."""
        differs = stored.view(np.uint32) != computed.view(np.uint32)
        if not differs.any():
            return 0.0
        with np.errstate(invalid="ignore"):  # infinity minus itself, with another sign of NaN beside it
            difference = np.abs(stored[differs].astype(np.float64) - computed[differs])
        # A NaN here is one that only one of the two has, or one with another sign or payload.
        difference = np.where(np.isnan(difference), np.inf, difference)
        self._differs(clip_id, int(differs.sum()), float(difference.max()))
        return float(difference.sum())

    def _differs(self, clip_id: str, count: int, greatest: float) -> None:
        self.differing += count
        # Of zeros with different signs the bits differ by nothing.
        if self.worst_clip is None or greatest > self.max_difference:
            self.worst_clip = clip_id
        self.max_difference = max(self.max_difference, greatest)
