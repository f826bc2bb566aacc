"""The public class of feature sets."""

from audiopipe.feature_sets.description import Description as FeatureSet

__all__ = ["FeatureSet"]
