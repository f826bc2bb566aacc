"""The numbers of Whisper's log-mel spectrogram, and how its clips are cut into frames.

They are those of `transformers.WhisperFeatureExtractor`. A model of Whisper takes no others.
"""

from typing import Any

import numpy as np

from audiopipe import checks

SAMPLE_RATE = 16000
N_FFT = 400
HOP_LENGTH = 160
F_MAX = 8000.0
CHUNK_SECONDS = 30.0
MIN_POWER = 1e-10
DYNAMIC_RANGE = 8.0  # between the greatest and the smallest decimal logarithm of a power

FRAMES_PER_SECOND = SAMPLE_RATE // HOP_LENGTH
LONGEST_CHUNK_SECONDS = 86400.0
PADDING = (N_FFT // 2, N_FFT // 2 - HOP_LENGTH)
"""Samples by which a clip is continued on both sides: half a frame, and one hop less after it.

The middles of the frames are the samples 0, `HOP_LENGTH`, ... Whisper drops the last frame, so it is not made here.
"""


def canonical_chunk_seconds(name: str, value: Any) -> float | None:
    """Return the length that clips are cut or padded to: a whole number of frames, in seconds; None leaves them.

    Raises:
        ArgumentError: If it is no such length.

    Example:
        >>> canonical_chunk_seconds("chunk_seconds", 30)
        30.0
    """
    if value is None:
        return None
    seconds = checks.real(name, value, minimum=1 / FRAMES_PER_SECOND, maximum=LONGEST_CHUNK_SECONDS)
    frames = round(seconds * FRAMES_PER_SECOND)
    if abs(frames - seconds * FRAMES_PER_SECOND) > 1e-6:
        raise checks.fail(name, f"None or a multiple of a frame, {1 / FRAMES_PER_SECOND:g} seconds", value)
    return frames / FRAMES_PER_SECOND


def chunk_samples(chunk_seconds: float) -> int:
    """Samples of a chunk."""
    return round(chunk_seconds * FRAMES_PER_SECOND) * HOP_LENGTH


def n_frames(n_samples: Any, chunk_seconds: float | None) -> Any:
    """Number of frames of `n_samples` samples.

    Args:
        n_samples: An int, a NumPy array or a tensor of integers.
        chunk_seconds: The length that clips are cut or padded to. None leaves them.

    Returns:
        The number of frames, of the same kind as `n_samples`: that of a chunk, whatever the clip. Without chunks, one
        frame for each whole `HOP_LENGTH` samples.
    """
    if isinstance(n_samples, (np.ndarray, np.generic)):
        n_samples = n_samples.astype(np.int64)  # the frames of a chunk may be more than a small type can hold
    if chunk_seconds is None:
        return n_samples // HOP_LENGTH
    return 0 * n_samples + chunk_samples(chunk_seconds) // HOP_LENGTH
