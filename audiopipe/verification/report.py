"""Result of a verification."""

from dataclasses import dataclass, field

from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.feature_set import FeatureSet
from audiopipe.verification.comparison import Comparison


@dataclass(kw_only=True)
class Report:
    """Result of `verify`.

    Args:
        feature_set: The feature set. If it is in parts, it is opened as a whole.
        comparisons: One comparison per door. Empty if there was no input to recompute from.
        missing: Ids in the feature set that are not in the input.
        unknown: Ids in the input that are neither in the feature set nor among its failures.
        tolerance: Largest absolute difference that is accepted, or None if every bit must agree.
        machine: Why bits may differ on this machine, or an empty string.
    """

    feature_set: Description | FeatureSet
    comparisons: list[Comparison] = field(default_factory=list)
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
