"""A file, bytes or an open file -> a clip at a given sample rate.

libsndfile decodes (WAV, FLAC, OGG Vorbis, Opus, MP3, AIFF and more, from any subtype, to float32 with full scale 1.0),
then channels are mixed down, then soxr resamples. Values above full scale are kept.
"""

import io
import os
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr

from audiopipe import checks, files
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
    return joined(read_blocks(source, sample_rate=sample_rate, channels=channels, resampler_quality=resampler_quality))


def read_blocks(
    source: AudioSource, *, sample_rate: int, channels: int | None = 1, resampler_quality: str = "HQ"
) -> Iterator[np.ndarray]:
    """Read a clip in blocks, so that a long one never stands in memory whole.

    Args:
        source: As in `read`.
        sample_rate: As in `read`.
        channels: As in `read`.
        resampler_quality: As in `read`.

    Yields:
        float32 `[time, channels]`, in C order: consecutive blocks of some seconds, which together are what `read`
        returns.

    Raises:
        AudioError: As in `read`, when the iteration comes to what is wrong.

    Example:
        >>> blocks = read_blocks("examples/audio/speech.flac", sample_rate=16000)
        >>> sum(len(block) for block in blocks)
        56216
    """
    return convert_blocks(
        _decode(source),
        sample_rate=sample_rate,
        channels=channels,
        resampler_quality=resampler_quality,
        name=_describe(source) if isinstance(source, (str, os.PathLike)) else None,
    )


def joined(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Consecutive blocks, of which there is at least one, as one array."""
    blocks = list(blocks)
    return np.concatenate(blocks) if len(blocks) > 1 else blocks[0]


def convert_blocks(
    decoded: Iterable[tuple[np.ndarray, int]],
    *,
    sample_rate: int,
    channels: int | None,
    resampler_quality: str,
    name: str | None = None,
) -> Iterator[np.ndarray]:
    """Bring decoded samples to a number of channels and a sample rate, block by block, as `read` does.

    Args:
        decoded: Consecutive blocks, float32 `[time, channels]`, each with its samples per second, in hertz.
        sample_rate: As in `read`.
        channels: As in `read`.
        resampler_quality: As in `read`.
        name: What errors call the source, None where they need not name it.

    Yields:
        As in `read_blocks`.

    Raises:
        AudioError: As in `read_blocks`.
    """
    where = "" if name is None else f"{name}: "
    received = made = rate = 0
    resampler = None
    for samples, rate in decoded:
        if channels == 1:
            samples = mix_down(samples)
        elif channels is not None and samples.shape[1] != channels:
            raise AudioError(
                f"{where}The config requires {channels} channels. Received: {samples.shape[1]}. Set channels=1 in the "
                "config to mix down, or channels=None to keep what there is.",
                stage="decode",
            )
        if not np.isfinite(samples).all():
            first = int(np.flatnonzero(~np.isfinite(samples).all(axis=1))[0])
            raise AudioError(
                f"{where}The audio must hold finite samples. Received: {samples[first].tolist()} at "
                f"{(received + first) / rate:.3f} s.",
                stage="decode",
            )
        if rate == sample_rate:
            block = np.ascontiguousarray(samples)
        else:
            resampler = resampler or _resampler(rate, sample_rate, samples.shape[1], resampler_quality, where)
            block = resampler.resample_chunk(without_inaudible(samples))
        received, made = received + len(samples), made + len(block)
        if len(block):
            yield block
    if received == 0:
        raise AudioError(f"{where}The audio holds no samples.", stage="decode")
    if resampler is not None:
        block = resampler.resample_chunk(without_inaudible(samples[:0]), last=True)
        made += len(block)
        if len(block):
            yield block
    if made == 0:
        raise AudioError(
            f"{where}Nothing is left of {received} samples at {rate} Hz at {sample_rate} Hz.", stage="resample"
        )


def _decode(source: AudioSource) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks of all samples of an audio file, float32 `[time, channels]`, each with the samples per second."""
    file: Any = _open(source)
    try:
        with _SequentialSoundFile(file) as sound:
            block_frames = max(1, BLOCK_SAMPLES // sound.channels)
            size = block_frames
            # Until no more comes, for the number of frames that a header claims may be wrong, and absurdly great.
            while size == block_frames:
                block = sound.read(block_frames, dtype="float32", always_2d=True)
                size = len(block)
                yield block, int(sound.samplerate)
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        reason = getattr(error, "error_string", error)  # libsndfile's own words, without the path once more
        raise AudioError(f"Could not decode {_describe(source)} as audio: {reason}", stage="decode") from error
    finally:
        if file is not source and not isinstance(file, bytes):
            file.close()


def mix_down(samples: np.ndarray) -> np.ndarray:
    """Mean over the channels: added from the first to the last, then multiplied with the rounded reciprocal.

    The order is part of the definition; `audiopipe.ops.mix_down` is the same computation in TensorFlow. Before it,
    samples below 2**-63 become zero, see `without_inaudible`.

    Args:
        samples: float32 `[time, channels]`.

    Returns:
        float32 `[time, 1]`.
    """
    if samples.shape[1] == 1:
        return samples
    samples = without_inaudible(samples)
    total = samples[:, 0].copy()
    for channel in range(1, samples.shape[1]):
        total += samples[:, channel]
    return (total * (np.float32(1) / np.float32(samples.shape[1])))[:, None]


def without_inaudible(samples: np.ndarray) -> np.ndarray:
    """Samples with those below 2**-63, 380 dB below full scale, replaced by zero.

    Arithmetic on subnormal numbers gives other bits in a Python function of a `tf.data` map than anywhere else. This
    comes before arithmetic, so that no result is subnormal.

    Args:
        samples: float32 `[time, channels]`.

    Returns:
        A new array of the same shape, in C order.
    """
    inaudible = np.abs(samples) < np.float32(checks.QUIETEST_SAMPLE)
    return np.ascontiguousarray(np.where(inaudible, np.float32(0), samples))


def _resampler(rate: int, sample_rate: int, channels: int, quality: str, where: str) -> soxr.ResampleStream:
    """What resamples block by block, with the bits of `soxr.resample` over all samples at once."""
    try:
        return soxr.ResampleStream(rate, sample_rate, channels, dtype="float32", quality=quality)
    except (ValueError, RuntimeError) as error:
        raise AudioError(
            f"{where}Could not resample from {rate} Hz to {sample_rate} Hz: {error}", stage="resample"
        ) from error


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
