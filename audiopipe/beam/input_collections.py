"""Checks of the collections that the building blocks are applied to."""

from typing import Any

import apache_beam as beam

from audiopipe.errors import ArgumentError


def check(value: Any, transform: str) -> None:
    """Raises an error unless a value is a collection.

    Args:
        value: What the transform is applied to.
        transform: Name of the transform.

    Raises:
        ArgumentError: If it is a pair of collections, a pipeline, or anything else.
    """
    if isinstance(value, beam.PCollection):
        return
    advice = "Apply it to the output of another transform."
    if isinstance(value, tuple):
        advice = "Pass the features alone: computed.features."
    raise ArgumentError(f"{transform} takes a PCollection. Received: {value!r:.200}. {advice}")


def check_bounded(collection: beam.PCollection, transform: str) -> None:
    """Raises an error if a collection is unbounded, for transforms that need all elements before they can finish.

    Args:
        collection: The collection.
        transform: Name of the transform.

    Raises:
        ArgumentError: If the collection is unbounded.
    """
    if not collection.is_bounded:
        raise ArgumentError(
            f"{transform} takes bounded collections, because a feature set is complete only once all clips are there. "
            f"Received: the unbounded collection {collection!r}. Write the examples of each window to files of their "
            "own: ToExamples, then WriteToTFRecord."
        )
