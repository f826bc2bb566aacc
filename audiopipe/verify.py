"""Recompute the features of a feature set from the audio, through every door, and compare bit by bit."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe import inputs, records, tfdata
from audiopipe.errors import (
    ArgumentError,
    AudioError,
    CorruptFeatureSetError,
    FeatureSetError,
    InputError,
    MissingDependencyError,
)
from audiopipe.featureset import FeatureSet
from audiopipe.inputs import Source
from audiopipe.transform import Transform

DOORS = ("tfdata", "hf", "both")
PADDED_BATCH_SIZE = 17  # odd, and no power of two: clips stand at every place of a batch
ROWS_AT_ONCE = 64


@dataclass(kw_only=True)
class Comparison:
    """How the features that one door computes differ from the stored ones.

    Args:
        door: The door, as people call it.
        clips: Clips compared.
        values: Values compared.
        differing: Values whose bits differ.
        max_difference: Greatest absolute difference.
        mean_difference: Mean absolute difference.
        worst_clip: Id of the clip with the greatest difference, or None.
    """

    door: str
    clips: int = 0
    values: int = 0
    differing: int = 0
    max_difference: float = 0.0
    mean_difference: float = 0.0
    worst_clip: str | None = None

    def add(self, clip_id: str, stored: np.ndarray, computed: np.ndarray) -> None:
        """Compare one clip."""
        self.clips += 1
        if stored.shape != computed.shape:
            self.values += stored.size
            self.differing += stored.size
            self.max_difference, self.worst_clip = float("inf"), clip_id
            return
        differs = stored.view(np.uint32) != computed.view(np.uint32)
        difference = np.where(differs, np.nan_to_num(np.abs(stored.astype(np.float64) - computed), nan=np.inf), 0)
        total = self.mean_difference * self.values + float(difference.sum())
        self.values += stored.size
        self.differing += int(differs.sum())
        self.mean_difference = total / self.values
        if difference.max() > self.max_difference:
            self.max_difference, self.worst_clip = float(difference.max()), clip_id


@dataclass(kw_only=True)
class Report:
    """What `verify` found.

    Args:
        feature_set: The feature set.
        comparisons: One for each door.
        missing: Ids in the feature set that the input lacks.
        unknown: Ids in the input that neither the feature set nor its failures know.
    """

    feature_set: FeatureSet
    comparisons: list[Comparison]
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every bit agrees and nothing is missing."""
        differing = sum(comparison.differing for comparison in self.comparisons)
        return not (differing or self.missing or self.unknown)


def verify(output: str | os.PathLike[str], source: str | os.PathLike[str], *, door: str = "both") -> Report:
    """Check the shards of a feature set, recompute its features from the audio, and compare.

    Args:
        output: Folder of the feature set.
        source: The input that it was made from.
        door: `"tfdata"` (clip by clip, and in padded batches), `"hf"`, or `"both"`.

    Returns:
        A `Report`.

    Raises:
        CorruptFeatureSetError: If a shard is missing or damaged. The message names the file.
        InputError: If the input is missing, or has none of the feature set's clips.
        FeatureSetError: If the audio of a stored clip cannot be read any more.
    """
    if door not in DOORS:
        raise ArgumentError(f"door must be one of {', '.join(DOORS)}. Received: door={door!r}.")
    feature_set = FeatureSet.open(output)
    feature_set.check_files(checksums=True)
    sources = {clip.id: clip for clip in inputs.scan(source)}
    try:
        stored = [_text(element["id"]) for element in records.load(output)]
    except tf.errors.OpError as error:
        raise CorruptFeatureSetError(f"The records of {os.fspath(output)!r} cannot be read: {_cause(error)}") from error
    missing = [clip_id for clip_id in stored if clip_id not in sources]
    unknown = sorted(sources.keys() - set(stored) - {failure["id"] for failure in feature_set.failures()})
    present = [sources[clip_id] for clip_id in stored if clip_id in sources]
    if not present:
        raise InputError(
            f"{os.fspath(source)!r} has none of the {len(stored)} clips of {os.fspath(output)!r}, of which the first "
            f"is {stored[0]!r}. Give the input that the feature set was made from."
        )
    transform = Transform(feature_set.config)
    comparisons = []
    for name, compute in _doors(door):
        comparison = Comparison(door=name)
        try:
            for element, computed in zip(_present(output, sources), compute(present, transform), strict=True):
                comparison.add(_text(element["id"]), element["feature"].numpy(), computed)
        except (tf.errors.OpError, AudioError) as error:
            raise FeatureSetError(f"The audio of a stored clip cannot be read any more: {_cause(error)}") from error
        comparisons.append(comparison)
    return Report(feature_set=feature_set, comparisons=comparisons, missing=missing, unknown=unknown)


