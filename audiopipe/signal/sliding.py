"""Windows of a fixed length that slide over the frames of a feature."""

from dataclasses import dataclass
from typing import Any

from audiopipe import checks
from audiopipe.signal.framing import any_samples, wide


@dataclass(frozen=True)
class SlidingWindows:
    """Sizes of sliding windows. Window `i` begins with frame `i * hop`. Use `SlidingWindows.resolve` to check sizes.

    Args:
        length: Number of frames of a window.
        hop: Number of frames from the start of a window to that of the next one.
    """

    length: int
    hop: int

    @classmethod
    def resolve(cls, n_frames: int, hop: int | None = None) -> "SlidingWindows":
        """Checks the sizes. A `hop` of None means `n_frames`: windows do not overlap.

        Raises:
            ArgumentError: If a size is not an integer of at least 1, or `hop` is greater than `n_frames`.

        Example:
            >>> windows = SlidingWindows.resolve(96, 48)
            >>> windows.inside(200), windows.covering(200)
            (3, 4)
        """
        n_frames = checks.integer("n_frames", n_frames, minimum=1)
        step = n_frames if hop is None else checks.integer("hop", hop, minimum=1)
        if step > n_frames:
            raise checks.fail("hop", f"at most n_frames={n_frames}, so that windows cover all frames", hop)
        return cls(n_frames, step)

    def inside(self, size: Any) -> Any:
        """Returns the number of windows that lie inside `size` frames.

        Args:
            size: An int, a NumPy array or a tensor of integers.

        Returns:
            The number of windows, of the same kind as `size`; 0 if the frames do not fill one window.
        """
        return _positive((wide(size) - self.length + self.hop) // self.hop)

    def covering(self, size: Any) -> Any:
        """Returns the number of windows that cover all of `size` frames. Only the last one may reach beyond them.

        Args:
            size: An int, a NumPy array or a tensor of integers.

        Returns:
            The number of windows, of the same kind as `size`; 0 if there are no frames.
        """
        beyond_first = _positive(wide(size) - self.length)
        return (1 - (-beyond_first // self.hop)) * any_samples(wide(size))

    def spanned(self, count: Any) -> Any:
        """Returns the number of frames from the start of the first to the end of the last of `count` windows.

        Args:
            count: An int, a NumPy array or a tensor of integers.

        Returns:
            The number of frames, of the same kind as `count`; 0 without windows.
        """
        return ((count - 1) * self.hop + self.length) * any_samples(count)


def _positive(numbers: Any) -> Any:
    """Returns each number, or 0 if it is negative, with operators that ints, arrays and tensors share."""
    return (numbers + abs(numbers)) // 2
