"""Computed clips as pipelines pass them on: dicts with an id, metadata, a feature, its digest, and facts about it."""

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.errors import FingerprintError, InputError
from audiopipe.feature_sets import row_digests
from audiopipe.feature_sets.description import REMARK_FIELDS
from audiopipe.inputs import metadata_types
from audiopipe.precompute import element_digests, element_keys
from audiopipe.precompute.element_keys import ID, REMARKS
from audiopipe.transform.entry_names import N_FRAMES, VALID_FRAMES

_ADVICE = (
    "Compute features with audiopipe.beam.ComputeFeatures, keep the digest, and pass the config that computed them. "
    "Store values that you have changed under another key, which claims nothing, or make the change part of the "
    "config, as config.normalized(statistics) does."
)


@dataclass(frozen=True, slots=True, eq=False)
class ComputedClip:
    """A clip with its feature.

    Args:
        id: Id of the clip.
        feature: float32 `[frames, bins, channels]`, or `[channels, frames, bins]` for `channels_first`.
        n_frames: Number of frames.
        valid_frames: Number of frames that hold audio. None if it is not known.
        metadata: Value of each metadata column.
        remarks: What was noticed about its audio, as in `remarks.jsonl`.
        digest: Digest of the feature, see `audiopipe.feature_sets.row_digests`.
    """

    id: str
    feature: np.ndarray
    n_frames: int
    valid_frames: int | None
    metadata: dict[str, Any]
    remarks: list[dict[str, Any]]
    digest: str


