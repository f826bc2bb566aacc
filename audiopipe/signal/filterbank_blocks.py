"""Filterbanks cut into parts: neighbouring bands of a great one share but a few of the frequencies."""

import numpy as np

WEIGHTS_OF_PART = 1 << 13  # of the whole filterbank: for fewer, a part costs as much to start as it saves
FEWEST_BANDS = 24  # of a part: with fewer, processors do not multiply matrices at full speed


def parts(filterbank: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Cut a filterbank between its bands, so that most of its zeros are in no part.

    A mel filterbank of 1025 frequencies and 128 bands becomes 5 parts with a fifth of its weights. How it is cut
    depends on nothing but the filterbank, because the rounding of a product depends on how it is summed.

    Args:
        filterbank: `[frequencies, bands]`.

    Returns:
        For each part, in the order of the bands, its first frequency and its weights `[frequencies, bands]`. A small
        filterbank, or one whose parts would have more than two thirds of its weights, is one part.

    Example:
        >>> from audiopipe.signal import filterbanks
        >>> mel = filterbanks.mel(sample_rate=22050, n_freq=1025, n_mels=128)
        >>> [(first, weights.shape) for first, weights in parts(mel)]
        [(1, (64, 26)), (63, (73, 26)), (133, (138, 26)), (264, (263, 25)), (513, (511, 25))]
    """
    count = min(filterbank.size // WEIGHTS_OF_PART, filterbank.shape[1] // FEWEST_BANDS)
    if count < 2:
        return [(0, filterbank)]
    cut = [_without_silent_ends(bands) for bands in np.array_split(filterbank, count, axis=1)]
    if 3 * sum(weights.size for _, weights in cut) > 2 * filterbank.size:
        return [(0, filterbank)]
    return cut


def _without_silent_ends(bands: np.ndarray) -> tuple[int, np.ndarray]:
    """The first frequency that some bands sum, and their weights from it to the last one; never none."""
    (used,) = np.nonzero(bands.any(axis=1))
    first, last = (used[0], used[-1]) if used.size else (0, 0)
    return int(first), np.ascontiguousarray(bands[first : last + 1])
