"""Recomputation of a feature set from its audio through every door, and bit-by-bit comparison.

If the features are stored as float16 or bfloat16, the recomputed ones are rounded to that dtype before the comparison.
"""

import os
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe import inputs
from audiopipe.errors import AudioError, AudioRemark, FeatureSetError, InputError
from audiopipe.feature_sets import dtypes, loading, machine_checks, records, tfrecords
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.feature_set import FeatureSet
from audiopipe.inputs import SeveralInputs, Source
from audiopipe.storage import files
from audiopipe.transform.segments import parse_id, recording_of
from audiopipe.transform.transform import Transform
from audiopipe.verification import integrity, recompute
from audiopipe.verification.comparison import Comparison
from audiopipe.verification.recompute import Clips
from audiopipe.verification.report import Report
from audiopipe.verification.stored_features import StoredFeatures
from audiopipe.wording import count_of

SAMPLE_SEED = 0  # fixed, so that everyone who verifies a feature set compares the same clips


def compare(
    feature_set: Description | FeatureSet,
    source: Any,
    *,
    door: str,
    sample: int | None,
    tolerance: float | None,
    progress: Callable[[str, int, int], None],
) -> Report:
    """Recomputes the features of a whole feature set from its input, and compares them.

    Args:
        feature_set: The feature set, which was checked.
        source: As in `audiopipe.verification.verify`, and all other arguments.
        door: Likewise.
        sample: Likewise.
        tolerance: Likewise.
        progress: Likewise.

    Returns:
        A `Report`.

    Raises:
        ConfigMismatchError: If the features have another kernel version than that of this release.
        InputError: If the input is missing, or has none of the feature set's clips.
        FeatureSetError: If the audio of a stored clip can no longer be read.
    """
    feature_set.expect(feature_set.config)
    sources = {clip.id: clip for clip in inputs.scan(source, feature_set.options)}
    stored = {
        row.id: row.n_frames
        for description in loading.descriptions_of(feature_set)
        for row in integrity.listed_rows(description)
    }
    recordings = {clip_id: _recording(clip_id, feature_set) for clip_id in stored}
    failed = {failure["id"] for failure in feature_set.failures()}
    failed |= {recording_of(clip_id, sources) for clip_id in failed if feature_set.segments}
    missing = [clip_id for clip_id in stored if recordings[clip_id] not in sources]
    if feature_set.segments:  # recordings that gave no segment have a remark
        failed |= {remark["id"] for remark in feature_set.remarks()}
    unknown = sorted(sources.keys() - set(recordings.values()) - failed)
    present = [clip_id for clip_id in stored if recordings[clip_id] in sources]
    if not present:
        raise InputError(
            f"{_name(source)} has none of the {count_of(len(stored), 'clip')} of {feature_set.path!r}. The first clip "
            f"is {next(iter(stored))!r}. Pass the input that the feature set was computed from."
        )
    chosen = _spread(present, sample)
    order = _reading_order(feature_set, stored, chosen, {clip_id: sources[recordings[clip_id]] for clip_id in chosen})
    frames = {clip_id: stored[clip_id] for clip_id in order}
    transform = Transform(feature_set.config, accept_truncated=feature_set.accept_truncated)
    clips = Clips(sources, frames, feature_set.segments, transform)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioRemark)  # the feature set has the remarks of its job
        comparisons = [_compare(feature_set, clips, door, name, progress) for name in recompute.DOORS[door]]
    return Report(
        feature_set=feature_set,
        comparisons=comparisons,
        missing=missing,
        unknown=unknown,
        tolerance=tolerance,
        machine=machine_checks.differences(feature_set.machines, feature_set.config, feature_set.kernel_version),
    )


def _compare(
    feature_set: Description | FeatureSet,
    clips: Clips,
    door: str,
    name: str,
    progress: Callable[[str, int, int], None],
) -> Comparison:
    """Compares the stored clips with those that one way of a door computes."""
    comparison = Comparison(door=name)
    total = len(clips.short() if recompute.DOORS[door][name] is recompute.by_batch else clips.frames)
    progress(f"recomputing clips with {name}", 0, total)
    try:
        with StoredFeatures(_stored(feature_set), clips.frames) as features:
            for clip_id, computed in recompute.DOORS[door][name](clips):
                comparison.add(clip_id, features.take(clip_id), dtypes.as_loaded(computed, feature_set.dtype))
                progress(f"recomputing clips with {name}", comparison.clips, total)
    except (tf.errors.OpError, AudioError) as error:
        reason = re.sub(r"^Row \d+: ", "", loading.cause(error))  # of a batch, which nobody knows
        raise FeatureSetError(f"The audio of a stored clip can no longer be read: {reason}") from error
    return comparison


def _spread(ids: list[str], sample: int | None) -> set[str]:
    """Returns the ids of a sample: one random clip from each of `sample` stretches of equal length."""
    if sample is None or sample >= len(ids):
        return set(ids)
    edges = np.linspace(0, len(ids), sample + 1).astype(int)
    return {ids[number] for number in np.random.default_rng(SAMPLE_SEED).integers(edges[:-1], edges[1:])}


def _reading_order(
    feature_set: Description | FeatureSet, stored: Iterable[str], chosen: Container[str], sources: Mapping[str, Source]
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


def _stored(feature_set: Description | FeatureSet) -> Iterator[tuple[str, np.ndarray]]:
    for shard in feature_set.shards:
        path = files.join(feature_set.path, shard["name"])
        with files.open_binary(path) as file:
            for _, record in tfrecords.read(file, path):
                found = records.decode(record, feature_set.columns, feature_set.config, feature_set.dtype)
                yield found.id, found.feature


def _recording(clip_id: str, feature_set: Description | FeatureSet) -> str:
    """Returns the id of the recording that a clip comes from."""
    return clip_id if feature_set.segments is None else parse_id(clip_id)[0]
