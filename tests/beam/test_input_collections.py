"""Building blocks refuse what they cannot be applied to and wrong keys, before a pipeline runs."""

import apache_beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from computed_clips import clip, write

from audiopipe import Transform, beam
from audiopipe.errors import ArgumentError


@pytest.mark.parametrize("make", [beam.FeatureStatistics, beam.ToExamples])
def test_features_together_with_failures_are_refused_where_features_are_expected(config, make):
    pipeline = apache_beam.Pipeline(runner=FnApiRunner())
    computed = pipeline | apache_beam.Create([]) | beam.ComputeFeatures(Transform(config))
    with pytest.raises(ArgumentError, match=r"takes a PCollection. Received: Computed.* Pass the features alone"):
        _ = computed | make(config)


def test_transforms_refuse_what_they_cannot_be_applied_to(config, tmp_path):
    pipeline = apache_beam.Pipeline(runner=FnApiRunner())
    with pytest.raises(
        ArgumentError, match=r"ComputeFeatures takes a PCollection\. Received: .*Apply it to the output"
    ):
        _ = pipeline | beam.ComputeFeatures(Transform(config))
    output = write([clip(0, config)], tmp_path / "features", config)
    with pytest.raises(ArgumentError, match="ReadFeatureSet begins a pipeline"):
        _ = pipeline | apache_beam.Create([output]) | beam.ReadFeatureSet(output)


@pytest.mark.parametrize("feature", [3, "", "id", "n_frames", "valid_frames", "remarks"])
def test_the_feature_must_have_a_key_of_its_own(config, tmp_path, shared_feature_set, feature):
    for make in (
        lambda: beam.FeatureStatistics(config, feature=feature),
        lambda: beam.ToExamples(config, feature=feature),
        lambda: beam.WriteFeatureSet(tmp_path / "features", config, feature=feature),
        lambda: beam.ReadFeatureSet(shared_feature_set, feature=feature),
    ):
        with pytest.raises(ArgumentError, match="feature must be the name of a key, and none of id, n_frames"):
            make()
