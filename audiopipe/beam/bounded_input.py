"""Refusal of unbounded collections, by transforms that need all elements before they can finish."""

import apache_beam as beam

from audiopipe.errors import ArgumentError


def check(collection: beam.PCollection, transform: str) -> None:
    """Raises an error if a collection is unbounded.

    Args:
        collection: The collection.
        transform: Name of the transform that gets it.

    Raises:
        ArgumentError: If the collection is unbounded.
    """
    if not collection.is_bounded:
        raise ArgumentError(
            f"{transform} takes bounded collections, because a feature set is complete only once all clips are there. "
            f"Received: the unbounded collection {collection!r}. Write the examples of each window to files of their "
            "own: ToExamples, then WriteToTFRecord."
        )
