"""Sound of clips for the audio players of a report, read from the input of the feature set."""

import base64
import contextlib
import io
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from audiopipe import inputs
from audiopipe.audio.remarks import Remark
from audiopipe.errors import AudioError, InputError
from audiopipe.feature_sets.feature_set import FeatureSet
from audiopipe.inputs import SeveralInputs, Source
from audiopipe.transform.segments import Segments, parse_id

if TYPE_CHECKING:
    from audiopipe.transform.transform import Transform

MAX_SECONDS = 10.0
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # all that MP3 has
MP3_QUALITY = 0.3  # from 0, the best and largest, to 1


@dataclass(frozen=True)
class Sound:
    """Sound of a clip, or why there is none.

    Args:
        uri: Data URI of an audio file. Empty if there is no sound.
        is_cut: Whether the clip is longer than its sound.
        fault: Why there is no sound. Empty if there is.
    """

    uri: str = ""
    is_cut: bool = False
    fault: str = ""


def check_input(feature_set: FeatureSet, source: str | SeveralInputs) -> None:
    """Raises an error if an input has no clips at all, before the long work begins.

    Raises:
        InputError: If the input is missing or has no clips.
    """
    with contextlib.closing(inputs.scan(source, feature_set.descriptions[0].options)) as clips:  # type: ignore[type-var]
        next(clips, None)


def of_clips(
    feature_set: FeatureSet,
    source: str | SeveralInputs,
    clip_ids: Sequence[str],
    on_clip: Callable[[int, int], None],
) -> dict[str, Sound]:
    """Reads the sound of clips: what their features were computed from, at most `MAX_SECONDS` of it.

    Args:
        feature_set: The feature set.
        source: Its input.
        clip_ids: Ids of the clips.
        on_clip: Function of the number of clips that are read, and the number to read.

    Returns:
        The sound of each clip by its id.

    Raises:
        InputError: If the input is missing or has none of the clips.
    """
    from audiopipe.transform.transform import Transform  # imports TensorFlow

    description = feature_set.descriptions[0]
    recordings = {clip_id: _recording(clip_id, description.segments) for clip_id in clip_ids}
    wanted, found = set(recordings.values()), {}
    for clip in inputs.scan(source, description.options):
        if clip.id in wanted:
            found[clip.id] = clip
            if len(found) == len(wanted):
                break
    if wanted and not found:
        raise InputError(
            f"{_name(source)} has none of the {len(clip_ids)} clips of {feature_set.paths[0]!r} that the report shows, "
            f"such as {clip_ids[0]!r}. Pass the input that the feature set was computed from, or leave it out."
        )
    transform = Transform(description.config, accept_truncated=feature_set.accept_truncated)
    sounds = {}
    for number, clip_id in enumerate(clip_ids):
        on_clip(number, len(clip_ids))
        recording = found.get(recordings[clip_id])
        if recording is None:
            sounds[clip_id] = Sound(fault="The input does not have this clip.")
        else:
            sounds[clip_id] = _sound(clip_id, recording, description.segments, transform)
    on_clip(len(clip_ids), len(clip_ids))
    return sounds


def encoded(samples: np.ndarray, sample_rate: int) -> str:
    """Returns samples as the data URI of an audio file: MP3, which every browser plays, or WAV without an MP3 encoder.

    Args:
        samples: float32 `[time, channels]`. More than two channels are mixed down, and full scale is clipped.
        sample_rate: Sample rate in hertz.
    """
    if samples.shape[1] > 2:
        samples = samples.mean(axis=1, keepdims=True)
    is_mp3 = "MP3" in soundfile.available_formats()
    rate = next((rate for rate in MP3_RATES if rate >= sample_rate), MP3_RATES[-1])
    if rate != sample_rate:
        samples = soxr.resample(samples, sample_rate, rate)
    samples, file = np.clip(samples, -1, 1), io.BytesIO()
    if is_mp3:
        soundfile.write(file, samples, rate, format="MP3", compression_level=MP3_QUALITY, bitrate_mode="VARIABLE")
    else:
        soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    kind = "mpeg" if is_mp3 else "wav"
    return f"data:audio/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _sound(clip_id: str, recording: Source, segments: Segments | None, transform: "Transform") -> Sound:
    rate = transform.config.sample_rate
    most = int(MAX_SECONDS * rate)
    try:
        with contextlib.closing(_blocks(clip_id, recording, segments, transform)) as blocks:
            samples = _joined(blocks, most + 1)
        if not len(samples):
            return Sound(fault="The clip has no samples.")
        return Sound(encoded(samples[:most], rate), is_cut=len(samples) > most)
    except (AudioError, OSError) as error:
        return Sound(fault=f"The sound cannot be read: {error}")


def _blocks(
    clip_id: str, recording: Source, segments: Segments | None, transform: "Transform"
) -> Generator[np.ndarray, None, None]:
    """Yields the samples of a clip in blocks, `[time, channels]` at the config's sample rate."""
    from audiopipe.transform import recordings

    with contextlib.closing(recordings.read([recording], transform, on_remark=_ignore)) as reading:
        for source, blocks in reading:
            if segments is None:
                yield from blocks
            else:
                only = {parse_id(clip_id)[1]}
                for _, samples, _ in segments.clips(source, blocks, transform.config, only):
                    yield samples


def _joined(blocks: Iterable[np.ndarray], most: int) -> np.ndarray:
    """Returns the first samples of consecutive blocks, at most as many as given."""
    taken: list[np.ndarray] = []
    for block in blocks:
        taken.append(block[: most - sum(map(len, taken))])
        if sum(map(len, taken)) >= most:
            break
    return np.concatenate(taken) if taken else np.zeros((0, 1), np.float32)


def _ignore(source: Source, remark: Remark) -> None:
    """Does nothing: the feature set has the remarks of its job."""


def _recording(clip_id: str, segments: Segments | None) -> str:
    return clip_id if segments is None else parse_id(clip_id)[0]


def _name(source: str | SeveralInputs) -> str:
    return repr(source) if isinstance(source, str) else f"The input of {len(source.paths)} paths"
