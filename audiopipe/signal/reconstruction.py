"""Overlap-add: the window that gives a waveform back from its frames, and when none does.

Frames that were cut with a window `w` and are multiplied with `w / D` add up to the waveform, where `D` is the sum of
the squared windows over each sample. `D` repeats with the hop: `D[r] = sum over k of w[r + k * hop_length] ** 2`.
"""

import math

import numpy as np

from audiopipe.errors import ArgumentError

# The error of a reconstruction in float32 is about 1e-7 times the square root of max(D) / min(D), so this limit keeps
# it below 1e-5: measured, see tests/composed/test_stfts.py.
MAX_ERROR_GROWTH = 30.0


def synthesis_window(window: np.ndarray, hop_length: int) -> np.ndarray:
    """The window to multiply frames with before they are added: `w / D`.

    It inverts in the sense of least squares: of a spectrogram that no waveform has, it gives the nearest waveform.
    Where no frame reaches, it is zero.

    Args:
        window: The window that the frames were cut with, float64 `[win_length]`.
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
    """How much a reconstruction amplifies rounding errors: the square root of `max(D) / min(D)`, at least 1.

    Infinite where a sample is in no frame, or only where the window is zero.
    """
    overlap = _overlap(window, hop_length)
    return math.sqrt(overlap.max() / overlap.min()) if overlap.min() > 0 else math.inf


def check_reconstruction(window_name: str, window: np.ndarray, hop_length: int) -> None:
    """Raise an error if frames of this window and hop do not give the waveform back within 1e-5.

    Raises:
        ArgumentError: If rounding errors would grow more than `MAX_ERROR_GROWTH` times.
    """
    growth = error_growth(window, hop_length)
    if not growth <= MAX_ERROR_GROWTH:
        raise ArgumentError(
            "window and hop_length must let the frames overlap so that every sample can be reconstructed: rounding "
            f"errors may grow {MAX_ERROR_GROWTH:g} times. Received: {window_name} with win_length={len(window)}, "
            f"hop_length={hop_length}, where they grow {growth:.4g} times. Use a smaller hop_length, for example "
            f"{max(1, len(window) // 4)}."
        )


def _overlap(window: np.ndarray, hop_length: int) -> np.ndarray:
    """The sum of squared windows over each sample of a hop: float64 `[hop_length]`."""
    squares = np.zeros(-(-len(window) // hop_length) * hop_length)
    squares[: len(window)] = window**2
    return squares.reshape(-1, hop_length).sum(axis=0)
