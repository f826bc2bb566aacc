"""Reading of files, bytes and open files as clips at a given sample rate.

libsndfile decodes WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF and more, of any subtype, to float32 with full scale 1.0. Then
the channels are mixed down, then soxr resamples. Values above full scale are kept.
"""

import contextlib
import os
from collections.abc import Callable, Iterator

import numpy as np
import soundfile

from audiopipe.audio import conversion, layouts, opening
from audiopipe.audio.completeness import Report
from audiopipe.audio.conversion import joined
from audiopipe.audio.decoding import PartDecoder, SequentialSoundFile
from audiopipe.audio.opening import AudioSource
from audiopipe.audio.remarks import Remark, warn_about
from audiopipe.errors import AudioError


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
        source: A local or remote path, the bytes of an audio file, an open binary file, or what `opened` yields.
        sample_rate: Sample rate of the result, in hertz.
        channels: If 1, all channels are mixed down to their mean. If larger, the audio must have this number of
            channels. If None, all channels are kept.
        resampler_quality: Quality of soxr: `"QQ"`, `"LQ"`, `"MQ"`, `"HQ"` or `"VHQ"`.
        channel: Number of the one channel to keep, from 0, instead of mixing down. `channels` must then be 1. It is
            picked before resampling.
        accept_truncated: Whether to read a damaged or truncated file up to the fault, with a remark, instead of
            raising an error.
        on_remark: Function that receives remarks about the clip, such as a missing end. If None, each remark becomes a
            warning of class `audiopipe.errors.AudioRemark`.

    Returns:
        float32 array of shape `[time, channels]`, in C order.

    Raises:
        AudioError: If the source cannot be read or decoded, has no samples, has another number of channels, lacks the
            channel, or has samples that are not finite or larger than 2**36.
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
    path = opening.path_of(source)
    name = None if path is None else repr(path)
    on_remark = on_remark or warn_about(name)
    return conversion.convert_parts(
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

    Joined files of formats without compression count as one. Of compressed formats, only the first header is read.

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
            seconds = 0.0
            for pieces in (
                [None] if layouts.is_scanned(file.at(0, 16)) else [part.pieces for part in layouts.parts(file)]
            ):
                with SequentialSoundFile(file.handle(pieces), closefd=False) as sound:
                    seconds += sound.frames / sound.samplerate
        except (soundfile.SoundFileError, OSError, TypeError) as error:
            file.check()
            reason = getattr(error, "error_string", error)
            raise AudioError(f"Could not read the header of {file.name}: {reason}", stage="decode") from error
        size = file.size
    if not 0 < seconds <= size:  # less than one byte per second cannot be audio
        raise AudioError(
            f"The header of {opening.describe(source)} must give a length. Received: {seconds:g} s in {size} bytes.",
            stage="decode",
        )
    return seconds


def _decode(
    source: AudioSource, accept_truncated: bool, on_remark: Callable[[Remark], None]
) -> Iterator[Iterator[tuple[np.ndarray, int]]]:
    """Yields the parts of a source, each as blocks, float32 `[time, channels]`, with the sample rate in hertz.

    For a damaged file, it yields the blocks that libsndfile decodes and then raises an error.
    """
    with opening.opened(source) as distant:
        scanned = layouts.is_scanned(distant.at(0, 16))
        with opening.near(distant) if scanned else contextlib.nullcontext(distant) as file:
            report = Report(file.name, accept_truncated, on_remark)
            parts, number, received = layouts.parts(file), 0, 0
            while number < len(parts):
                part, number = parts[number], number + 1
                decoder = PartDecoder(file, part, report, number=number, count=len(parts))
                yield decoder.blocks()
                received += decoder.received
                if decoder.following is not None:
                    parts += layouts.parts(file, decoder.following)
            distant.check_unchanged()
            report.finish(received)
