"""Elements of collections: what `ComputeFeatures` takes, and what it returns.

A computed element is a dict, in this order:

- `id`: text. The field `id` of the input, or else the path of its audio.
- All other fields of the input but the audio.
- The feature, under the name that the transform gives it: float32 `[frames, bins, channels]`, or
  `[channels, frames, bins]` for `channels_first`.
- `n_frames`: its number of frames. If the config pads clips, `valid_frames`: the number of frames that hold audio.
- `<feature>_digest`: digest of the feature and of `valid_frames`, by which `WriteFeatureSet` finds out whether somebody
  changed them, see `audiopipe.precompute.element_digests`.
- `remarks`: faults that did not prevent reading: a list, usually empty, of dicts with `id`, `path`,
  `stage`, `remark` and further facts, as in `remarks.jsonl`.

A failure is a dict with `id`, `path`, `stage` and `error`, as in `failures.jsonl`. The `id` is None if the element has
none, and the `path` is None if its audio has none.
"""

import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.audio.remarks import Remark
from audiopipe.beam import audio_fields
from audiopipe.beam.audio_fields import ONE_CLIP, SHOWN
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import row_digests
from audiopipe.precompute import element_digests, element_keys, known_machines
from audiopipe.precompute.element_keys import ID, REMARKS
from audiopipe.transform import audio_values
from audiopipe.transform.row_columns import count_columns


