"""SplitMix64: random numbers of positions, computed from a key and the position alone."""

import numpy as np

# The constants are those of https://doi.org/10.1145/2714064.2660195.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)


def hashed(key: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Returns the numbers that SplitMix64 generates at some positions.

    Args:
        key: Seeds of the generator, int64 or uint64. Its shape broadcasts to that of the positions.
        positions: Positions in its sequence, integers of any shape.

    Returns:
        uint64 of this shape.

    Example:
        >>> hashed(np.uint64(0), np.arange(2)).tolist()
        [16294208416658607535, 7960286522194355700]
    """
    with np.errstate(over="ignore"):
        mixed = np.asarray(key).astype(np.uint64) + (positions.astype(np.uint64) + np.uint64(1)) * _STEP
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST_FACTOR
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND_FACTOR
        return mixed ^ (mixed >> np.uint64(31))


def uniform(key: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Returns random numbers from 0 to below 1 for some positions: float64, see `hashed`.

    Example:
        >>> uniform(np.int64(7), np.arange(3)).round(2).tolist()
        [0.39, 0.02, 0.9]
    """
    return (hashed(key, positions) >> np.uint64(11)) * 2.0**-53
