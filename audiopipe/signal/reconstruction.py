"""Synthesis windows for overlap-add, and the check that frames determine their waveform.

Let `w` be the window of the frames and `D` the sum of the squared windows over each sample. Frames multiplied by
`w / D` add up to the waveform. `D` repeats with the hop: `D[r] = sum over k of w[r + k * hop_length] ** 2`.
"""

import math

import numpy as np

from audiopipe.errors import ArgumentError

# The error of a float32 reconstruction is about 1e-7 times the square root of max(D) / min(D). This limit keeps it
# below 1e-5; tests/composed/test_stfts.py measures it.
MAX_ERROR_GROWTH = 30.0


def synthesis_window(window: np.ndarray, hop_length: int) -> np.ndarray:
    """Computes the window `w / D` that multiplies frames before they are added.

    It is the least-squares inverse: for a spectrogram that belongs to no waveform, it yields the nearest waveform. It
    is zero where `D` is zero.

    Args:
        window: The analysis window of the frames, float64 `[win_length]`.
        hop_length: Samples between neighbouring frames.

    Returns:
        float64 `[win_length]`.

    Example:
        >>> synthesis_window(np.array([0.0, 0.5, 1.0, 0.5]), hop_length=2)
        array([0., 1., 1., 1.])
    """
    overlap = _overlap(window, hop_length)[np.arange(len(window)) % hop_length]
    return np.divide(window, overlap, out=np.zeros(len(window)), where=overlap > 0)


def error_growth(window: np.ndarray, hop_length: int) -> float:
    """Returns the factor by which a reconstruction amplifies rounding errors: the square root of `max(D) / min(D)`.

    The factor is at least 1. It is infinite if the weight of some sample is zero in all frames.
    """
    overlap = _overlap(window, hop_length)
    return math.sqrt(overlap.max() / overlap.min()) if overlap.min() > 0 else math.inf


def check_reconstruction(window_name: str, window: np.ndarray, hop_length: int) -> None:
    """Raises an error unless frames of this window and hop reconstruct the waveform within 1e-5 of full scale.

    Raises:
        ArgumentError: If the reconstruction amplifies rounding errors by more than `MAX_ERROR_GROWTH`.
    """
    growth = error_growth(window, hop_length)
    if not growth <= MAX_ERROR_GROWTH:
        raise ArgumentError(
            "Frames must overlap enough to reconstruct every sample: window and hop_length may amplify rounding errors "
            f"by at most {MAX_ERROR_GROWTH:g}. Received: {window_name} with win_length={len(window)}, "
            f"hop_length={hop_length}, which amplify them by {growth:.4g}. Use a smaller hop_length, for example "
            f"{max(1, len(window) // 4)}."
        )


def _overlap(window: np.ndarray, hop_length: int) -> np.ndarray:
    """Sums the squared windows over each sample of a hop: float64 `[hop_length]`."""
    squares = np.zeros(-(-len(window) // hop_length) * hop_length)
    squares[: len(window)] = window**2
    return squares.reshape(-1, hop_length).sum(axis=0)
