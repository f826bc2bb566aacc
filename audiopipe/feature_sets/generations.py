"""Generations of feature sets, as pickles name them."""

from typing import NamedTuple

from audiopipe.errors import FeatureSetError
from audiopipe.feature_sets.description import Description


class Generation(NamedTuple):
    """Name of a generation of a feature set.

    Args:
        path: Folder of the feature set.
        number: Number of the generation.
        identity: Text that differs for feature sets with other records.
    """

    path: str
    number: int
    identity: str


def of(description: Description) -> Generation:
    """Returns the name of the generation that was opened."""
    return Generation(description.path, description.generation, _identity(description))


def opened(generation: Generation) -> Description:
    """Opens a generation.

    Raises:
        FeatureSetError: If the feature set was replaced by another one.
    """
    description = Description.open(generation.path, generation.number)
    if _identity(description) != generation.identity:
        raise FeatureSetError(
            f"The feature set {generation.path!r} was replaced by another one after it was pickled, so its clips are "
            "not those that the pickle names. Open it again, and make the views again."
        )
    return description


def _identity(description: Description) -> str:
    return description.set_id if description.index is None else description.index["sha256"]