class ComputedClips:
    """Reader of the elements of pipelines, which refuses those that do not hold a feature of a config.

    Args:
        config: Config of the features.
        feature: Key of the feature in each element.

    Example:
        >>> from audiopipe import registry
        >>> config = registry.get("speech-mel-80")
        >>> feature = np.zeros((3, 80, 1), np.float32)
        >>> digest = row_digests.digest(feature, config.fingerprint)
        >>> element = {"id": "a.wav", "feature": feature, "n_frames": 3, "feature_digest": digest, "speaker": "Bo"}
        >>> clip = ComputedClips(config).read(element)
        >>> clip.id, clip.valid_frames, clip.metadata
        ('a.wav', 3, {'speaker': 'Bo'})
    """

    def __init__(self, config: Config, feature: str = "feature"):
        element_keys.check_feature(feature)
        self._config = config
        self._feature = feature
        self._digest = row_digests.name_of(feature)
        self._fingerprint = config.fingerprint
        self._own = element_keys.own(feature)

    def read(self, element: Any) -> ComputedClip:
        """Reads an element.

        Args:
            element: A dict as `audiopipe.beam.ComputeFeatures` makes it.

        Raises:
            InputError: If the element is no such dict, or its fields do not fit the config or each other.
            FingerprintError: If the element has no digest, or another one: its feature is not one of the config, or the
                number of its frames that hold audio was changed.
        """
        clip_id = self._id(element)
        where = f"The element {clip_id!r}"
        feature = self._array(element, where)
        n_frames = feature.shape[self._config.frame_axis]
        if element.get(N_FRAMES) != n_frames:
            raise InputError(
                f"{where}: {N_FRAMES!r} must be the number of frames of its feature, {n_frames}. Received: "
                f"{_shown(element.get(N_FRAMES))}. Keep it as ComputeFeatures gives it."
            )
        valid_frames = self._valid_frames(element, n_frames, where)
        digest = self._checked_digest(element, feature, valid_frames, where)
        self._check_finite(feature, valid_frames, where)
        metadata = {name: value for name, value in element.items() if name not in self._own}
        metadata_types.check_columns(metadata, where)
        return ComputedClip(
            id=clip_id,
            feature=feature,
            n_frames=n_frames,
            valid_frames=valid_frames,
            metadata={name: metadata_types.plain(value) for name, value in metadata.items()},
            remarks=_remarks(element.get(REMARKS), where),
            digest=digest,
        )

    def _id(self, element: Any) -> str:
        if not isinstance(element, Mapping):
            raise InputError(
                "Elements must be dicts, as ComputeFeatures gives them. Received: "
                f"{type(element).__name__}: {_shown(element)}. Return the whole dict from your own functions."
            )
        clip_id = element.get(ID)
        if not isinstance(clip_id, str) or not clip_id:
            raise InputError(
                f"Elements must have an id, a text that is not empty, under the key {ID!r}. Received: "
                f"{_shown(clip_id)} in an element with the keys {', '.join(map(str, element))}. Keep the id that "
                "ComputeFeatures gives, or set one."
            )
        metadata_types.check_text(clip_id, f"The element {clip_id!r}")
        for key in element:
            if not isinstance(key, str):
                raise InputError(f"The element {clip_id!r}: keys must be text. Received: {_shown(key)}. Rename it.")
        return clip_id

    def _array(self, element: Mapping[str, Any], where: str) -> np.ndarray:
        """Returns the feature of an element with a channel axis."""
        if self._feature not in element:
            raise InputError(
                f"{where} must have a feature under the key {self._feature!r}. Received: the keys "
                f"{', '.join(element)}. Keep the feature, or pass feature= the name of its key."
            )
        feature, config = element[self._feature], self._config
        expected = config.feature_shape(None, config.channels)
        if isinstance(feature, np.ndarray) and feature.ndim == 2 and config.feature_channels == 1:
            feature = np.expand_dims(feature, config.channel_axis)
        fits = (
            isinstance(feature, np.ndarray)
            and feature.dtype == np.float32
            and feature.ndim == 3
            and all(size in (None, found) for size, found in zip(expected, feature.shape, strict=True))
            and feature.size
        )
        if not fits:
            is_array = isinstance(feature, np.ndarray)
            received = f"{feature.dtype} of shape {feature.shape}" if is_array else type(feature).__name__
            shape = ", ".join("any" if size is None else str(size) for size in expected)
            raise InputError(
                f"{where}: its feature must be a float32 array of shape [{shape}] with at least one frame. Received: "
                f"{received}. Keep the feature as ComputeFeatures gives it, and pass the config that computed it."
            )
        return feature

    def _valid_frames(self, element: Mapping[str, Any], n_frames: int, where: str) -> int | None:
        if VALID_FRAMES not in element:
            if not self._config.pads_clips:
                return n_frames
            raise InputError(
                f"{where} must have the number of its frames that hold audio under the key {VALID_FRAMES!r}, because "
                "its feature pads clips. Received: an element without it. Keep it as ComputeFeatures gives it."
            )
        value = element[VALID_FRAMES]
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value <= n_frames:
            raise InputError(
                f"{where}: {VALID_FRAMES!r} must be a number of frames, 0 .. {n_frames}. Received: {_shown(value)}. "
                "Keep it as ComputeFeatures gives it. Rename a field of your own."
            )
        return int(value)

    def _checked_digest(
        self, element: Mapping[str, Any], feature: np.ndarray, valid_frames: int | None, where: str
    ) -> str:
        """Returns the digest of a feature with all its axes, after comparing the element with its digest."""
        n_frames = feature.shape[self._config.frame_axis]
        of_feature = row_digests.digest(feature, self._fingerprint)
        stored = element.get(self._digest)
        if stored == element_digests.digest(of_feature, n_frames, valid_frames):
            return of_feature
        if not isinstance(stored, str):
            raise FingerprintError(
                f"{where} must have the digest of its feature under the key {self._digest!r}. Received: "
                f"{_shown(stored)}, so nothing says that the values are a feature of this config. {_ADVICE}"
            )
        known = [of_feature]
        if self._config.feature_channels == 1:  # rows of `datasets` lack the axis of a single channel
            flat = row_digests.digest(np.squeeze(feature, self._config.channel_axis), self._fingerprint)
            if stored == element_digests.digest(flat, n_frames, valid_frames):
                return of_feature
            known.append(flat)
        for digest in known:
            is_feature, covered = element_digests.covered(stored, digest, n_frames)
            if is_feature:
                raise self._other_valid_frames(covered, valid_frames, where)
        raise FingerprintError(
            f"{where}: its feature must be the one that a transform computed with the config {self._fingerprint}. "
            f"Received: values with the digest {of_feature}, and {stored} under the key {self._digest!r}. The values "
            f"were changed, or another config computed them. {_ADVICE}"
        )

    def _other_valid_frames(self, covered: int | None, received: int | None, where: str) -> FingerprintError:
        """Returns the error for an element whose digest covers another number of frames that hold audio."""
        return FingerprintError(
            f"{where}: {VALID_FRAMES!r} must be {covered}, the number of frames with audio that the digest under the "
            f"key {self._digest!r} stands for. Received: {received}. Keep it as ComputeFeatures gives it. Rename a "
            "field of your own. Rows of datasets have digests without this number: write them with "
            "audiopipe.hf.to_feature_set, or compute their features with ComputeFeatures."
        )

    def _check_finite(self, feature: np.ndarray, valid_frames: int | None, where: str) -> None:
        real = feature if valid_frames is None else np.moveaxis(feature, self._config.frame_axis, 0)[:valid_frames]
        if not np.isfinite(real).all():
            raise InputError(
                f"{where}: its feature must have finite values. Received: NaN or infinity. Leave the element out."
            )


def are_facts(value: Any, texts: Set[str], missing: Set[str]) -> bool:
    """Returns whether a value holds the facts about a failure or a remark, which become a line of JSON.

    Args:
        value: Any value.
        texts: Keys that a dict of facts has, with a text each.
        missing: Those of them whose value may be None.

    Example:
        >>> are_facts({"id": "a", "path": None}, {"id", "path"}, {"path"}), are_facts({"id": 3}, {"id"}, set())
        (True, False)
    """
    if not isinstance(value, Mapping):
        return False
    if not all(isinstance(value.get(name), str) or (name in missing and value.get(name, "") is None) for name in texts):
        return False
    try:
        json.dumps(dict(value), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _remarks(value: Any, where: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if isinstance(value, (list, tuple)) and all(are_facts(item, REMARK_FIELDS, missing={"path"}) for item in value):
        return [{**item, "path": item["path"] or ""} for item in value]
    raise InputError(
        f"{where}: {REMARKS!r} must be a list of dicts with texts under the keys {', '.join(sorted(REMARK_FIELDS))}, "
        f"and values that JSON has under others. Received: {_shown(value)}. Keep it as ComputeFeatures gives it. "
        "Rename a field of your own."
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
