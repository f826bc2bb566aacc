"""Recomputation of a feature set from its audio through every door, and bit-by-bit comparison.

If the features are stored as float16 or bfloat16, the recomputed ones are rounded to that dtype before the comparison.
"""

import collections
import os
import warnings
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import tensorflow as tf

from audiopipe import checks, inputs
from audiopipe.errors import (
    ArgumentError,
    AudioError,
    AudioRemark,
    CorruptFeatureSetError,
    FeatureSetError,
    InputError,
)
from audiopipe.feature_sets import dtypes, loading, tfrecords
from audiopipe.feature_sets.description import DATASET_FILE, Description
from audiopipe.inputs import SeveralInputs, Source
from audiopipe.precompute import estimate
from audiopipe.runtime import machine_facts
from audiopipe.storage import files
from audiopipe.transform.segments import parse_id, recording_of
from audiopipe.transform.transform import Transform
from audiopipe.verification import recompute
from audiopipe.verification.comparison import Comparison
from audiopipe.verification.recompute import Clips
from audiopipe.verification.stored_features import StoredFeatures

SAMPLE_SEED = 0  # fixed, so that everyone who verifies a feature set compares the same clips


@dataclass(kw_only=True)
class Report:
    """Result of `verify`.

    Args:
        feature_set: The feature set.
        comparisons: One comparison per door.
        missing: Ids in the feature set that are not in the input.
        unknown: Ids in the input that are neither in the feature set nor among its failures.
        tolerance: Largest absolute difference that is accepted, or None if every bit must agree.
        machine: Why bits may differ on this machine, or an empty string.
    """

    feature_set: Description
    comparisons: list[Comparison]
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    tolerance: float | None = None
    machine: str = ""

    @property
    def ok(self) -> bool:
        """True if all bits agree, or all differences are within the tolerance, and no clip is missing or unknown."""
        if self.tolerance is None:
            agree = not any(comparison.differing for comparison in self.comparisons)
        else:
            agree = all(comparison.max_difference <= self.tolerance for comparison in self.comparisons)
        return agree and not (self.missing or self.unknown)


def verify(
    output: str | os.PathLike[str],
    source: str | os.PathLike[str] | SeveralInputs | Iterable[str | os.PathLike[str]],
    *,
    door: str = "both",
    sample: int | None = None,
    tolerance: float | None = None,
) -> Report:
    """Checks the files of a feature set, recomputes its features from the audio, and compares them.

    The comparison uses the values that `load` returns. If features are stored as float16 or bfloat16, the recomputed
    values are rounded to that dtype first. `max_error` in `dataset.json` gives the rounding error.

    Args:
        output: Folder of the feature set.
        source: Input that the feature set was computed from, as in `audiopipe.beam.precompute`.
        door: `"tfdata"` (clip by clip, and in padded batches), `"hf"`, or `"both"`. Clips longer than a minute are
            computed in blocks, as in the precompute job, and are not batched.
        sample: Number of clips to recompute, spread over the feature set. Every call chooses the same clips. None means
            all clips. All shards are checked in any case.
        tolerance: Largest absolute difference that is accepted. None means that every bit must agree.

    Returns:
        A `Report`.

    Raises:
        ArgumentError: If an argument is out of range.
        IncompleteFeatureSetError: If there is no `dataset.json`.
        CorruptFeatureSetError: If a file is missing or damaged, or `dataset.json` was edited. The message names the
            file.
        ConfigMismatchError: If the features have another kernel version than that of this release.
        InputError: If the input is missing, or has none of the feature set's clips.
        FeatureSetError: If the audio of a stored clip can no longer be read.
    """
    if door not in recompute.DOORS:
        raise ArgumentError(f"door must be one of {', '.join(recompute.DOORS)}. Received: door={door!r}.")
    sample = None if sample is None else checks.integer("sample", sample, minimum=1)
    tolerance = None if tolerance is None else checks.real("tolerance", tolerance, minimum=0)
    feature_set = Description.open(output)
    feature_set.check_files(checksums=True)
    _check_counts(feature_set)
    feature_set.expect(feature_set.config)
    sources = {clip.id: clip for clip in inputs.scan(source, feature_set.options)}
    stored = _stored_frames(feature_set)
    failures = feature_set.failures()
    _check_content(feature_set, list(stored.values()))
    recordings = {clip_id: _recording(clip_id, feature_set) for clip_id in stored}
    failed = {failure["id"] for failure in failures}
    failed |= {recording_of(clip_id, sources) for clip_id in failed if feature_set.segments}
    missing = [clip_id for clip_id in stored if recordings[clip_id] not in sources]
    if feature_set.segments:  # recordings that gave no segment have a remark
        failed |= {remark["id"] for remark in feature_set.remarks()}
    unknown = sorted(sources.keys() - set(recordings.values()) - failed)
    present = [clip_id for clip_id in stored if recordings[clip_id] in sources]
    if not present:
        raise InputError(
            f"{_name(source)} has none of the {len(stored)} clips of {os.fspath(output)!r}, the first of which "
            f"is {next(iter(stored))!r}. Pass the input that the feature set was computed from."
        )
    chosen = _spread(present, sample)
    order = _reading_order(feature_set, stored, chosen, {clip_id: sources[recordings[clip_id]] for clip_id in chosen})
    frames = {clip_id: stored[clip_id] for clip_id in order}
    transform = Transform(feature_set.config, accept_truncated=feature_set.accept_truncated)
    clips = Clips(sources, frames, feature_set.segments, transform)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioRemark)  # the feature set has the remarks of its job
        comparisons = [_compare(feature_set, clips, door, name) for name in recompute.DOORS[door]]
    return Report(
        feature_set=feature_set,
        comparisons=comparisons,
        missing=missing,
        unknown=unknown,
        tolerance=tolerance,
        machine=machine_facts.differences(feature_set.machines),
    )


