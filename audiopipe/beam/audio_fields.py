"""Checks of the field of an element that holds its audio."""

import numbers
import os
from collections.abc import Mapping, Sequence, Set
from typing import Any

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.transform import audio_values

SHOWN = 200  # characters of a value in an error
ONE_CLIP = "An element is one clip: divide a batch with beam.FlatMap."

_NO_FILE = (numbers.Number, list, tuple, Mapping, Set)
_ENCODED = (str, bytes, bytearray, os.PathLike, Mapping)


def with_bytes(value: Any) -> Any:
    """Returns an audio value with `bytes` instead of a `bytearray`."""
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, Mapping) and isinstance(value.get("bytes"), bytearray):
        return {**value, "bytes": bytes(value["bytes"])}
    return value


def check(value: Any, name: str) -> None:
    """Raises an error unless a value has the form of the audio of one clip.

    Args:
        value: The value. None is no audio, which reading reports.
        name: Name of the field.

    Raises:
        ArgumentError: If it has another form, or is a batch.
    """
    if value is None:
        return
    if not audio_values.is_audio(value) or (isinstance(value, str) and not value):
        raise ArgumentError(
            f"The field {name!r} must have a path, the bytes of an audio file, a ReadableFile, a dict with 'bytes', "
            "'path', or 'array' and 'sampling_rate', or an array of floating-point samples. Received: "
            f"{_received(value)}. Put the audio there, or name the field that holds it: Transform(..., audio=...)."
        )
    if isinstance(value, Mapping):
        _check_dict(value, name)
    batch = _batch(value.get("array") if isinstance(value, Mapping) else value)
    if batch is not None:
        raise ArgumentError(
            f"The field {name!r} must have the audio of one clip; its samples are [time] or [time, channels]. "
            f"Received: {batch}. {ONE_CLIP}"
        )


def _check_dict(value: Mapping[str, Any], name: str) -> None:
    """Raises an error if `bytes` or `path` of a dict have a wrong type."""
    content, path = value.get("bytes"), value.get("path")
    if isinstance(content, (str, *_NO_FILE)):
        raise ArgumentError(
            f"The field {name!r} must be a dict whose 'bytes' are those of an audio file, or None. Received: 'bytes' "
            f"with {_received(content)}. Put the path of a file under 'path'."
        )
    is_empty = isinstance(path, str) and not path and content is None and value.get("array") is None
    if isinstance(path, _NO_FILE) or is_empty:
        raise ArgumentError(
            f"The field {name!r} must be a dict whose 'path' is that of an audio file, or None. Received: 'path' with "
            f"{_received(path)}. Correct the path."
        )


def _batch(value: Any) -> str | None:
    """Describes a value that is a batch of clips. Returns None for others."""
    shape = tuple(getattr(value, "shape", ()))
    if len(shape) > 2:
        return f"an array of the shape {shape}"
    items: Sequence[Any] = value if isinstance(value, (list, tuple)) else ()
    if items and isinstance(items[0], _ENCODED):
        first = f"{checks.shown(items[0], SHOWN // 2)} ({type(items[0]).__name__})"
        return f"a list of {len(items)} values, the first of them {first}"
    return None


def _received(value: Any) -> str:
    """Describes a value of a wrong form."""
    if isinstance(value, Mapping):
        return f"a dict with the keys {', '.join(map(str, value))}" if value else "an empty dict"
    return f"{checks.shown(value, SHOWN)} ({type(value).__name__})"
