"""A file, bytes or an open file -> a clip at a given sample rate.

libsndfile decodes (WAV, FLAC, OGG Vorbis, Opus, MP3, AIFF and more, from any subtype, to float32 with full scale 1.0),
then channels are mixed down, then soxr resamples. Values above full scale are kept.
"""

import os
from collections.abc import Iterator

import numpy as np
import soundfile

from audiopipe.audio import conversion, opening
from audiopipe.audio.conversion import convert_blocks, joined
from audiopipe.audio.opening import AudioSource
from audiopipe.errors import AudioError

SYSTEM_ERROR = 2  # libsndfile's number for what the operating system refuses
UNKNOWN_FRAMES = 2**63 - 1  # libsndfile's number where a FLAC header gives none
ADVICE = "Fetch or record it anew; or, if what is left of it is wanted, write that to a new file with soundfile."


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
        name=opening.describe(source) if isinstance(source, (str, os.PathLike)) else None,
    )


def duration(source: str | os.PathLike[str] | bytes) -> float:
    """Seconds of audio in a file by its header alone, which may be wrong.

    Args:
        source: A path (also a remote one), or the bytes of an audio file.

    Raises:
        AudioError: If the source cannot be read, is no audio, or its header tells no length or an absurd one.

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
    if not 0 < seconds <= size:  # less than a byte a second is no sound
        raise AudioError(
            f"The header of {opening.describe(source)} must tell a length. Received: {seconds:g} s in {size} bytes.",
            stage="decode",
        )
    return seconds


def _decode(source: AudioSource) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks of all samples of an audio file, float32 `[time, channels]`, each with the samples per second.

    Of a damaged file there come as many blocks as libsndfile gives, and then an error.
    """
    received = 0
    with opening.opened(source) as file:
        lacking = file.lacking
        try:
            with _SequentialSoundFile(file.handle) as sound:
                block_frames = max(1, conversion.BLOCK_SAMPLES // sound.channels)
                # Until no more comes, for the number of frames that a header claims may be wrong, and absurdly great.
                # At first one more than it claims is asked for: if it is right, no memory is taken for more.
                asked, whole = max(1, min(block_frames, sound.frames + 1)), False
                while not whole:
                    block = sound.read(asked, dtype="float32", always_2d=True)
                    file.check()
                    whole, asked = len(block) < asked, block_frames
                    received += len(block)
                    yield block, int(sound.samplerate)
                if sound.format == "FLAC" and received < sound.frames < UNKNOWN_FRAMES:
                    lacking = f"its header says {sound.frames} samples and it has {received}"
        except (soundfile.SoundFileError, OSError, TypeError) as error:
            file.check()
            reason = getattr(error, "error_string", error)  # libsndfile's own words, without the path once more
            if getattr(error, "code", None) == SYSTEM_ERROR:
                raise AudioError(f"Could not read {file.name}: {reason}", stage="read") from error
            cause = "" if lacking is None else f" Its damage: {lacking}. {ADVICE}"
            raise AudioError(f"Could not decode {file.name} as audio: {reason}{cause}", stage="decode") from error
        file.check_unchanged()
        if lacking is not None:
            raise AudioError(f"{file.name} is damaged: {lacking}. {ADVICE}", stage="decode")
