"""Draws of clips from several sources with given probabilities."""

from collections.abc import Sequence

import numpy as np

from audiopipe.feature_sets.splitmix64 import hashed, uniform

SMALL_SOURCE = 64
"""Clips of a source up to which its order is found by sorting. `index_shuffle` takes 65536 / clips steps per clip."""


class WeightedDraws:
    """Draws from sources, whose clips come in random orders.

    A clip is not drawn again before all others of its source were. Draws depend on the random numbers of the epoch, the
    position, and the number of earlier draws of each source.

    Args:
        weights: Probability of each source, up to a common factor.
        sizes: Number of clips of each source, which follow each other in this order.
    """

    def __init__(self, weights: Sequence[float] | np.ndarray, sizes: Sequence[int] | np.ndarray):
        self.sizes = np.array(sizes, np.int64)
        self.count = int(self.sizes.sum())
        self._starts = np.cumsum(self.sizes) - self.sizes
        self._bounds = np.cumsum(np.array(weights, np.float64) / np.sum(weights))
        # Rounding must not leave a gap at the end, nor give it to a source of weight 0.
        self._bounds[np.flatnonzero(weights)[-1:].sum() :] = 1.0

    def draw(self, numbers: np.ndarray, taken: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, ...]:
        """Draws clips for some positions of an epoch.

        Args:
            numbers: Random numbers of the epoch, int64 `[2]`.
            taken: Number of draws of each source at earlier positions, int64 `[sources]`.
            positions: The positions, int64 `[positions]`.

        Returns:
            Number of draws of each source so far, int64 `[sources]`. For each position the first clip of the drawn
            source, its size, and a place in it, int64 `[3, positions]`. In sources of more than `SMALL_SOURCE` clips,
            the place still has to be shuffled with three seeds, int64 `[positions, 3]`.
        """
        sources = np.searchsorted(self._bounds, uniform(numbers[0], positions), side="right")
        ranks = taken[sources] + _earlier(sources)
        sizes = self.sizes[sources]
        passes, places = np.divmod(ranks, sizes)
        keys = hashed(hashed(numbers[1], sources), passes)
        small = sizes <= SMALL_SOURCE
        places[small] = _sorted_places(keys[small], sizes[small], places[small])
        seeds = np.stack([np.zeros_like(keys), keys >> np.uint64(32), keys & np.uint64(0xFFFFFFFF)], axis=1)
        taken = taken + np.bincount(sources, minlength=len(taken))
        return taken, np.stack([self._starts[sources], sizes, places]), seeds.astype(np.int64)


def _earlier(values: np.ndarray) -> np.ndarray:
    """Returns how often each value occurs before its position.

    Example:
        >>> _earlier(np.array([4, 4, 2, 4])).tolist()
        [0, 1, 0, 2]
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    earlier = np.empty_like(order)
    earlier[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered, side="left")
    return earlier


def _sorted_places(keys: np.ndarray, sizes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Returns the items at some places of random orders.

    Args:
        keys: Key of each order, uint64 `[orders]`.
        sizes: Number of its items, int64 `[orders]`.
        places: Place in it, int64 `[orders]`.
    """
    if not len(keys):
        return places
    items = np.arange(sizes.max())
    ranks = hashed(keys[:, None], items[None]) >> np.uint64(1)
    ranks[items[None] >= sizes[:, None]] = np.iinfo(np.uint64).max
    return np.argsort(ranks, axis=1, kind="stable")[np.arange(len(keys)), places]
