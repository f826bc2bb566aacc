"""Errors of writing a file."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from audiopipe.errors import OutputError


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Turns errors of a block that writes a file into an error that names the file.

    Args:
        path: Path of the file.

    Raises:
        OutputError: If the block raises an error of the operating system or of TensorFlow.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = error.message if isinstance(error, tf.errors.OpError) else error.strerror or str(error)
        raise OutputError(f"Could not write {path!r}: {reason.rstrip('.')}.") from error
