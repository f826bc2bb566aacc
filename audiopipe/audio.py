"""A file, bytes or an open file -> a clip at a given sample rate.

libsndfile decodes (WAV, FLAC, OGG Vorbis, Opus, MP3, AIFF and more, from any subtype, to float32 with full scale 1.0),
then channels are mixed down, then soxr resamples. Values above full scale are kept.
"""

import io
import os
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr

from audiopipe import files
from audiopipe.errors import AudioError

AudioSource = str | os.PathLike[str] | bytes | BinaryIO

BLOCK_SAMPLES = 1 << 20


class _SequentialSoundFile(soundfile.SoundFile):
    """A sound file that is only read forwards.

    After every partial read python-soundfile seeks to where it thinks it is, and seeking in MP3, Opus and Vorbis is not
    exact: samples get lost or come twice. A file that says it cannot seek is spared that.
    """

    def seekable(self) -> bool:
        return False


def read(
    source: AudioSource, *, sample_rate: int, channels: int | None = 1, resampler_quality: str = "HQ"
) -> np.ndarray:
    """Read a clip: decode, mix down, resample.

    Args:
        source: A path (also a remote one), the bytes of an audio file, or an open binary file.
        sample_rate: Samples per second of the result, in hertz.
        channels: 1 mixes all channels down to their mean, a greater number is required, None keeps what there is.
        resampler_quality: soxr's recipe: `"QQ"`, `"LQ"`, `"MQ"`, `"HQ"` or `"VHQ"`.

    Returns:
        float32 array of shape `[time, channels]`, in C order.

    Raises:
        AudioError: If the source cannot be read or decoded, has no samples, has another number of channels, or holds
            values that are not finite.

    Example:
        >>> read("examples/audio/speech.flac", sample_rate=16000).shape
        (56216, 1)
    """
    samples, rate = decode(source)
    try:
        return convert(samples, rate, sample_rate=sample_rate, channels=channels, resampler_quality=resampler_quality)
    except AudioError as error:
        if not isinstance(source, (str, os.PathLike)):
            raise
        raise AudioError(f"{_describe(source)}: {error}", stage=error.stage) from error


def convert(
    samples: np.ndarray, rate: int, *, sample_rate: int, channels: int | None, resampler_quality: str
) -> np.ndarray:
    """Bring decoded samples to a number of channels and a sample rate, as `read` does.

    Args:
        samples: float32 `[time, channels]`.
        rate: Their samples per second, in hertz.
        sample_rate: Samples per second of the result, in hertz.
        channels: As in `read`.
        resampler_quality: As in `read`.

    Returns:
        float32 array of shape `[time, channels]`, in C order.

    Raises:
        AudioError: As in `read`.
    """
    if samples.shape[0] == 0:
        raise AudioError("The audio holds no samples.", stage="decode")
    if channels == 1:
        samples = mix_down(samples)
    elif channels is not None and samples.shape[1] != channels:
        raise AudioError(
            f"The config requires {channels} channels. Received: {samples.shape[1]}. Set channels=1 in the config to "
            "mix down, or channels=None to keep what there is.",
            stage="decode",
        )
    if not np.isfinite(samples).all():
        first = int(np.flatnonzero(~np.isfinite(samples).all(axis=1))[0])
        raise AudioError(
            f"The audio must hold finite samples. Received: {samples[first].tolist()} at {first / rate:.3f} s.",
            stage="decode",
        )
    resampled = resample(samples, rate, sample_rate, resampler_quality)
    if resampled.shape[0] == 0:
        raise AudioError(
            f"Nothing is left of {samples.shape[0]} samples at {rate} Hz at {sample_rate} Hz.", stage="resample"
        )
    return resampled


def decode(source: AudioSource) -> tuple[np.ndarray, int]:
    """Decode all samples of an audio file.

    Args:
        source: A path (also a remote one), the bytes of an audio file, or an open binary file.

    Returns:
        float32 array of shape `[time, channels]`, and the samples per second.

    Raises:
        AudioError: If the source cannot be read or decoded.
    """
    file: Any = _open(source)
    try:
        with _SequentialSoundFile(file) as sound:
            rate = int(sound.samplerate)
            block_frames = max(1, BLOCK_SAMPLES // sound.channels)
            blocks: list[np.ndarray] = []
            # Block by block, for the number of frames that a header claims may be wrong, and absurdly great.
            while not blocks or len(blocks[-1]) == block_frames:
                blocks.append(sound.read(block_frames, dtype="float32", always_2d=True))
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        reason = getattr(error, "error_string", error)  # libsndfile's own words, without the path once more
        raise AudioError(f"Could not decode {_describe(source)} as audio: {reason}", stage="decode") from error
    finally:
        if file is not source and not isinstance(file, bytes):
            file.close()
    return np.concatenate(blocks) if len(blocks) > 1 else blocks[0], rate


def mix_down(samples: np.ndarray) -> np.ndarray:
    """Mean over the channels: added from the first to the last, then multiplied with the rounded reciprocal.

    The order is part of the definition; `audiopipe.ops.mix_down` is the same computation in TensorFlow.

    Args:
        samples: float32 `[time, channels]`.

    Returns:
        float32 `[time, 1]`.
    """
    if samples.shape[1] == 1:
        return samples
    total = samples[:, 0].copy()
    for channel in range(1, samples.shape[1]):
        total += samples[:, channel]
    return (total * (np.float32(1) / np.float32(samples.shape[1])))[:, None]


def resample(samples: np.ndarray, rate: int, sample_rate: int, quality: str) -> np.ndarray:
    """Bring samples to another sample rate with soxr.

    Args:
        samples: float32 `[time, channels]`.
        rate: Their samples per second, in hertz.
        sample_rate: Samples per second of the result, in hertz.
        quality: soxr's recipe: `"QQ"`, `"LQ"`, `"MQ"`, `"HQ"` or `"VHQ"`.

    Returns:
        float32 `[time * sample_rate / rate, channels]`, or the samples themselves where the rates are equal.

    Raises:
        AudioError: If soxr cannot convert between the two rates.
    """
    if rate == sample_rate:
        return np.ascontiguousarray(samples)
    try:
        return soxr.resample(np.ascontiguousarray(samples), rate, sample_rate, quality=quality)
    except (ValueError, RuntimeError) as error:
        raise AudioError(f"Could not resample from {rate} Hz to {sample_rate} Hz: {error}", stage="resample") from error


def _open(source: AudioSource) -> Any:
    """What libsndfile opens: a path that is readable, or an open binary file."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        try:
            file = files.open_binary(path)
        except (OSError, ValueError) as error:  # a ValueError where no file can have such a path
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise AudioError(f"Could not read {_describe(source)}: {reason.rstrip('.')}.", stage="read") from error
        if files.is_remote(path):
            return file
        file.close()  # libsndfile reads a path by itself, without coming back to Python for every piece
        return os.fsencode(path)  # python-soundfile encodes a str strictly, but a name need not be UTF-8
    if not hasattr(source, "read"):
        raise AudioError(
            f"Audio must be a path, bytes or an open binary file. Received: {type(source).__name__}.", stage="read"
        )
    return source


def _describe(source: AudioSource) -> str:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"{len(source)} bytes"
    if isinstance(source, (str, os.PathLike)):
        return repr(os.fspath(source))
    return "an open file"
