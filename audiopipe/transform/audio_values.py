"""Recognition and reading of audio values in rows of Hugging Face `datasets` and in elements of Apache Beam.

Values are recognised by their form, so `datasets`, torchcodec and apache-beam need not be installed.
"""

import contextlib
import io
import operator
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from audiopipe import audio
from audiopipe.audio.remarks import Remark, warn_about
from audiopipe.configs.base import MAX_CHANNELS, Config
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.transform import waveforms


def path_of(value: Any) -> str | None:
    """Returns the path of an audio value for error messages, or None if it has none."""
    value = getattr(value, "_hf_encoded", value)
    if _is_readable_file(value):
        value = value.metadata.path
    path = value.get("path") if isinstance(value, Mapping) else value
    return str(path) if isinstance(path, (str, os.PathLike)) else None


def is_encoded(value: Any) -> bool:
    """Returns whether a value is audio in a form of `datasets`: a dict, path, bytes or decoder, not plain numbers."""
    if isinstance(value, Mapping):
        return "bytes" in value or "path" in value or "array" in value
    return isinstance(value, (str, bytes, os.PathLike)) or _is_decoder(value) or _is_readable_file(value)


def is_audio(value: Any) -> bool:
    """Returns whether a value has a form that `read_blocks` takes, whatever it holds."""
    value = _as_stored(value)
    if is_encoded(value) or isinstance(value, (list, tuple, audio.Opened)) or hasattr(value, "read"):
        return True
    return not isinstance(value, Mapping) and np.ndim(value) > 0


def is_batch_of_encoded(value: Any) -> bool:
    """Returns whether a value is a list of audio values, some of which may be None."""
    is_list = isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.dtype == object)
    present = [item for item in value if item is not None] if is_list else []
    return bool(present) and all(map(is_encoded, present))


def is_ready(value: Any, sample_rate: int) -> bool:
    """Returns whether a value holds samples at `sample_rate`, which need no decoding or resampling."""
    if isinstance(value, Mapping):
        encoded = value.get("bytes") is not None or value.get("path") is not None
        return not encoded and value.get("sampling_rate") == sample_rate
    return isinstance(value, (np.ndarray, list, tuple))


def read(value: Any, config: Config, **options: Any) -> np.ndarray:
    """Reads one clip from an audio value of a row. See `read_blocks` for the arguments, options and errors.

    Returns:
        float32 `[time, channels]` at the config's sample rate.
    """
    return audio.joined(read_blocks(value, config, **options))


def read_blocks(
    value: Any,
    config: Config,
    *,
    strict: bool = False,
    accept_truncated: bool = False,
    on_remark: Callable[[Remark], None] | None = None,
) -> Iterator[np.ndarray]:
    """Reads one clip from an audio value of a row, in blocks.

    Args:
        value: A dict with `bytes` or `path`, a dict with `sampling_rate` and `array` (`[time]`, or `[channels, time]`
            as in `datasets`), a decoder object, a path, the bytes of an audio file, an open binary file, what
            `audio.opened` yields, a `ReadableFile` of Apache Beam, or an array of samples (`[time]` or
            `[time, channels]`) at the config's rate.
        config: The config, which sets sample rate, channels and resampler.
        strict: Whether to refuse samples that were not decoded by audiopipe.
        accept_truncated: As in `audio.read`.
        on_remark: As in `audio.read`. The warnings name the path of the value, if it has one.

    Yields:
        float32 `[time, channels]` at the config's sample rate: consecutive blocks of the clip, at least one.

    Raises:
        AudioError: If the audio cannot be read. It is raised when the iteration reaches the fault.
        ArgumentError: If the value has none of these forms, or `strict` is set and it holds only decoded samples.
    """
    path = path_of(value)
    on_remark = on_remark or warn_about(None if path is None else repr(path))
    conversion: dict[str, Any] = {
        "sample_rate": config.sample_rate,
        "channels": config.channels,
        "channel": config.channel,
        "resampler_quality": config.resampler_quality,
        "on_remark": on_remark,
    }
    reading = {**conversion, "accept_truncated": accept_truncated}
    value = _as_stored(value)
    if isinstance(value, Mapping) and value.get("bytes") is not None:
        # The stored bytes come first, because every door decodes them, with the same decoder.
        try:
            yield from audio.read_blocks(value["bytes"], **reading)
        except AudioError as error:
            if value.get("path") is None:
                raise
            raise AudioError(f"{value['path']!r}: {error}", error.stage) from error
        return
    if isinstance(value, Mapping) and value.get("path") is not None:
        value = value["path"]
    if _is_readable_file(value):
        yield from _of_readable_file(value, reading)
        return
    if isinstance(value, (str, bytes, os.PathLike, audio.Opened)) or hasattr(value, "read"):
        yield from audio.read_blocks(value, **reading)
        return
    if value is None or (isinstance(value, Mapping) and value.get("array") is None):
        raise AudioError("The row holds no audio. Filter such rows out before the map.", stage="read")
    if strict:
        raise ArgumentError(
            f"strict=True requires audio that audiopipe decodes itself. Received: {type(value).__name__} with samples "
            "that are already decoded, and neither bytes nor a path. Store files or their bytes in the column, or use "
            "Transform(..., strict=False)."
        )
    if not isinstance(value, Mapping) and not _is_decoder(value):
        value = waveforms.numbers(value)
        if value.shape[1:] == (1,):
            conversion["channel"] = None  # already picked; see `waveforms.check_channel`
    yield from audio.convert_blocks([_decoded(value, config.sample_rate)], **conversion)


