"""Generations of feature sets, as pickles name them."""

from dataclasses import replace
from typing import NamedTuple

from audiopipe.errors import FeatureSetError
from audiopipe.feature_sets.description import Description


class Generation(NamedTuple):
    """Name of a generation of a feature set.

    Args:
        path: Folder of the feature set.
        number: Number of the generation.
        identity: Text that differs for feature sets with other records.
        whole: Folder of the feature set that this one is a part of, or empty text.
    """

    path: str
    number: int
    identity: str
    whole: str = ""  # which pickles of earlier releases lack


def of(description: Description) -> Generation:
    """Returns the name of the generation that was opened."""
    return Generation(description.path, description.generation, identity_of(description), description.whole)


def opened(generation: Generation) -> Description:
    """Opens a generation.

    Raises:
        FeatureSetError: If the feature set was replaced by another one.
    """
    description = Description.open(generation.path, generation.number)
    if identity_of(description) != generation.identity:
        raise FeatureSetError(
            f"The feature set {generation.path!r} was replaced by another one after it was pickled, so its clips are "
            "not those that the pickle names. Open it again, and make the views again."
        )
    return replace(description, whole=generation.whole)


def identity_of(description: Description) -> str:
    """Returns a text that differs for feature sets with other records."""
    return description.set_id if description.index is None else description.index["sha256"]
