"""Constants and framing of Whisper's log-mel spectrogram.

The constants are those of `transformers.WhisperFeatureExtractor`. Whisper models accept no others.
"""

from typing import Any

from audiopipe import checks
from audiopipe.signal.edges import EdgeFraming
from audiopipe.signal.framing import at_most, wide

SAMPLE_RATE = 16000
N_FFT = 400
HOP_LENGTH = 160
F_MAX = 8000.0
CHUNK_SECONDS = 30.0
MIN_POWER = 1e-10
DYNAMIC_RANGE = 8.0  # largest minus smallest decimal logarithm of a power

FRAMES_PER_SECOND = SAMPLE_RATE // HOP_LENGTH
LONGEST_CHUNK_SECONDS = 86400.0
PADDING = (N_FFT // 2, N_FFT // 2 - HOP_LENGTH)
"""Number of samples that extend a clip before its start (half a frame) and after its end (one hop less).

Frames are centred at the samples 0, `HOP_LENGTH`, `2 * HOP_LENGTH`, ... Whisper drops the last frame, so one hop less
of padding is needed after the clip.
"""


def canonical_chunk_seconds(name: str, value: Any) -> float | None:
    """Returns the canonical length that clips are cut or padded to, in seconds: a whole number of frames, or None.

    Args:
        name: Name of the argument, for the error message.
        value: The length. None keeps the length of each clip.

    Raises:
        ArgumentError: If the value is not a number in range or not a whole number of frames.

    Example:
        >>> canonical_chunk_seconds("chunk_seconds", 30)
        30.0
    """
    if value is None:
        return None
    seconds = checks.real(name, value, minimum=1 / FRAMES_PER_SECOND, maximum=LONGEST_CHUNK_SECONDS)
    frames = round(seconds * FRAMES_PER_SECOND)
    if abs(frames - seconds * FRAMES_PER_SECOND) > 1e-6:
        raise checks.fail(name, f"None or a multiple of one frame, {1 / FRAMES_PER_SECOND:g} seconds", value)
    return frames / FRAMES_PER_SECOND


def chunk_samples(chunk_seconds: float) -> int:
    """Returns the number of samples of a chunk."""
    return round(chunk_seconds * FRAMES_PER_SECOND) * HOP_LENGTH


def framing() -> EdgeFraming:
    """Returns the frames of a clip that keeps its length.

    Example:
        >>> framing().before, framing().n_frames(16000)
        (200, 100)
    """
    # Frames of more samples than the window needs, so that the last one drops out, as in Whisper.
    return EdgeFraming.resolve(
        n_fft=N_FFT,
        hop_length=HOP_LENGTH,
        frame_length=2 * PADDING[0] + HOP_LENGTH,
        window_position="start",
        edges="same",
        pad_mode="reflect",
    )


def n_frames(n_samples: Any, chunk_seconds: float | None) -> Any:
    """Returns the number of frames of `n_samples` samples.

    Args:
        n_samples: An int, a NumPy array or a tensor of integers.
        chunk_seconds: The length that clips are cut or padded to. None keeps the length of each clip.

    Returns:
        The number of frames, of the same kind as `n_samples`: the frames of one chunk for every clip, or
        `n_samples // HOP_LENGTH` if `chunk_seconds` is None.
    """
    n_samples = wide(n_samples)
    if chunk_seconds is None:
        return n_samples // HOP_LENGTH
    return 0 * n_samples + chunk_samples(chunk_seconds) // HOP_LENGTH


def valid_frames(n_samples: Any, chunk_seconds: float | None) -> Any:
    """Returns the number of frames of `n_samples` samples whose hop starts within them.

    Args:
        n_samples: An int, a NumPy array or a tensor of integers.
        chunk_seconds: The length that clips are cut or padded to. None keeps the length of each clip.

    Returns:
        The number of frames, of the same kind as `n_samples`, at most those of a chunk.
    """
    if chunk_seconds is None:
        return n_frames(n_samples, None)
    return -(-kept_samples(n_samples, chunk_seconds) // HOP_LENGTH)


def kept_samples(n_samples: Any, chunk_seconds: float | None) -> Any:
    """Returns the number of samples that a chunk covers of `n_samples` samples.

    Args:
        n_samples: An int, a NumPy array or a tensor of integers.
        chunk_seconds: The length that clips are cut or padded to. None keeps the length of each clip.

    Returns:
        The number of samples, of the same kind as `n_samples`, at most those of a chunk.
    """
    if chunk_seconds is None:
        return n_samples
    return at_most(wide(n_samples), chunk_samples(chunk_seconds))
