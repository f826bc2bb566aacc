"""`FeatureStatistics`: the statistics of the features of a collection."""

import os
from collections.abc import Iterator
from typing import Any

import apache_beam as beam

from audiopipe import registry
from audiopipe.beam import input_collections, unsuitable_runners
from audiopipe.configs.base import Config
from audiopipe.feature_sets import clip_sums
from audiopipe.precompute import element_keys
from audiopipe.precompute.computed_clips import ComputedClips
from audiopipe.signal.feature_sums import FeatureSums
from audiopipe.signal.statistics import Statistics


class FeatureStatistics(beam.PTransform):
    """Computes the statistics of a collection of features, like `FeatureSet.statistics`.

    Only frames that hold audio count. The sums are exact, so the bits do not depend on the order of the elements, on
    bundles or on workers. Only sums travel through the pipeline.

    Args:
        config: Config of the features: a config, a registered name, or the path of a JSON file.
        feature: Key of the feature in each element.

    Input:
        A `PCollection` of dicts as `ComputeFeatures` makes them, bounded or not.

    Output:
        A `PCollection` of one `audiopipe.Statistics` with the fingerprint of the config. The values are not rounded to
        a storage dtype. If the input has windows, there is one element for each window. If no frame holds audio, there
        is no element.

    Raises:
        ArgumentError: If an argument is wrong, or the runner is DaskRunner.

    The pipeline fails with one of these errors:

    - `InputError`: If an element is not a computed clip.
    - `FingerprintError`: If a feature or its number of valid frames was changed, or another config computed it.

    Example:
        >>> import apache_beam
        >>> from audiopipe import FeatureSet, beam
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> def show(statistics):
        ...     print(statistics == sets.statistics)
        >>> with apache_beam.Pipeline(runner="FnApiRunner") as pipeline:
        ...     _ = (
        ...         pipeline
        ...         | beam.ReadFeatureSet(sets)
        ...         | beam.FeatureStatistics(sets.config)
        ...         | apache_beam.Map(show)
        ...     )
        True
    """

    def __init__(self, config: "Config | str | os.PathLike[str]", *, feature: str = "feature"):
        super().__init__()
        element_keys.check_feature(feature)
        self._config = registry.resolve(config)
        self._feature = feature

    def expand(self, pcoll):
        """Combines the sums of the clips, and computes the statistics from them."""
        input_collections.check(pcoll, "FeatureStatistics")
        unsuitable_runners.check(pcoll.pipeline)
        sums = beam.CombineGlobally(_Sums(self._config, self._feature)).without_defaults()
        return pcoll | "Sum" >> sums | "Statistics" >> beam.FlatMap(_statistics, self._config.fingerprint)


def _statistics(sums: FeatureSums, fingerprint: str) -> Iterator[Statistics]:
    if sums.count:
        yield sums.statistics(fingerprint)


class _Sums(beam.CombineFn):
    def __init__(self, config: Config, feature: str):
        super().__init__()
        self._config = config
        self._clips = ComputedClips(config, feature)

    def create_accumulator(self) -> FeatureSums:
        return clip_sums.empty(self._config)

    def add_input(self, accumulator: FeatureSums, element: Any) -> FeatureSums:
        clip = self._clips.read(element)
        n_valid = clip.n_frames if clip.valid_frames is None else clip.valid_frames
        accumulator.add_parts(clip_sums.frames_of(clip.feature, self._config, n_valid, "float32"))
        return accumulator

    def merge_accumulators(self, accumulators) -> FeatureSums:
        total = self.create_accumulator()
        for accumulator in accumulators:
            total.merge(accumulator)
        return total

    def extract_output(self, accumulator: FeatureSums) -> FeatureSums:
        return accumulator
