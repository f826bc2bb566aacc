"""Entries of the elements that the functions of this door take: datasets of dicts, as `load` gives them."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import fingerprints
from audiopipe.transform.transform import Transform


def of_dataset(dataset: tf.data.Dataset) -> dict[str, Any]:
    """Returns the type of each entry of the elements of a dataset.

    Raises:
        ArgumentError: If the elements are no dicts.
    """
    spec = getattr(dataset, "element_spec", None)
    if not isinstance(spec, Mapping):
        raise ArgumentError(
            "dataset must be a tf.data.Dataset of dicts, as audiopipe.load and from_audio(...).map(transform) return "
            f"it. Received: {type(dataset).__name__}{'' if spec is None else f' of {spec}'}. Call this function before "
            "you map the elements to tuples."
        )
    return dict(spec)


def check_present(spec: Mapping[str, Any], name: str, argument: str) -> None:
    """Raises an error unless there is an entry.

    Args:
        spec: Type of each entry.
        name: Name of the entry.
        argument: Name of the argument that names it, for the error message.

    Raises:
        ArgumentError: If there is no such entry. The message lists those that there are.
    """
    if not isinstance(name, str) or name not in spec:
        raise ArgumentError(
            f"{argument} must be an entry of the dataset: one of {', '.join(map(repr, spec))}. Received: "
            f"{argument}={name!r}. If the metadata has it, add it to load(..., columns=[...])."
        )


def config_and_feature(config: Any) -> tuple[Config, str]:
    """Returns the config of anything that names one, as for `load`, and the name of the entry with the feature."""
    if isinstance(config, Transform):
        return config.config, config.feature
    return fingerprints.expected(config)[0], "feature"


def own(entries: Mapping[str, Any], name: str) -> str:
    """Returns the name of an entry that audiopipe adds: `name`, with underscores if a metadata column has that name.

    Example:
        >>> own({"tags": 0, "tags_length": 0}, "tags_length")
        'tags_length'
        >>> own({"tags": 0, "tags_length": 0, "tags_length_": 0}, "tags_length")
        'tags_length_'
    """
    while f"{name}_" in entries:
        name += "_"
    return name


def clip(element: Mapping[str, tf.Tensor], row: tf.Tensor | int = 0) -> tf.Tensor:
    """Returns text that names a clip in error messages.

    Args:
        element: An element, or a batch of them.
        row: Row of the clip in the batch.
    """
    if "id" not in element:
        return tf.constant("A clip")
    return tf.strings.join(["The clip '", as_text(tf.gather(tf.reshape(element["id"], [-1]), row)), "'"])


def require(condition: tf.Tensor, message: Callable[[], list[Any]]) -> tf.Operation:
    """Returns an operation of the graph that fails unless a condition holds.

    Args:
        condition: Scalar boolean.
        message: Function that returns the parts of the error message, texts or scalar tensors of text or numbers.
    """

    def fail() -> tf.Operation:
        parts = [part if isinstance(part, str) else as_text(part) for part in message()]
        return tf.debugging.Assert(tf.constant(False), [tf.strings.join(parts)])

    return tf.cond(condition, tf.no_op, fail)


def as_text(values: tf.Tensor) -> tf.Tensor:
    """Returns text as it is, and numbers as text."""
    return values if values.dtype == tf.string else tf.strings.as_string(values)
