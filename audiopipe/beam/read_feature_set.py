"""`ReadFeatureSet`: the clips of a feature set as elements of a pipeline."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np

from audiopipe import registry
from audiopipe.beam import unsuitable_runners
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import feature_set, row_digests, valid_frames
from audiopipe.feature_sets.feature_set import FeatureSet, Source
from audiopipe.inputs.columns import is_list
from audiopipe.precompute import element_digests, element_keys, known_machines
from audiopipe.precompute.computed_clips import ID, REMARKS
from audiopipe.transform.entry_names import N_FRAMES, VALID_FRAMES
from audiopipe.transform.segments import SEPARATOR

RANGE_BYTES = 1 << 24  # of records that one worker reads in one piece
MOST_CLIPS = 10_000
FIRST_SEGMENT = f"{SEPARATOR}{0:05d}"  # end of the id of the first segment of a recording


class ReadFeatureSet(beam.PTransform):
    """Reads the clips of feature sets, as elements like those of `ComputeFeatures`.

    An element is a dict with `id`, the metadata, the feature, `n_frames`, `<feature>_digest` and `remarks`.
    `WriteFeatureSet` and the other transforms take these elements.

    - Missing metadata is None, and a class is its name.
    - If the feature or its segments pad clips, `valid_frames` is the number of frames that hold audio, or None if the
      set does not record it.
    - A remark about a whole recording is in the element of its first segment.

    The clips are divided into ranges of about 16 MB, which workers read independently. A worker holds a few megabytes
    at a time. The checksum of every record is verified.

    Args:
        path: Folder of the feature set, local or remote; an `audiopipe.FeatureSet`, which may be a view; or a list of
            these, as for `FeatureSet`.
        config: The expected config, as for `audiopipe.load`. None takes any.
        feature: Key of the feature in each element.

    Input:
        A pipeline.

    Output:
        A `PCollection` of dicts, in any order.

    Raises:
        IncompleteFeatureSetError: If there is no `dataset.json`.
        ConfigMismatchError: If the features have another config than expected.
        FeatureSetError: If several sets cannot be joined, or a metadata column has the name of another key.
        ArgumentError: If an argument is wrong, or the runner is DaskRunner.

    Example:
        >>> import apache_beam
        >>> with apache_beam.Pipeline(runner="FnApiRunner") as pipeline:
        ...     clips = pipeline | ReadFeatureSet("tests/data/v0.1/features")
        ...     _ = clips | apache_beam.Map(lambda clip: print(clip["id"], clip["feature"].shape))
        mono (38, 20, 1)
        stereo (28, 20, 1)
        resampled (28, 20, 1)
    """

    def __init__(self, path: Source, config: Any = None, *, feature: str = "feature"):
        super().__init__()
        element_keys.check_feature(feature)
        found = FeatureSet(path)
        if config is not None:
            expected = registry.resolve(config)
            as_expected = feature_set.as_expected(found, expected, expected.kernel_version)
            assert isinstance(as_expected, FeatureSet)
            found = as_expected
        _check_names(found, feature)
        self._set = found
        self._feature = feature

    def expand(self, pbegin):
        """Creates the ranges, and reads them."""
        if not isinstance(pbegin, beam.pvalue.PBegin):
            raise ArgumentError(
                "ReadFeatureSet begins a pipeline. Apply it to the pipeline itself: pipeline | ReadFeatureSet(path). "
                f"Received: {pbegin!r:.200}."
            )
        unsuitable_runners.check(pbegin.pipeline)
        read = beam.ParDo(_Read(self._set, self._feature)).with_output_types(beam.typehints.Dict[str, Any])
        return pbegin | "Ranges" >> beam.Create(_ranges(self._set)) | "Distribute" >> beam.Reshuffle() | "Read" >> read


def _ranges(clips: FeatureSet) -> list[tuple[int, int]]:
    """Returns the ranges of clips that are read in one piece."""
    records = sum(shard["records"] for description in clips.descriptions for shard in description.shards)
    size = sum(shard["bytes"] for description in clips.descriptions for shard in description.shards) / max(records, 1)
    count = int(np.clip(RANGE_BYTES / max(size, 1), 1, MOST_CLIPS))
    return [(start, min(start + count, len(clips))) for start in range(0, len(clips), count)]


def _check_names(clips: FeatureSet, feature: str) -> None:
    """Raises an error if a metadata column has the name of another key."""
    own = set(element_keys.own(feature))
    taken = sorted(own & set(clips.schema))
    if taken:
        raise ArgumentError(
            f"Metadata columns must not have the names of other keys of an element: {', '.join(sorted(own))}. "
            f"Received: {', '.join(taken)} in {clips!r}. Pass feature= another name, or write the feature set again "
            "with another name for the column."
        )


class _Read(beam.DoFn):
    def __init__(self, clips: FeatureSet, feature: str):
        super().__init__()
        self._set = clips
        self._feature = feature
        self._valid_frames = valid_frames.entry(clips.descriptions, clips.columns)
        self._machines = clips.machines
        self._is_padded = any(map(valid_frames.are_padded, clips.descriptions))
        self._has_segments = any(description.segments is not None for description in clips.descriptions)
        self._remarks: dict[str, list[dict[str, Any]]] | None = None

    def setup(self) -> None:
        self._remarks = defaultdict(list)
        for remark in self._set.remarks() if self._set.counts.get("remarks") else ():
            self._remarks[remark[ID]].append(remark)

    def process(self, clips: tuple[int, int]) -> Iterator[dict[str, Any]]:
        assert self._remarks is not None
        start, stop = clips
        for clip in self._set[start:stop]:
            feature = clip["feature"]
            digest = row_digests.digest(feature, self._set.fingerprint)
            known_machines.computed_by(digest, self._machines)
            n_frames = clip[N_FRAMES]
            valid = {VALID_FRAMES: clip.get(self._valid_frames)} if self._is_padded else {}
            covered = element_digests.digest(digest, n_frames, valid.get(VALID_FRAMES, n_frames))
            yield {
                ID: clip[ID],
                **{name: self._value(name, clip[name]) for name in self._set.schema},
                self._feature: feature,
                N_FRAMES: n_frames,
                **valid,
                row_digests.name_of(self._feature): covered,
                REMARKS: self._remarks_about(clip[ID]),
            }

    def _remarks_about(self, clip_id: str) -> list[dict[str, Any]]:
        """Returns the remarks about a clip. A remark about a recording goes with its first segment."""
        assert self._remarks is not None
        found = self._remarks.get(clip_id, [])
        if not self._has_segments or not clip_id.endswith(FIRST_SEGMENT):
            return found
        recording = clip_id.removesuffix(FIRST_SEGMENT)
        about_recording = self._remarks.get(recording, [])
        return [*found, *({**remark, ID: clip_id, "recording": recording} for remark in about_recording)]

    def _value(self, name: str, value: Any) -> Any:
        """Returns the value of a metadata column, with names instead of positions of classes."""
        if name not in self._set.classes or value is None:
            return value
        names = self._set.classes[name]
        return [names[item] for item in value] if is_list(self._set.schema[name]) else names[value]
