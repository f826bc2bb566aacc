"""Splitting of large filterbanks. Neighbouring bands use few of the frequencies, so most weights are zero."""

import numpy as np

WEIGHTS_OF_PART = 1 << 13  # weights of the whole filterbank per part; a smaller part saves no more than it costs
MIN_BANDS = 24  # per part; processors multiply narrower matrices below full speed


def parts(filterbank: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Splits a filterbank between its bands and drops most of its zeros.

    A mel filterbank of 1025 frequencies and 128 bands becomes 5 parts with a fifth of its weights. The split depends
    on the filterbank alone, because the rounding of a product depends on the order of its sum.

    Args:
        filterbank: Array of shape `[frequencies, bands]`.

    Returns:
        The first frequency and the weights `[frequencies, bands]` of each part, in the order of the bands. A
        filterbank stays in one part if it is small or if its parts would have more than two thirds of its weights.

    Example:
        >>> from audiopipe.signal import filterbanks
        >>> mel = filterbanks.mel(sample_rate=22050, n_freq=1025, n_mels=128)
        >>> [(first, weights.shape) for first, weights in parts(mel)]
        [(1, (64, 26)), (63, (73, 26)), (133, (138, 26)), (264, (263, 25)), (513, (511, 25))]
    """
    count = min(filterbank.size // WEIGHTS_OF_PART, filterbank.shape[1] // MIN_BANDS)
    if count < 2:
        return [(0, filterbank)]
    blocks = [_without_zero_ends(bands) for bands in np.array_split(filterbank, count, axis=1)]
    if 3 * sum(weights.size for _, weights in blocks) > 2 * filterbank.size:
        return [(0, filterbank)]
    return blocks


def _without_zero_ends(bands: np.ndarray) -> tuple[int, np.ndarray]:
    """Returns the first frequency that the bands use, and their weights from there to the last one; at least one."""
    (used,) = np.nonzero(bands.any(axis=1))
    first, last = (used[0], used[-1]) if used.size else (0, 0)
    return int(first), np.ascontiguousarray(bands[first : last + 1])
