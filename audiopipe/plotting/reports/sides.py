"""What a report says about one feature set, apart from its clips: the set itself, or the one it is compared with."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.feature_sets.feature_set import FeatureSet, clips_of
from audiopipe.plotting.reports import columns, durations, messages, samples
from audiopipe.plotting.reports.columns import Column
from audiopipe.plotting.reports.durations import Durations
from audiopipe.plotting.reports.messages import Kinds
from audiopipe.plotting.reports.samples import Sample
from audiopipe.runtime import startup
from audiopipe.signal.statistics import Statistics

OnStep = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Side:
    """One feature set of a report.

    Args:
        letter: `"A"` or `"B"` if the report has two feature sets, else empty.
        feature_set: The feature set, or a view of it.
        durations: Durations of its clips.
        columns: Values of its metadata columns.
        failures: Its failures by kind.
        remarks: Its remarks by kind.
        sample: Measurements of some of its clips.
        statistics: Statistics of its features, or an estimate from the sample. None if there are no frames.
        is_estimate: Whether the statistics are an estimate.
    """

    letter: str
    feature_set: FeatureSet
    durations: Durations
    columns: list[Column]
    failures: Kinds
    remarks: Kinds
    sample: Sample
    statistics: Statistics | None
    is_estimate: bool

    @property
    def config(self) -> Config:
        """Config of the features as they are read."""
        return self.feature_set.config

    @property
    def name(self) -> str:
        """Name of the folder of the feature set, or of the first of several."""
        first, *others = [self.feature_set.whole] if self.feature_set.whole else self.feature_set.paths
        name = os.path.basename(first.rstrip("/")) or first
        return f"{name} and {len(others)} more" if others else name

    @property
    def path(self) -> str:
        """Folder of the feature set, or of several."""
        return self.feature_set.whole or ", ".join(self.feature_set.paths)

    @property
    def is_view(self) -> bool:
        """Whether the report is about some of the clips of the feature set."""
        return not _is_whole(self.feature_set)

    @property
    def hours(self) -> float:
        """Hours of audio of the clips."""
        return self.durations.total / 3600 if self.is_view else float(self.feature_set.counts["hours"])

    @property
    def n_frames(self) -> int:
        """Number of frames of the clips."""
        return self.durations.n_frames if self.is_view else int(self.feature_set.counts["frames"])

    @property
    def silent_share(self) -> float:
        """Share of the frames of the sample that hold no sound, from 0 to 1."""
        n_frames = sum(clip.n_frames for clip in self.sample.clips)
        return sum(clip.silent for clip in self.sample.clips) / max(1, n_frames)

    @property
    def levels(self) -> np.ndarray:
        """Level of each clip of the sample that has one."""
        return np.array([clip.level for clip in self.sample.clips if np.isfinite(clip.level)])

    @property
    def distances(self) -> np.ndarray:
        """Distance of each clip of the sample from the statistics, see `samples.distances`."""
        return np.zeros(0) if self.statistics is None else samples.distances(self.sample, self.statistics)


def side_of(feature_set: FeatureSet, letter: str, seed: int, on_step: OnStep) -> Side:
    """Gathers what there is to say about a feature set from its files and its index, and from a sample of its clips.

    Args:
        feature_set: A feature set or a view of one.
        letter: Letter of the side.
        seed: Seed of the sample.
        on_step: Function of the name of a step, how much of it is done, and how much there is.
    """
    name = f"reading clips of {letter}" if letter else "reading clips"
    with startup.quiet():
        silence = feature_set.config.silence if len(feature_set) else 0.0
    sample = samples.measure(feature_set, silence, seed, lambda done, total: on_step(name, done, total))
    is_stored = has_stored_statistics(feature_set)
    known = feature_set.statistics if is_stored and feature_set.counts["frames"] else None
    return Side(
        letter=letter,
        feature_set=feature_set,
        durations=durations.of_clips(feature_set),
        columns=columns.of_clips(feature_set),
        failures=messages.failures(feature_set.failures()),
        remarks=messages.remarks(feature_set.remarks()),
        sample=sample,
        statistics=known or sample.statistics,
        is_estimate=known is None and not sample.is_all,
    )


def has_stored_statistics(feature_set: FeatureSet) -> bool:
    """Returns whether the statistics of a feature set are known without reading all of its records."""
    is_stored = all(description.statistics_file is not None for description in feature_set.descriptions)
    return is_stored and feature_set.normalized_config is None and _is_whole(feature_set)


def _is_whole(feature_set: FeatureSet) -> bool:
    sets, rows = clips_of(feature_set)
    return isinstance(rows, range) and rows == range(len(sets))
