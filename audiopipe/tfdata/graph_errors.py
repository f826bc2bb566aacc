"""Errors that graphs raise during iteration, with the names of the clips."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf


def clip_name(element: Mapping[str, tf.Tensor], row: tf.Tensor | int = 0) -> tf.Tensor:
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