def _of_readable_file(file: Any, reading: dict[str, Any]) -> Iterator[np.ndarray]:
    """Reads a `ReadableFile` of Apache Beam, whose file systems and compressions are those of Beam."""
    path = str(file.metadata.path)
    try:
        opened = file.open("application/octet-stream")
    except Exception as error:  # each file system of Beam has errors of its own
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise AudioError(f"Could not read {path!r}: {reason.rstrip('.')}.", stage="read") from error
    with contextlib.closing(opened):
        if isinstance(getattr(opened, "raw", None), io.FileIO):  # a local file as it is: faster to read by its path
            yield from audio.read_blocks(path, **reading)
            return
        # `seekable` is no function of a compressed file, which would be decompressed anew for each step back.
        stream: Any = opened if callable(getattr(opened, "seekable", None)) else _Stream(opened)
        try:
            yield from audio.read_blocks(stream, **reading)
        except AudioError as error:
            raise AudioError(f"{path!r}: {error}", error.stage) from error


class _Stream:
    """Open file that is read from its start to its end, so that `audio.read_blocks` copies it first."""

    def __init__(self, file: Any):
        self.read = file.read

    def seekable(self) -> bool:
        return False


def _as_stored(value: Any) -> Any:
    """Unwraps an audio value from a decoder object or from the types of a format."""
    encoded = getattr(value, "_hf_encoded", None)  # a decoder object of `datasets` keeps the encoded audio here
    if isinstance(encoded, Mapping) and (encoded.get("bytes") is not None or encoded.get("path") is not None):
        value = encoded
    if isinstance(value, Mapping):
        value = {name: _without_format(entry) for name, entry in value.items()}
        if isinstance(value.get("path"), bytes):
            value["path"] = os.fsdecode(value["path"])
        return value
    return _without_format(value)


def _without_format(value: Any) -> Any:
    """Returns the text or bytes that a format wrapped in a scalar array or tensor. Other values stay unchanged."""
    if getattr(value, "shape", None) == () and getattr(value, "dtype", None) is not None:
        value = value.numpy() if hasattr(value, "numpy") else value
        return value.item() if isinstance(value, (np.ndarray, np.generic)) else value
    return value


def _decoded(value: Any, sample_rate: int) -> tuple[np.ndarray, int]:
    """Returns the samples `[time, channels]` of a value that holds only decoded samples, and their rate."""
    if _is_decoder(value):
        try:
            made = value.get_all_samples()
        except (RuntimeError, ValueError, OSError) as error:
            raise AudioError(f"{type(value).__name__} could not decode the row's audio: {error}", "decode") from error
        return waveforms.samples(np.asarray(made.data)).T, int(made.sample_rate)  # torchcodec returns channels first
    if isinstance(value, Mapping):
        try:
            rate = operator.index(value["sampling_rate"])
        except (KeyError, TypeError):
            rate = 0
        if rate < 1:
            raise ArgumentError(
                "A dict with an array must have the key 'sampling_rate', an integer in hertz. Received: sampling_rate="
                f"{value.get('sampling_rate')!r}. Add the rate of the samples."
            )
        return _time_first(waveforms.samples(value["array"])), rate
    clip = waveforms.samples(value)
    if clip.shape[1] > MAX_CHANNELS:
        raise ArgumentError(
            f"A clip must be [time] or [time, channels] with at most {MAX_CHANNELS} channels. Received: "
            f"shape={clip.shape}. If the channels come first, transpose it."
        )
    return clip, sample_rate


def _time_first(clip: np.ndarray) -> np.ndarray:
    """Returns an array of `datasets`, which normally has the channels first, as `[time, channels]`."""
    return clip if clip.shape[1] <= MAX_CHANNELS < clip.shape[0] or clip.shape[1] == 1 else clip.T


def _is_readable_file(value: Any) -> bool:
    """Returns whether a value is a `ReadableFile` of Apache Beam."""
    return hasattr(value, "open") and hasattr(getattr(value, "metadata", None), "path")


def _is_decoder(value: Any) -> bool:
    """Returns whether a value is an audio decoder of torchcodec, which decodes on demand."""
    return hasattr(value, "get_all_samples")