@dataclass(slots=True, eq=False)
class Element:
    """Element whose feature is to be computed.

    Attributes:
        id: Its id, or None if it has none, which is an error.
        path: Path of its audio, or None if it has none.
        audio: Its audio, in a form of `audiopipe.transform.audio_values`.
        fields: Its other fields.
        error: The error, if the element cannot be used.
        remarks: Remarks about its audio, which reading adds.
    """

    id: str | None = None
    path: str | None = None
    audio: Any = None
    fields: dict[str, Any] = field(default_factory=dict)
    error: ArgumentError | None = None
    remarks: list[Remark] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of audio that the element holds."""
        values = self.audio.values() if isinstance(self.audio, Mapping) else [self.audio]
        return sum(len(value) if isinstance(value, bytes) else getattr(value, "nbytes", 0) for value in values)


def parse(value: Any, audio: str, reserved: Collection[str]) -> Element:
    """Returns the element for a value of a collection, with an error if it cannot be used.

    Args:
        value: A path, a dict, a `beam.Row`, a named tuple or a `ReadableFile`.
        audio: Name of the field that holds the audio.
        reserved: Names of fields that the value must not have, from `reserved_fields`.
    """
    element = Element()
    try:
        _fill(element, value, audio, reserved)
    except ArgumentError as error:
        is_named = element.id is not None or element.path or _fields(value) is None
        element.error = error if is_named else ArgumentError(f"{error} The element: {checks.shown(value, SHOWN)}.")
    return element


def _fill(element: Element, value: Any, audio: str, reserved: Collection[str]) -> None:
    fields = _fields(value)
    if fields is None:
        if isinstance(value, Mapping) or audio_values.path_of(value) is None:
            raise ArgumentError(
                "An element must be a path, a dict, a beam.Row, a named tuple or a fileio.ReadableFile. Received: "
                f"{checks.shown(value, SHOWN)} ({type(value).__name__}). Put other audio into a dict with an id: "
                f"{{'id': ..., {audio!r}: ...}}. {ONE_CLIP}"
            )
        fields = {audio: value}
    elif ID in fields:
        element.id = _identity(fields[ID])
    unnamed = [name for name in fields if not isinstance(name, str)]
    if unnamed:
        raise ArgumentError(
            f"The names of fields must be texts. Received: {checks.shown(unnamed[0], SHOWN)} "
            f"({type(unnamed[0]).__name__}). Rename the field."
        )
    if audio not in fields:
        raise ArgumentError(
            f"An element must have the field {audio!r} with the audio. Received the fields: "
            f"{', '.join(map(str, fields)) or 'none'}. Add the audio, or name the field that holds it: "
            "Transform(..., audio=...)."
        )
    element.audio = _with_fields(fields.pop(audio))
    element.path = audio_values.path_of(element.audio)
    audio_fields.check(element.audio, audio)
    fields.pop(ID, None)
    element.fields = fields
    if element.id is None:
        element.id = element.path or None
    if element.id is None:
        raise ArgumentError(
            f"An element must have an id: the field {ID!r}, or audio with a path. Received the fields: "
            f"{', '.join(map(str, [audio, *fields]))}, with {type(element.audio).__name__} as {audio!r}. Add a field "
            f"{ID!r}."
        )
    taken = sorted(name for name in reserved if name in fields)
    if taken:
        raise ArgumentError(
            f"An element must not have fields with the names that ComputeFeatures adds. Received: {', '.join(taken)}. "
            "Rename them, or give the feature another name: Transform(..., feature=...). To compute two features of "
            "the same rows, apply both to the rows, and join the results by their ids."
        )


def _fields(value: Any) -> dict[str, Any] | None:
    """Returns the fields of a row as a new dict, or None if the value is no row."""
    if isinstance(value, Mapping):
        return dict(value)
    as_dict = getattr(value, "_asdict", None)  # of a beam.Row or a named tuple
    return dict(as_dict()) if callable(as_dict) else None


def _with_fields(audio: Any) -> Any:
    """Returns an audio value, as a dict if it is a row inside a row."""
    return audio_fields.with_bytes(_fields(audio) or audio)


def _identity(value: Any) -> str | None:
    """Returns the id of an element as text, or None if it is missing."""
    if value is None:
        return None
    is_text = isinstance(value, (str, os.PathLike)) and str(value)
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    is_missing = isinstance(value, (float, np.floating)) and not math.isfinite(value)  # as in tables of pandas
    if is_text or (is_number and not is_missing):
        return str(value)
    is_batch = isinstance(value, (list, tuple, np.ndarray))
    raise ArgumentError(
        f"The field {ID!r} must be a text or a number, and not empty. Received: {checks.shown(value, SHOWN)} "
        f"({type(value).__name__}). {ONE_CLIP if is_batch else 'Leave it out to use the path of the audio.'}"
    )


def added_fields(config: Config, feature: str) -> list[str]:
    """Returns the names of the fields that are added to an element, in their order.

    Example:
        >>> from audiopipe import registry
        >>> added_fields(registry.get("whisper-80"), "mel")
        ['mel', 'n_frames', 'valid_frames', 'mel_digest', 'remarks']
    """
    return [feature, *count_columns(config), row_digests.name_of(feature), REMARKS]


def reserved_fields(feature: str) -> list[str]:
    """Returns the names of all fields that have a meaning in computed elements, whether a config adds them or not.

    A field `valid_frames` of the user would count as the number of frames with audio.
    """
    return [name for name in element_keys.own(feature) if name != ID]


def computed(
    element: Element, feature: np.ndarray, n_samples: int, remarks: list[dict[str, Any]], config: Config, name: str
) -> dict[str, Any]:
    """Returns a computed element.

    Args:
        element: The element.
        feature: Its feature.
        n_samples: Number of samples of its clip.
        remarks: The remarks about it, from `remark`.
        config: Config of the feature.
        name: Name of the feature.
    """
    n_frames = valid_frames = feature.shape[config.frame_axis]
    counts = [n_frames]
    if config.pads_clips:
        valid_frames = int(config.valid_frames(n_samples))
        counts.append(valid_frames)
    digest = row_digests.digest(feature, config.fingerprint)
    known_machines.computed_here(digest)
    added = [feature, *counts, element_digests.digest(digest, n_frames, valid_frames), remarks]
    return {ID: element.id, **element.fields, **dict(zip(added_fields(config, name), added, strict=True))}


def remark(element: Element, remark: Remark) -> dict[str, Any]:
    """Returns a remark about an element, as in `remarks.jsonl`."""
    return {ID: element.id, "path": element.path, "stage": remark.stage, "remark": remark.text, **remark.facts}


def failure(element: Element, stage: str, error: str) -> dict[str, Any]:
    """Returns a failure, as in `failures.jsonl`."""
    return {ID: element.id, "path": element.path, "stage": stage, "error": error}
