"""Rows and batches of Hugging Face `datasets`: how to tell them from other mappings, and what audio they hold.

Everything is recognised by its form, so that `datasets` and torchcodec need not be installed.
"""

import operator
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from audiopipe import audio
from audiopipe.configs.base import MAX_CHANNELS, Config
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.transform import waveforms


def path_of(value: Any) -> str | None:
    """The path that an audio value of a row names, for errors."""
    value = getattr(value, "_hf_encoded", value)
    path = value.get("path") if isinstance(value, Mapping) else value
    return str(path) if isinstance(path, (str, os.PathLike)) else None


def is_encoded(value: Any) -> bool:
    """Whether this is audio as a row of `datasets` holds it: not numbers, but a form that says what they mean."""
    if isinstance(value, Mapping):
        return "bytes" in value or "path" in value or "array" in value
    return isinstance(value, (str, bytes, os.PathLike)) or _is_decoder(value)


def is_batch_of_encoded(value: Any) -> bool:
    """Whether this is a list of audio values, of which some may be missing."""
    is_list = isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.dtype == object)
    present = [item for item in value if item is not None] if is_list else []
    return bool(present) and all(map(is_encoded, present))


def is_ready(value: Any, sample_rate: int) -> bool:
    """Whether this is samples at a rate, so that to read it takes no time."""
    if isinstance(value, Mapping):
        encoded = value.get("bytes") is not None or value.get("path") is not None
        return not encoded and value.get("sampling_rate") == sample_rate
    return isinstance(value, (np.ndarray, list, tuple))


def read(value: Any, config: Config, *, strict: bool = False) -> np.ndarray:
    """Read one clip from an audio value of a row, see `read_blocks`.

    Returns:
        float32 `[time, channels]` at the config's sample rate.
    """
    return audio.joined(read_blocks(value, config, strict=strict))


def read_blocks(value: Any, config: Config, *, strict: bool = False) -> Iterator[np.ndarray]:
    """Read one clip from an audio value of a row, in blocks.

    Args:
        value: A dict with `bytes` or `path`, a dict with `array` (`[time]`, or `[channels, time]` as `datasets` has it)
            and `sampling_rate`, a decoder object, a path, the bytes of an audio file, an open binary file, or an array
            of samples (`[time]` or `[time, channels]`) at the config's rate.
        config: The config that names sample rate, channels and resampler.
        strict: Whether samples that something else decoded are refused.

    Yields:
        float32 `[time, channels]` at the config's sample rate: consecutive blocks of the clip, at least one.

    Raises:
        AudioError: If it cannot be read, when the iteration comes to what is wrong.
        ArgumentError: If it has none of these forms, or holds samples alone and `strict` is set.
    """
    arguments: dict[str, Any] = {
        "sample_rate": config.sample_rate,
        "channels": config.channels,
        "resampler_quality": config.resampler_quality,
    }
    value = _as_stored(value)
    if isinstance(value, Mapping) and value.get("bytes") is not None:
        # The stored bytes first: they are what every door decodes, with one decoder.
        try:
            yield from audio.read_blocks(value["bytes"], **arguments)
        except AudioError as error:
            if value.get("path") is None:
                raise
            raise AudioError(f"{value['path']!r}: {error}", error.stage) from error
        return
    if isinstance(value, Mapping) and value.get("path") is not None:
        value = value["path"]
    if isinstance(value, (str, bytes, os.PathLike)) or hasattr(value, "read"):
        yield from audio.read_blocks(value, **arguments)
        return
    if value is None or (isinstance(value, Mapping) and value.get("array") is None):
        raise AudioError("The row holds no audio. Filter such rows out before the map.", stage="read")
    if strict:
        raise ArgumentError(
            f"strict=True takes audio that audiopipe decodes itself. Received: {type(value).__name__} with samples "
            "that are decoded already, and neither bytes nor a path. Give the column its files or their bytes, or use "
            "Transform(..., strict=False)."
        )
    yield from audio.convert_blocks([_decoded(value, config.sample_rate)], **arguments)


def _as_stored(value: Any) -> Any:
    """An audio value without what a decoder or a format has put around it."""
    encoded = getattr(value, "_hf_encoded", None)  # a decoder object of `datasets` keeps what it would decode
    if isinstance(encoded, Mapping) and (encoded.get("bytes") is not None or encoded.get("path") is not None):
        value = encoded
    if isinstance(value, Mapping):
        value = {name: _without_format(entry) for name, entry in value.items()}
        if isinstance(value.get("path"), bytes):
            value["path"] = os.fsdecode(value["path"])
        return value
    return _without_format(value)


def _without_format(value: Any) -> Any:
    """A text or bytes that a format made a scalar array or tensor of, as it was; anything else as it is."""
    if getattr(value, "shape", None) == () and getattr(value, "dtype", None) is not None:
        value = value.numpy() if hasattr(value, "numpy") else value
        return value.item() if isinstance(value, (np.ndarray, np.generic)) else value
    return value


def _decoded(value: Any, sample_rate: int) -> tuple[np.ndarray, int]:
    """The samples `[time, channels]` of a value that holds nothing else, and their rate."""
    if _is_decoder(value):
        try:
            made = value.get_all_samples()
        except (RuntimeError, ValueError, OSError) as error:
            raise AudioError(f"{type(value).__name__} could not decode the row's audio: {error}", "decode") from error
        return waveforms.samples(np.asarray(made.data)).T, int(made.sample_rate)  # torchcodec has the channels first
    if isinstance(value, Mapping):
        try:
            rate = operator.index(value["sampling_rate"])
        except (KeyError, TypeError):
            rate = 0
        if rate < 1:
            raise ArgumentError(
                "A dict with an array must say its rate. Received: sampling_rate="
                f"{value.get('sampling_rate')!r}. Add the key 'sampling_rate', in hertz."
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
    """`[time, channels]` of an array that `datasets` decoded, which has the channels first."""
    return clip if clip.shape[1] <= MAX_CHANNELS < clip.shape[0] or clip.shape[1] == 1 else clip.T


def _is_decoder(value: Any) -> bool:
    """Whether this is an audio decoder of torchcodec, which decodes on demand."""
    return hasattr(value, "get_all_samples")
