"""Door to Apache Beam: jobs that precompute features, and building blocks of pipelines.

`precompute` plans the job, writes the shards on this machine or by a runner of Apache Beam, and completes the feature
set. The transforms are for pipelines of your own. Only these and the runners need the package apache-beam.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audiopipe.beam.compute_features import ComputeFeatures
    from audiopipe.beam.feature_statistics import FeatureStatistics
    from audiopipe.beam.jobs import estimate, precompute
    from audiopipe.beam.read_feature_set import ReadFeatureSet
    from audiopipe.beam.to_examples import ToExamples
    from audiopipe.beam.write_feature_set import WriteFeatureSet
    from audiopipe.precompute.pipeline import Precompute, ReadPlan, WriteFeatureShards

__all__ = [
    "ComputeFeatures",
    "FeatureStatistics",
    "Precompute",
    "ReadFeatureSet",
    "ReadPlan",
    "ToExamples",
    "WriteFeatureSet",
    "WriteFeatureShards",
    "estimate",
    "precompute",
]

_HOMES = {
    "estimate": "audiopipe.beam.jobs",
    "precompute": "audiopipe.beam.jobs",
}
# These modules import apache-beam.
_HOMES_WITH_BEAM = {
    "ComputeFeatures": "audiopipe.beam.compute_features",
    "FeatureStatistics": "audiopipe.beam.feature_statistics",
    "Precompute": "audiopipe.precompute.pipeline",
    "ReadFeatureSet": "audiopipe.beam.read_feature_set",
    "ReadPlan": "audiopipe.precompute.pipeline",
    "ToExamples": "audiopipe.beam.to_examples",
    "WriteFeatureSet": "audiopipe.beam.write_feature_set",
    "WriteFeatureShards": "audiopipe.precompute.pipeline",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _HOMES_WITH_BEAM:
        from audiopipe.beam import beam_modules

        return getattr(beam_modules.imported(_HOMES_WITH_BEAM[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
