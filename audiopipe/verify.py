"""Recompute the features of a feature set from the audio, through every door, and compare bit by bit."""

import contextlib
import io
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soundfile
import tensorflow as tf

from audiopipe import environment, files, inputs, records, tfdata
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
from audiopipe.segments import SEPARATOR, Segments, parse_id
from audiopipe.transform import Transform

DOORS = ("tfdata", "hf", "both")
PADDED_BATCH_SIZE = 17  # odd, and no power of two: clips stand at every place of a batch
ROWS_AT_ONCE = 64
SAMPLE_SEED = 0  # the same clips every time, so that two people who verify talk of the same


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
        tolerance: Greatest absolute difference that is fine, or None where every bit has to agree.
        machine: Why bits may differ on this machine, or an empty string.
    """

    feature_set: FeatureSet
    comparisons: list[Comparison]
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    tolerance: float | None = None
    machine: str = ""

    @property
    def ok(self) -> bool:
        """Whether every bit agrees, or every difference is within the tolerance, and nothing is missing."""
        if self.tolerance is None:
            agree = not any(comparison.differing for comparison in self.comparisons)
        else:
            agree = all(comparison.max_difference <= self.tolerance for comparison in self.comparisons)
        return agree and not (self.missing or self.unknown)


def verify(
    output: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    door: str = "both",
    sample: int | None = None,
    tolerance: float | None = None,
) -> Report:
    """Check the shards of a feature set, recompute its features from the audio, and compare.

    Args:
        output: Folder of the feature set.
        source: The input that it was made from.
        door: `"tfdata"` (clip by clip, and in padded batches), `"hf"`, or `"both"`.
        sample: Clips to recompute, spread over the feature set and the same ones every time. None means all. The shards
            are checked whole in any case.
        tolerance: Greatest absolute difference that is fine. None means that every bit has to agree.

    Returns:
        A `Report`.

    Raises:
        CorruptFeatureSetError: If a shard is missing or damaged, or `dataset.json` was edited. The message names the
            file.
        ConfigMismatchError: If the features were computed under another kernel version than that of this release.
        InputError: If the input is missing, or has none of the feature set's clips.
        FeatureSetError: If the audio of a stored clip cannot be read any more.
    """
    if door not in DOORS:
        raise ArgumentError(f"door must be one of {', '.join(DOORS)}. Received: door={door!r}.")
    if sample is not None and sample < 1:
        raise ArgumentError(f"sample must be at least 1, or None for all clips. Received: sample={sample}.")
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        raise ArgumentError(f"tolerance must be at least 0 and finite. Received: tolerance={tolerance}.")
    feature_set = FeatureSet.open(output)
    feature_set.check_files(checksums=True)
    _check_counts(feature_set)
    feature_set.expect(feature_set.config)
    sources = {clip.id: clip for clip in inputs.scan(source)}
    try:
        stored = [_text(element["id"]) for element in records.elements(feature_set)]
    except tf.errors.OpError as error:
        raise CorruptFeatureSetError(f"The records of {os.fspath(output)!r} cannot be read: {_cause(error)}") from error
    recordings = {clip_id: _recording(clip_id, feature_set) for clip_id in stored}
    failed = {failure["id"] for failure in feature_set.failures()}
    failed |= {clip_id.rpartition(SEPARATOR)[0] for clip_id in failed if feature_set.segments}
    missing = [clip_id for clip_id in stored if recordings[clip_id] not in sources]
    unknown = sorted(sources.keys() - set(recordings.values()) - failed)
    present = [clip_id for clip_id in stored if recordings[clip_id] in sources]
    if not present:
        raise InputError(
            f"{os.fspath(source)!r} has none of the {len(stored)} clips of {os.fspath(output)!r}, of which the first "
            f"is {stored[0]!r}. Give the input that the feature set was made from."
        )
    chosen = _spread(present, sample)
    names = dict.fromkeys(recordings[clip_id] for clip_id in present if clip_id in chosen)
    clips = _Clips([sources[name] for name in names], chosen, feature_set.segments)
    transform = Transform(feature_set.config)
    comparisons = []
    for name, compute in _doors(door):
        comparison = Comparison(door=name)
        try:
            for element, computed in zip(_stored(feature_set, chosen), compute(clips, transform), strict=True):
                comparison.add(_text(element["id"]), element["feature"].numpy(), computed)
        except (tf.errors.OpError, AudioError) as error:
            raise FeatureSetError(f"The audio of a stored clip cannot be read any more: {_cause(error)}") from error
        comparisons.append(comparison)
    return Report(
        feature_set=feature_set,
        comparisons=comparisons,
        missing=missing,
        unknown=unknown,
        tolerance=tolerance,
        machine=environment.differences(feature_set.machines),
    )


def _check_counts(feature_set: FeatureSet) -> None:
    for shard in feature_set.shards:
        name = files.join(feature_set.path, shard["name"])
        found = records.count(name)
        if found != shard["records"]:
            raise CorruptFeatureSetError(
                f"The shard {name!r} must have {shard['records']} records. Received: {found}. Copy it again, or make "
                "the feature set anew."
            )


def _spread(ids: list[str], sample: int | None) -> set[str]:
    """Ids of a sample: one at random from each of as many stretches of equal length."""
    if sample is None or sample >= len(ids):
        return set(ids)
    edges = np.linspace(0, len(ids), sample + 1).astype(int)
    return {ids[number] for number in np.random.default_rng(SAMPLE_SEED).integers(edges[:-1], edges[1:])}


def _doors(door: str):
    doors = {"tfdata": [("tf.data", _by_clip), ("tf.data, padded", _by_batch)]}
    doors["hf"] = [("datasets", _by_row)]
    return doors[door] if door != "both" else [*doors["tfdata"], *doors["hf"]]


def _stored(feature_set: FeatureSet, chosen: set[str]) -> Iterator[dict[str, tf.Tensor]]:
    return (element for element in records.elements(feature_set) if _text(element["id"]) in chosen)


def _recording(clip_id: str, feature_set: FeatureSet) -> str:
    """Id of the recording that a stored clip is, or is a segment of."""
    return clip_id if feature_set.segments is None else parse_id(clip_id)[0]


class _Clips:
    """The clips to recompute: recordings, or segments of them."""

    def __init__(self, sources: list[Source], chosen: set[str], segments: Segments | None):
        # Without the metadata, of which text cannot be padded.
        self._sources = [Source(id=source.id, path=source.path, row=source.row) for source in sources]
        self._segments = segments
        self._only: dict[str, set[int]] = {}
        if segments is not None:
            for name, number in map(parse_id, chosen):
                self._only.setdefault(name, set()).add(number)

    def dataset(self, transform: Transform) -> tf.data.Dataset:
        """The clips as the door `tfdata` reads them."""
        if self._segments is None:
            return tfdata.from_sources(self._sources, transform)
        return tfdata.from_sources(self._sources, transform, segments=self._segments, only=self._only)

    def encoded(self, transform: Transform) -> Iterator[str | bytes]:
        """The clips as a row of `datasets` holds them: a path, or the bytes of an audio file."""
        for source in self._sources:
            if self._segments is None:
                yield source.open()
                continue
            blocks = transform.read_blocks(source.open())
            for _, samples in self._segments.clips(source, blocks, transform.config, self._only[source.id]):
                file = io.BytesIO()
                soundfile.write(file, samples, transform.config.sample_rate, format="WAV", subtype="FLOAT")
                yield file.getvalue()


def _by_clip(clips: _Clips, transform: Transform) -> Iterator[np.ndarray]:
    for element in clips.dataset(transform).map(transform):
        yield element[transform.feature].numpy()


def _by_batch(clips: _Clips, transform: Transform) -> Iterator[np.ndarray]:
    frame_axis = transform.config.feature_shape(None, 0).index(None)
    # Where a config keeps the channels that there are, clips of unequal channels cannot stand in one batch.
    size = 1 if transform.config.channels is None else PADDED_BATCH_SIZE
    for batch in clips.dataset(transform).padded_batch(size).map(transform):
        for feature, n_frames in zip(batch[transform.feature].numpy(), batch["n_frames"].numpy(), strict=True):
            yield np.take(feature, range(n_frames), axis=frame_axis)


def _by_row(clips: _Clips, transform: Transform) -> Iterator[np.ndarray]:
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
    remaining = clips.encoded(transform)
    while opened := list(itertools.islice(remaining, ROWS_AT_ONCE)):
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
    """The message of an exception, without what a graph adds to it: where it stands, or a Python traceback."""
    line = str(getattr(error, "message", error)).splitlines()[0]
    asserted = re.search(r"assertion failed: \[(.*)\]", line)
    return asserted[1] if asserted else line