def _compare(feature_set: Description, clips: Clips, door: str, name: str) -> Comparison:
    """Compares the stored clips with those that one way of a door computes."""
    comparison = Comparison(door=name)
    try:
        with StoredFeatures(_stored(feature_set), clips.frames) as features:
            for clip_id, computed in recompute.DOORS[door][name](clips):
                comparison.add(clip_id, features.take(clip_id), dtypes.as_loaded(computed, feature_set.dtype))
    except (tf.errors.OpError, AudioError) as error:
        raise FeatureSetError(f"The audio of a stored clip can no longer be read: {loading.cause(error)}") from error
    return comparison


def _check_counts(feature_set: Description) -> None:
    for shard in feature_set.shards:
        name = files.join(feature_set.path, shard["name"])
        found = tfrecords.count(name)
        if found != shard["records"]:
            raise CorruptFeatureSetError(
                f"The shard {name!r} must have {shard['records']} records. Received: {found}. Copy it again, or "
                "recompute the feature set."
            )


def _spread(ids: list[str], sample: int | None) -> set[str]:
    """Returns the ids of a sample: one random clip from each of `sample` stretches of equal length."""
    if sample is None or sample >= len(ids):
        return set(ids)
    edges = np.linspace(0, len(ids), sample + 1).astype(int)
    return {ids[number] for number in np.random.default_rng(SAMPLE_SEED).integers(edges[:-1], edges[1:])}


def _reading_order(
    feature_set: Description, stored: Iterable[str], chosen: Container[str], sources: Mapping[str, Source]
) -> list[str]:
    """Returns the chosen ids. Within a shard, the stretches of a recording follow one another, by their starts.

    A recording is then decoded once for each shard, as in the precompute job.
    """
    ids, order = iter(stored), []
    for shard in feature_set.shards:
        groups: dict[object, list[str]] = defaultdict(list)
        for clip_id in islice(ids, shard["records"]):
            if clip_id in chosen:
                source = sources[clip_id]
                groups[source.recording() if source.is_stretch else source.id].append(clip_id)
        for group in groups.values():
            order += sorted(group, key=lambda clip_id: sources[clip_id].start or 0.0)
    return order


def _name(source: object) -> str:
    """Returns the name of an input for an error message."""
    if isinstance(source, (str, os.PathLike)):
        return repr(os.fspath(source))
    return f"The input of {len(source.paths)} paths" if isinstance(source, SeveralInputs) else "The list of paths"


def _stored(feature_set: Description) -> Iterator[tuple[str, np.ndarray]]:
    for element in loading.elements(feature_set):
        yield _text(element["id"]), element["feature"].numpy()


def _stored_frames(feature_set: Description) -> dict[str, int]:
    """Returns the number of frames of each clip, in the order of the records."""
    try:
        found = [(_text(element["id"]), int(element["n_frames"])) for element in loading.elements(feature_set)]
    except tf.errors.OpError as error:
        raise CorruptFeatureSetError(
            f"The records of {feature_set.path!r} cannot be read: {loading.cause(error)}"
        ) from error
    frames = dict(found)
    if len(frames) < len(found):
        twice = next(name for name, count in collections.Counter(name for name, _ in found).items() if count > 1)
        raise CorruptFeatureSetError(
            f"The records of {feature_set.path!r} must be of different clips. Received twice: {twice!r}. "
            "Recompute the feature set."
        )
    return frames


def _check_content(feature_set: Description, frames: list[int]) -> None:
    """Raises an error unless the counts match the records.

    The frames of a clip only bound its length, so the hours must be within a range.
    """
    name, counts, rate = files.join(feature_set.path, DATASET_FILE), feature_set.counts, feature_set.config.sample_rate
    numbers = collections.Counter(frames)
    least, most = (
        sum(estimate.fewest_samples(feature_set.config, n_frames + more) * clips for n_frames, clips in numbers.items())
        / rate
        / 3600
        for more in (0, 1)
    )
    if counts["frames"] != sum(frames):
        fault = f"{sum(frames)} frames. Received: {counts['frames']}"
    elif not least * (1 - 1e-9) <= counts["hours"] <= most * (1 + 1e-9):
        fault = f"{least:g} to {most:g} hours. Received: {counts['hours']}"
    else:
        return
    raise CorruptFeatureSetError(
        f"{name!r} was edited: its counts must match its records, which have {fault}. Copy it again, or recompute the "
        "feature set."
    )


def _recording(clip_id: str, feature_set: Description) -> str:
    """Returns the id of the recording that a clip comes from."""
    return clip_id if feature_set.segments is None else parse_id(clip_id)[0]


def _text(tensor: tf.Tensor) -> str:
    return tensor.numpy().decode("utf-8", "surrogateescape")
