"""Reading of files, bytes and open files as clips at a given sample rate.

libsndfile decodes WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF and more, of any subtype, to float32 with full scale 1.0. Then
the channels are mixed down, then soxr resamples. Values above full scale are kept.
"""

import os
from collections.abc import Callable, Iterator

import numpy as np
import soundfile

from audiopipe.audio import conversion, opening
from audiopipe.audio.conversion import convert_blocks, joined
from audiopipe.audio.opening import AudioSource
from audiopipe.audio.remarks import Remark, warn_about
from audiopipe.errors import AudioError

SYSTEM_ERROR = 2  # libsndfile's code for an error of the operating system
UNKNOWN_FRAMES = 2**63 - 1  # libsndfile's number of frames if a FLAC header gives none
ADVICE = "Download or record it again. To use the intact part, write it to a new file with soundfile."


class _SequentialSoundFile(soundfile.SoundFile):
    """Sound file that is only read forwards.

    After every partial read, python-soundfile seeks to the position that it expects. Seeking in MP3, Opus and Vorbis is
    not exact, so samples would be lost or repeated. python-soundfile does not seek in a file that is not seekable.
    """

    def seekable(self) -> bool:
        return False


def read(
    source: AudioSource,
    *,
    sample_rate: int,
    channels: int | None = 1,
    resampler_quality: str = "HQ",
    channel: int | None = None,
    accept_truncated: bool = False,
    on_remark: Callable[[Remark], None] | None = None,
) -> np.ndarray:
    """Reads a clip: decodes it, mixes it down and resamples it.

    Args:
        source: A local or remote path, the bytes of an audio file, or an open binary file.
        sample_rate: Sample rate of the result, in hertz.
        channels: If 1, all channels are mixed down to their mean. If larger, the audio must have this number of
            channels. If None, all channels are kept.
        resampler_quality: Quality of soxr: `"QQ"`, `"LQ"`, `"MQ"`, `"HQ"` or `"VHQ"`.
        channel: Number of the one channel to keep, from 0, instead of mixing down. `channels` must then be 1. It is
            picked before resampling.
        accept_truncated: Whether to read what is there of a damaged or truncated file, with a remark, instead of
            raising an error.
        on_remark: Function that receives remarks about the clip, such as a missing end. If None, each remark becomes a
            warning of class `audiopipe.errors.AudioRemark`.

    Returns:
        float32 array of shape `[time, channels]`, in C order.

    Raises:
        AudioError: If the source cannot be read or decoded, has no samples, has another number of channels, lacks the
            channel, or has samples that are not finite.
        ArgumentError: If `channel` is negative, or `channels` is not 1 with it.

    Example:
        >>> read("examples/audio/speech.flac", sample_rate=16000).shape
        (56216, 1)
    """
    return joined(
        read_blocks(
            source,
            sample_rate=sample_rate,
            channels=channels,
            resampler_quality=resampler_quality,
            channel=channel,
            accept_truncated=accept_truncated,
            on_remark=on_remark,
        )
    )


def read_blocks(
    source: AudioSource,
    *,
    sample_rate: int,
    channels: int | None = 1,
    resampler_quality: str = "HQ",
    channel: int | None = None,
    accept_truncated: bool = False,
    on_remark: Callable[[Remark], None] | None = None,
) -> Iterator[np.ndarray]:
    """Reads a clip in blocks, so that a long clip is never in memory as a whole.

    Args:
        source: As in `read`.
        sample_rate: As in `read`.
        channels: As in `read`.
        resampler_quality: As in `read`.
        channel: As in `read`.
        accept_truncated: As in `read`.
        on_remark: As in `read`.

    Yields:
        Consecutive blocks of bounded size, float32 `[time, channels]`, in C order. Concatenated they are equal to the
        result of `read`.

    Raises:
        AudioError: As in `read`, once the iteration reaches the error.
        ArgumentError: As in `read`, when the iteration starts.

    Example:
        >>> blocks = read_blocks("examples/audio/speech.flac", sample_rate=16000)
        >>> sum(len(block) for block in blocks)
        56216
    """
    name = opening.describe(source) if isinstance(source, (str, os.PathLike)) else None
    on_remark = on_remark or warn_about(name)
    return convert_blocks(
        _decode(source, accept_truncated, on_remark),
        sample_rate=sample_rate,
        channels=channels,
        resampler_quality=resampler_quality,
        channel=channel,
        name=name,
        on_remark=on_remark,
    )


def duration(source: str | os.PathLike[str] | bytes) -> float:
    """Returns the duration of a file in seconds according to its header, which may be wrong.

    Args:
        source: A local or remote path, or the bytes of an audio file.

    Raises:
        AudioError: If the source cannot be read or is not audio, or if its header gives no length or an absurd one.

    Example:
        >>> duration("examples/audio/chirp.wav")
        2.0
    """
    with opening.opened(source) as file:
        try:
            with _SequentialSoundFile(file.handle) as sound:
                seconds = sound.frames / sound.samplerate
        except (soundfile.SoundFileError, OSError, TypeError) as error:
            file.check()
            reason = getattr(error, "error_string", error)
            raise AudioError(f"Could not read the header of {file.name}: {reason}", stage="decode") from error
        size = file.size()
    if not 0 < seconds <= size:  # less than one byte per second cannot be audio
        raise AudioError(
            f"The header of {opening.describe(source)} must give a length. Received: {seconds:g} s in {size} bytes.",
            stage="decode",
        )
    return seconds


def _decode(
    source: AudioSource, accept_truncated: bool, on_remark: Callable[[Remark], None]
) -> Iterator[tuple[np.ndarray, int]]:
    """Yields all samples of a source in blocks, float32 `[time, channels]`, each with the sample rate in hertz.

    For a damaged file, it yields the blocks that libsndfile decodes and then raises an error.
    """
    received = 0
    with opening.opened(source) as file:
        lacking = file.lacking
        try:
            with _SequentialSoundFile(file.handle) as sound:
                block_frames = max(1, conversion.BLOCK_SAMPLES // sound.channels)
                # The number of frames in a header may be wrong and absurdly large, so read until no more come. The
                # first read asks for one frame more than the header says: if it is right, no memory is wasted.
                asked, whole = max(1, min(block_frames, sound.frames + 1)), False
                while not whole:
                    block = sound.read(asked, dtype="float32", always_2d=True)
                    file.check()
                    whole, asked = len(block) < asked, block_frames
                    received += len(block)
                    yield block, int(sound.samplerate)
                if sound.format == "FLAC" and received < sound.frames < UNKNOWN_FRAMES:
                    lacking = f"the header says {sound.frames} samples, but the file has {received}"
        except (soundfile.SoundFileError, OSError, TypeError) as error:
            file.check()
            reason = str(getattr(error, "error_string", error))  # libsndfile's message without the path
            if getattr(error, "code", None) == SYSTEM_ERROR:
                raise AudioError(f"Could not read {file.name}: {reason}", stage="read") from error
            if accept_truncated and received:
                on_remark(Remark("decode", f"decoding stopped after {received} samples: {reason.rstrip('.')}"))
                return
            cause = "" if lacking is None else f" The file is damaged: {lacking}. {ADVICE}"
            raise AudioError(f"Could not decode {file.name} as audio: {reason}{cause}", stage="decode") from error
        file.check_unchanged()
        if lacking is not None and accept_truncated and received:
            on_remark(Remark("decode", lacking))
        elif lacking is not None:
            raise AudioError(f"The audio in {file.name} is damaged: {lacking}. {ADVICE}", stage="decode")
