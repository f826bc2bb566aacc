"""Errors at iteration, raised by graphs."""

from collections.abc import Callable

import tensorflow as tf


def check(condition: tf.Tensor, message: Callable[[], tf.Tensor]) -> None:
    """Raises `tf.errors.InvalidArgumentError` unless a condition holds. The message is built only if it does not.

    Call it in a function that `tf.data` or `tf.function` traces, which runs it even though nothing depends on it.

    Args:
        condition: Boolean scalar.
        message: Function that returns the message, a string scalar.
    """
    tf.cond(condition, tf.no_op, lambda: tf.debugging.Assert(False, [message()]))


def joined(*parts: "str | tf.Tensor") -> tf.Tensor:
    """Returns text and numbers joined to a string scalar."""
    return tf.strings.join([part if isinstance(part, str) else as_text(part) for part in parts])


def as_text(values: tf.Tensor) -> tf.Tensor:
    """Returns text as it is, and numbers as text."""
    return values if values.dtype == tf.string else tf.strings.as_string(values)