def _doors(door: str):
    doors = {"tfdata": [("tf.data", _by_clip), ("tf.data, padded", _by_batch)]}
    doors["hf"] = [("datasets", _by_row)]
    return doors[door] if door != "both" else [*doors["tfdata"], *doors["hf"]]


def _present(output: str | os.PathLike[str], sources: dict[str, Source]) -> Iterator[dict[str, tf.Tensor]]:
    return (element for element in records.load(output) if _text(element["id"]) in sources)


def _by_clip(sources: list[Source], transform: Transform) -> Iterator[np.ndarray]:
    for element in tfdata.from_sources(sources, transform).map(transform):
        yield element[transform.feature].numpy()


def _by_batch(sources: list[Source], transform: Transform) -> Iterator[np.ndarray]:
    frame_axis = transform.config.feature_shape(None, 0).index(None)
    clips = tfdata.from_sources([Source(id=clip.id, path=clip.path, row=clip.row) for clip in sources], transform)
    # Where a config keeps the channels that there are, clips of unequal channels cannot stand in one batch.
    size = 1 if transform.config.channels is None else PADDED_BATCH_SIZE
    for batch in clips.padded_batch(size).map(transform):
        for feature, n_frames in zip(batch[transform.feature].numpy(), batch["n_frames"].numpy(), strict=True):
            yield np.take(feature, range(n_frames), axis=frame_axis)


def _by_row(sources: list[Source], transform: Transform) -> Iterator[np.ndarray]:
    channel_axis = transform.config.feature_shape(0, None).index(None)
    try:
        import datasets

        from audiopipe import hf
    except ImportError as error:
        raise MissingDependencyError(
            'The door hf needs the package datasets, which is not installed: pip install "audiopipe[hf]", or verify '
            "with --door tfdata."
        ) from error
    encoded = datasets.Features(
        {transform.audio: {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}}
    )
    for start in range(0, len(sources), ROWS_AT_ONCE):
        opened = [clip.open() for clip in sources[start : start + ROWS_AT_ONCE]]
        values = [{"bytes": value, "path": None} if isinstance(value, bytes) else {"path": value} for value in opened]
        rows = datasets.Dataset.from_dict({transform.audio: values}, features=encoded)
        with _no_progress_bars(datasets.utils):
            mapped = hf.map(rows, transform, keep_in_memory=True).with_format("numpy")
        for row in mapped:
            feature = np.asarray(row[transform.feature], np.float32)
            yield np.expand_dims(feature, channel_axis) if feature.ndim == 2 else feature


@contextlib.contextmanager
def _no_progress_bars(settings: Any) -> Iterator[None]:
    disabled = settings.are_progress_bars_disabled()
    settings.disable_progress_bars()
    try:
        yield
    finally:
        if not disabled:
            settings.enable_progress_bars()


def _text(tensor: tf.Tensor) -> str:
    return tensor.numpy().decode("utf-8", "surrogateescape")


def _cause(error: tf.errors.OpError | AudioError) -> str:
    """The message of an exception, without the traceback that a Python function in a graph adds to it."""
    return str(getattr(error, "message", error)).splitlines()[0]
